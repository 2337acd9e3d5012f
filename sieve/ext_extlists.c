/* extlists (RFC 6134): lists that are kept outside of scripts. */
#include <string.h>

#include "sieve/ext.h"
#include "sieve/extensions.h"

#define URN "urn:ietf:params:sieve:"

/* An absolute URI, or the shorthand ":name" of one (RFC 6134 2.5). */
static bool
is_name(struct span s)
{
	size_t colon = span_find(s, ':');

	if (s.len < 2 || s.len > 1024 || colon == s.len)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= 32 || s.p[i] >= 127)
			return false;
	for (size_t i = 0; i < colon; i++)
		if (!ascii_isalnum((unsigned char)s.p[i]) && strchr("+-.", s.p[i]) == NULL)
			return false;
	return colon == 0 || ascii_isalpha((unsigned char)s.p[0]);
}

static void
check_names(struct sieve_compile *c, const struct sieve_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (sieve_constant(&s->v[i]) && !is_name(s->v[i].text))
			sieve_error_at(c, s->v[i].line, s->v[i].column, "\"%.*s\" is no name of a "
			    "list: expected one like \":addrbook:default\"",
			    (int)(s->v[i].text.len < 64 ? s->v[i].text.len : 64), s->v[i].text.p);
}

/* "%44" is "D" (RFC 3986 6.2.2.2); what is reserved means something else when it is encoded. */
static void
add_decoded(struct buf *out, struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		int c = (unsigned char)name.p[i], hi = -1, lo = -1;

		if (c == '%' && name.len - i > 2) {
			hi = ascii_hex(name.p[i + 1]);
			lo = ascii_hex(name.p[i + 2]);
		}
		if (hi >= 0 && lo >= 0 && (ascii_isalnum(hi << 4 | lo) ||
		    ((hi | lo) != 0 && strchr("-._~", hi << 4 | lo) != NULL))) {
			c = hi << 4 | lo;
			i += 2;
		}
		buf_add_c(out, (char)c);
	}
}

/* The whole name; case means nothing in what is fixed, nor in "default" (RFC 6134 2.5). */
static struct span
whole(struct sieve_run *r, struct span name)
{
	static const char book[] = URN "addrbook:";
	struct buf b = { 0 };
	struct span s;

	if (name.len > 0 && name.p[0] == ':') {
		buf_add_str(&b, URN);
		add_decoded(&b, span_sub(name, 1, name.len));
	} else {
		add_decoded(&b, name);
	}
	if (span_has_caseprefix(buf_span(&b), book))
		memcpy(b.data, book, sizeof(book) - 1);
	if (span_caseeq_str(buf_span(&b), URN "addrbook:default")) {
		buf_clear(&b);
		buf_add_str(&b, URN "addrbook:default");
	}
	s = sieve_span(r, buf_span(&b));
	buf_fini(&b);
	return s;
}

/* yes: there is such a list. */
static enum sieve_step
ask_list(struct sieve_run *r, const struct sieve_node *n, struct span name, bool *yes)
{
	struct sieve_reply reply;
	enum sieve_step step;

	*yes = false;
	if (!is_name(name))
		return SIEVE_NEXT;
	step = sieve_ask(r, n, SIEVE_ASK_LIST, SPAN_NONE, whole(r, name), &reply);
	*yes = step == SIEVE_NEXT && reply.yes;
	return step;
}

static enum sieve_step
no_list(struct sieve_run *r, const struct sieve_node *n, struct span name)
{
	return sieve_fail(r, n, "there is no list \"%.*s\"",
	    (int)(name.len < 128 ? name.len : 128), name.p);
}

/* --- :list, the match type -------------------------------------------------------------------- */

static void
check_match(struct sieve_compile *c, struct sieve_node *n, struct sieve_match *m)
{
	if (m->comparator_given)
		sieve_error(c, n, "':list' cannot be used with ':comparator'");
	check_names(c, m->keys);
}

static enum sieve_step
value(struct sieve_matching *m, struct span v)
{
	enum sieve_step all = SIEVE_NEXT;

	for (size_t i = 0; i < m->n_keys && !m->hit && all != SIEVE_ERROR; i++) {
		struct sieve_reply reply;
		bool known = false;
		enum sieve_step step = ask_list(m->run, m->node, m->keys[i], &known);

		if (step == SIEVE_NEXT && !known)
			return no_list(m->run, m->node, m->keys[i]);
		if (step == SIEVE_NEXT)
			step = sieve_ask(m->run, m->node, SIEVE_ASK_MEMBER,
			    whole(m->run, m->keys[i]), v, &reply);
		if (step != SIEVE_NEXT)
			all = step;
		else if (reply.yes)
			sieve_matching_hit(m, v, i);
	}
	if (!m->hit)
		return all;
	if (sieve_captures(m->run))
		sieve_set_captures(m->run, &v, 1);
	return SIEVE_NEXT;
}

static const struct sieve_match_type match_types[] = {
	{ .name = "list", .any_comparator = true, .check = check_match, .value = value },
	{ 0 }
};

/* --- redirect :list --------------------------------------------------------------------------- */

/* RFC 6134 2.3: an error where a list cannot be enumerated: ours are asked for one member. */
static void
check_redirect(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	(void)n;
	sieve_error_at(c, t->line, t->column, "redirect cannot send to the members of a list here: "
	    "lists can be asked for one member, not for all");
}

static const struct sieve_tag tags[] = {
	{ .name = "list", .on = "redirect", .check = check_redirect },
	{ 0 }
};

/* --- valid_ext_list --------------------------------------------------------------------------- */

static enum sieve_step
valid_ext_list(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	const struct span *v = sieve_strings(r, &n->args[0].s);
	enum sieve_step all = SIEVE_NEXT;

	*yes = true;
	for (size_t i = 0; i < n->args[0].s.n && *yes && all != SIEVE_ERROR; i++) {
		bool known;
		enum sieve_step step = ask_list(r, n, v[i], &known);

		if (step == SIEVE_NEXT)
			*yes = known;
		else
			all = step;
	}
	return *yes ? all : SIEVE_NEXT;
}

static const struct sieve_word words[] = {
	{ .kind = SIEVE_TEST, .name = "valid_ext_list", .args = "S", .test = valid_ext_list },
	{ 0 }
};

const struct sieve_ext sieve_ext_extlists = {
	.name = "extlists", .needs = SIEVE_OFFER_LISTS, .words = words, .tags = tags,
	.match_types = match_types
};
