#include "common/proto/dovecot_auth.h"

static bool
take_number(struct span *rest, uint32_t *n)
{
	return span_u32(span_cut(rest, '\t'), n);
}

static struct span
value_of(struct span word, size_t key)
{
	return span_sub(word, key, word.len);
}

/* resp= is the last: what follows it belongs to it, and base64 has no tabs. */
static bool
parse_auth(struct span rest, struct dovecot_line *out)
{
	if (!take_number(&rest, &out->number))
		return false;
	out->mechanism = span_cut(&rest, '\t');
	while (rest.len > 0 && !out->initial) {
		struct span word = span_cut(&rest, '\t');

		if (span_has_prefix(word, "service="))
			out->service = value_of(word, 8);
		else if (span_has_prefix(word, "rip="))
			out->rip = value_of(word, 4);
		else if (span_has_prefix(word, "session="))
			out->session = value_of(word, 8);
		else if (span_eq_str(word, "secured") || span_has_prefix(word, "secured="))
			out->secured = true;
		else if (span_eq_str(word, "final-resp-ok"))
			out->final_ok = true;
		else if (span_has_prefix(word, "resp=")) {
			out->initial = true;
			out->data = value_of(word, 5);
		}
	}
	return out->mechanism.len > 0 && out->service.len > 0 && rest.len == 0;
}

bool
dovecot_line_parse(struct span line, struct dovecot_line *out)
{
	struct span word = span_cut(&line, '\t');

	*out = (struct dovecot_line){ .word = DOVECOT_OTHER };
	if (span_eq_str(word, "VERSION")) {
		out->word = DOVECOT_VERSION;
		return take_number(&line, &out->number);
	}
	if (span_eq_str(word, "CPID")) {
		out->word = DOVECOT_CPID;
		return take_number(&line, &out->number);
	}
	if (span_eq_str(word, "AUTH")) {
		out->word = DOVECOT_AUTH;
		return parse_auth(line, out);
	}
	if (span_eq_str(word, "CONT")) {
		out->word = DOVECOT_CONT;
		if (!take_number(&line, &out->number))
			return false;
		out->data = span_cut(&line, '\t');
		return true;
	}
	if (span_eq_str(word, "CANCEL")) {
		out->word = DOVECOT_CANCEL;
		return take_number(&line, &out->number);
	}
	return word.len > 0;
}

void
dovecot_put(struct buf *out, struct span value)
{
	static const char bad[] = "\001\t\n\r";
	static const char as[] = "1tnr";

	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];
		size_t k = 0;

		while (k < sizeof(bad) - 1 && bad[k] != c)
			k++;
		if (c == '\0')
			buf_add_str(out, "\001" "0");
		else if (k < sizeof(bad) - 1)
			buf_addf(out, "\001%c", as[k]);
		else
			buf_add_c(out, c);
	}
}
