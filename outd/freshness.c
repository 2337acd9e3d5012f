#include "outd/freshness.h"

/* Delta-seconds: digits; more than fit are very long (RFC 9111 §1.2.2). */
static bool
seconds(struct span s, uint32_t *v)
{
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_isdigit((unsigned char)s.p[i]))
			return false;
	if (!span_u32(s, v))
		*v = UINT32_MAX;
	return true;
}

static struct span
unquoted(struct span s)
{
	return s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"' ? span_sub(s, 1, s.len - 2) : s;
}

static void
directive(struct freshness *f, struct span d)
{
	struct span rest = d, name = span_trim(span_cut(&rest, '='));
	uint32_t v;

	if (span_caseeq_str(name, "no-store") || span_caseeq_str(name, "no-cache"))
		f->never = true;
	if (!span_caseeq_str(name, "max-age") || !seconds(unquoted(span_trim(rest)), &v))
		return;
	/* said twice: the shorter */
	if (!f->known || v < f->max_age_s)
		f->max_age_s = v;
	f->known = true;
}

void
freshness_line(struct freshness *f, struct span line)
{
	struct span rest = line, name;

	if (span_has_caseprefix(line, "HTTP/")) {
		*f = (struct freshness){ 0 };
		return;
	}
	name = span_cut(&rest, ':');
	if (rest.p == NULL)
		return;
	if (span_caseeq_str(name, "Age"))
		(void)seconds(span_trim(rest), &f->age_s);
	if (span_caseeq_str(name, "Retry-After"))
		(void)seconds(span_trim(rest), &f->retry_after_s);
	if (!span_caseeq_str(name, "Cache-Control"))
		return;
	while (rest.p != NULL)
		directive(f, span_trim(span_cut(&rest, ',')));
}

int64_t
freshness_s(const struct freshness *f)
{
	if (f->never)
		return 0;
	if (!f->known)
		return -1;
	return f->max_age_s > f->age_s ? (int64_t)f->max_age_s - f->age_s : 0;
}
