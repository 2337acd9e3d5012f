/* spamtest, spamtestplus, virustest (RFC 5235): what a checker before us wrote into a field that the
 * admin names (struct sieve_verdict). */
#include <string.h>

#include "common/util/mem.h"
#include "sieve/ext.h"
#include "sieve/extensions.h"
#include "sieve/regex.h"

static const struct sieve_tag tags[2];

#define WORK_MAX	1000000u		/* of one expression over one field */
#define MILLIONTH	INT64_C(1000000)	/* of one: numbers are in these */

/* --- what the field says ---------------------------------------------------------------------- */

/* The group of the expression in the text, or what matched; all of it without one. */
static bool
pick(struct sieve_run *r, struct span expression, struct span text, struct span *value)
{
	struct span captures[2] = { { NULL, 0 }, { NULL, 0 } };
	struct arena a = { 0 };
	struct sieve_regex *re;
	uint64_t work = WORK_MAX;
	char why[120];
	bool found;

	if (expression.len == 0) {
		*value = text;
		return true;
	}
	re = sieve_regex_new(&a, expression, false, why, NULL);
	found = re != NULL && sieve_regex_find(re, text, captures, 2, &work) == SIEVE_REGEX_YES;
	if (found)
		*value = sieve_span(r, span_trim(captures[captures[1].p != NULL]));
	arena_fini(&a);
	return found;
}

/* "Field" or "Field: expression" in the message as it came; of several the first, which is that of
 * the last checker. */
static bool
look_up(struct sieve_run *r, const char *where, struct span *value)
{
	struct sieve_header *h = sieve_message_header(sieve_message_root(sieve_message(r)));
	struct span expression = span_str(where), name = span_cut(&expression, ':');
	struct sieve_field *f = sieve_header_find(h, name, sieve_name_hash(name));

	return f != NULL && pick(r, span_trim(expression), sieve_field_text(h, f), value);
}

/* A decimal number in millionths. */
static bool
number(struct span s, int64_t *v)
{
	bool negative = s.len > 0 && s.p[0] == '-', any = false;
	int64_t unit = 0;

	*v = 0;
	for (size_t i = s.len > 0 && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0; i < s.len; i++) {
		if (s.p[i] == '.' && unit == 0) {
			unit = MILLIONTH;
		} else if (!ascii_isdigit((unsigned char)s.p[i])) {
			return false;
		} else if (unit > 0) {
			unit /= 10;
			*v += (s.p[i] - '0') * unit;
			unit = unit > 0 ? unit : 1;
			any = true;
		} else {
			if (*v > 1000000 * MILLIONTH)
				return false;
			*v = *v * 10 + (s.p[i] - '0') * MILLIONTH;
			any = true;
		}
	}
	if (negative)
		*v = -*v;
	return any;
}

/* "5.0", or a field. */
static bool
the_most(struct sieve_run *r, const char *max, int64_t *v)
{
	struct span s = span_trim(span_str(max != NULL ? max : "10"));

	if (s.len > 0 && !ascii_isdigit((unsigned char)s.p[0]) && !look_up(r, max, &s))
		return false;
	return number(s, v) && *v > 0;
}

/* "1 clean": the number before the text. */
static bool
by_text(const struct sieve_verdict *d, struct span text, uint32_t *n)
{
	for (const char *const *t = d->texts; t != NULL && *t != NULL; t++) {
		struct span rest = span_str(*t), digits = span_cut(&rest, ' ');

		if (span_caseeq(span_trim(rest), text) && span_u32(digits, n))
			return true;
	}
	return false;
}

/* How certain it is: part of whole. */
struct certainty {
	int64_t	part, whole;
};

/* false: not tested.  texts: how many there may be. */
static bool
certainty(struct sieve_run *r, const struct sieve_verdict *d, uint32_t texts, struct certainty *c)
{
	struct span value;
	uint32_t n;

	if (d->header == NULL || d->header[0] == '\0' || !look_up(r, d->header, &value))
		return false;
	if (d->kind == SIEVE_VERDICT_TEXT) {
		if (!by_text(d, span_trim(value), &n) || n == 0)
			return false;
		*c = (struct certainty){ n - 1, texts - 1 };
	} else {
		if (!the_most(r, d->max, &c->whole))
			return false;
		if (d->kind == SIEVE_VERDICT_LENGTH)
			c->part = (value.len < 1000000 ? (int64_t)value.len : 1000000) * MILLIONTH;
		else if (!number(value, &c->part))
			return false;
	}
	if (c->part < 0)
		c->part = 0;
	if (c->part > c->whole)
		c->part = c->whole;
	return true;
}

/* --- tests ----------------------------------------------------------------------------------- */

/* least: the value that means tested, and clear. */
static enum sieve_step
verdict(struct sieve_run *r, const struct sieve_node *n, const struct sieve_verdict *d,
    uint32_t texts, unsigned least, unsigned highest, bool *yes)
{
	struct sieve_matching m;
	enum sieve_step step = sieve_matching_begin(r, n, &m);
	struct certainty c;
	bool tested = certainty(r, d, texts, &c);
	struct buf b = { 0 };
	struct span text;

	buf_add_u64(&b, tested ? least + (uint64_t)((highest - least) * c.part / c.whole) : 0);
	text = sieve_span(r, buf_span(&b));
	buf_fini(&b);
	/* :count tells whether there was a test (3.1). */
	if (step == SIEVE_NEXT && (tested || n->match->type->value != NULL))
		step = sieve_matching_value(&m, text);
	return sieve_matching_end(&m, step, yes);
}

static enum sieve_step
spamtest(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	bool percent = sieve_tag(n, &tags[0]) != NULL;

	return verdict(r, n, &sieve_settings(r)->spam, 10, percent ? 0 : 1,
	    percent ? 100 : 10, yes);
}

static enum sieve_step
virustest(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	return verdict(r, n, &sieve_settings(r)->virus, 5, 1, 5, yes);
}

static const struct sieve_tag tags[2] = {
	{ .name = "percent", .on = "spamtest" },
	{ 0 }
};

static const struct sieve_word spam_words[] = {
	{ .kind = SIEVE_TEST, .name = "spamtest", .args = "s", .flags = SIEVE_WORD_MATCH,
	    .test = spamtest },
	{ 0 }
};
static const struct sieve_word virus_words[] = {
	{ .kind = SIEVE_TEST, .name = "virustest", .args = "s", .flags = SIEVE_WORD_MATCH,
	    .test = virustest },
	{ 0 }
};

const struct sieve_ext sieve_ext_spamtest = {
	.name = "spamtest", .words = spam_words
};
const struct sieve_ext sieve_ext_spamtestplus = {
	.name = "spamtestplus", .words = spam_words, .tags = tags
};
const struct sieve_ext sieve_ext_virustest = {
	.name = "virustest", .words = virus_words
};
