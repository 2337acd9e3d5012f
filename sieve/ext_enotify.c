/* enotify (RFC 5435) with mailto (RFC 5436), the one method there is.  sieve/compose.c makes the
 * message. */
#include <string.h>

#include "sieve/ext.h"
#include "sieve/extensions.h"
#include "sieve/mailto.h"

enum { FROM, IMPORTANCE, OPTIONS, MESSAGE };

/* NULL: a notification can be sent to it. */
static const char *
what_is_wrong(struct arena *a, struct span uri)
{
	struct sieve_mailto m;

	if (!span_has_caseprefix(uri, "mailto:"))
		return "only \"mailto:\" is known here";
	return sieve_mailto_parse(a, uri, &m);
}

/* --- compiling -------------------------------------------------------------------------------- */

static void
check_from(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	(void)n;
	sieve_c_address(c, &t->value.s.v[0]);
}

static bool
is_importance(struct span s)
{
	return s.len == 1 && s.p[0] >= '1' && s.p[0] <= '3';
}

static void
check_importance(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	const struct sieve_string *s = &t->value.s.v[0];

	(void)n;
	if (sieve_constant(s) && !is_importance(s->text))
		sieve_error_at(c, s->line, s->column, "\"%.*s\" is no importance: expected \"1\" "
		    "(high), \"2\" or \"3\" (low)", (int)(s->text.len < 32 ? s->text.len : 32),
		    s->text.p);
}

/* RFC 5435 3.5: name=value. */
static bool
is_option(struct span s)
{
	size_t eq = span_find(s, '=');

	if (eq == 0 || eq == s.len || !ascii_isalnum((unsigned char)s.p[0]))
		return false;
	for (size_t i = 0; i < eq; i++)
		if (!ascii_isalnum((unsigned char)s.p[i]) && strchr(".-_", s.p[i]) == NULL)
			return false;
	for (size_t i = eq + 1; i < s.len; i++)
		if (s.p[i] == '\0' || s.p[i] == '\n' || s.p[i] == '\r')
			return false;
	return true;
}

static void
check_options(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	(void)n;
	for (size_t i = 0; i < t->value.s.n; i++) {
		const struct sieve_string *s = &t->value.s.v[i];

		if (sieve_constant(s) && !is_option(s->text))
			sieve_error_at(c, s->line, s->column,
			    "an option is written \"name=value\"");
	}
}

static const struct sieve_tag tags[] = {
	[FROM] = { .name = "from", .on = "notify", .value = 's', .check = check_from },
	[IMPORTANCE] = { .name = "importance", .on = "notify", .value = 's',
	    .check = check_importance },
	[OPTIONS] = { .name = "options", .on = "notify", .value = 'S', .check = check_options },
	[MESSAGE] = { .name = "message", .on = "notify", .value = 's' },
	{ 0 }
};

static void
check_notify(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_string *s = &n->args[0].s.v[0];
	struct arena a = { 0 };
	const char *why;

	if (sieve_c_limits(c)->outgoing == 0)
		sieve_error(c, n, "local policy prohibits the use of a notify action");
	if (!sieve_constant(s))
		return;
	why = what_is_wrong(&a, s->text);
	if (why != NULL)
		sieve_error_at(c, s->line, s->column, "\"%.*s\" cannot be notified: %s",
		    (int)(s->text.len < 80 ? s->text.len : 80), s->text.p, why);
	arena_fini(&a);
}

/* --- notify ----------------------------------------------------------------------------------- */

static struct span
tag_string(struct sieve_run *r, const struct sieve_node *n, int which)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[which]);

	return t != NULL ? sieve_string(r, &t->value.s.v[0]) : SPAN_NONE;
}

static bool
same(struct span a, struct span b)
{
	return (a.p == NULL) == (b.p == NULL) && span_eq(a, b);
}

/* RFC 5436 2.7: nobody is told the same thing twice. */
static bool
is_told(struct sieve_run *r, const struct sieve_notify *a)
{
	size_t n;
	struct sieve_action **v = sieve_actions(r, &n);

	for (size_t i = 0; i < n; i++)
		if (v[i]->kind == SIEVE_NOTIFY && same(v[i]->notify.method, a->method) &&
		    same(v[i]->notify.message, a->message) && same(v[i]->notify.from, a->from))
			return true;
	return false;
}

/* Of the same domain as the user's address. */
static struct span
postmaster(struct sieve_run *r)
{
	const struct sieve_env *env = sieve_env(r);
	struct span own = env->n_addresses > 0 ? env->addresses[0] : env->envelope.to;
	struct buf b = { 0 };
	struct span s;

	buf_add_str(&b, "postmaster@");
	span_cut(&own, '@');
	buf_add_span(&b, own.len > 0 ? own : SPAN_LIT("localhost"));
	s = sieve_span(r, buf_span(&b));
	buf_fini(&b);
	return s;
}

static struct span
sender(struct sieve_run *r, const struct sieve_notify *a)
{
	const struct sieve_env *env = sieve_env(r);

	switch (sieve_settings(r)->notify_sender) {
	case SIEVE_NOTIFY_FROM_SENDER:
		return env->envelope.from;
	case SIEVE_NOTIFY_FROM_RECIPIENT:
		return env->envelope.to;
	case SIEVE_NOTIFY_FROM_USER:
		return env->n_addresses > 0 ? env->addresses[0] : SPAN_NONE;
	case SIEVE_NOTIFY_FROM_POSTMASTER:
		return a->from.len == 0 ? postmaster(r) : SPAN_NONE;
	case SIEVE_NOTIFY_FROM_SCRIPT:
		break;
	}
	return SPAN_NONE;
}

/* One more: is it allowed? */
static enum sieve_step
check_number(struct sieve_run *r, const struct sieve_node *n)
{
	uint32_t max = sieve_limits(r)->outgoing, have = 0;
	size_t count;
	struct sieve_action **v = sieve_actions(r, &count);

	if (max == 0)
		return sieve_fail(r, n, "local policy prohibits the use of a notify action");
	for (size_t i = 0; i < count; i++)
		have += v[i]->kind == SIEVE_NOTIFY;
	if (have >= max && count < sieve_limits(r)->actions)
		return sieve_fail(r, n, "number of notify actions exceeds policy limit: "
		    "at most %u are allowed", max);
	return SIEVE_NEXT;
}

static enum sieve_step
notify(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_action *a = sieve_action_new(r, n, SIEVE_NOTIFY);
	const struct sieve_tagged *options = sieve_tag(n, &tags[OPTIONS]);
	const char *why;
	enum sieve_step step;

	a->notify.method = sieve_string(r, &n->args[0].s.v[0]);
	why = what_is_wrong(sieve_arena(r), a->notify.method);
	if (why != NULL)
		return sieve_fail(r, n, "\"%.*s\" cannot be notified: %s",
		    (int)(a->notify.method.len < 80 ? a->notify.method.len : 80),
		    a->notify.method.p, why);
	a->notify.from = tag_string(r, n, FROM);
	a->notify.importance = tag_string(r, n, IMPORTANCE);
	if (!is_importance(a->notify.importance))
		a->notify.importance = SPAN_LIT("2");
	a->notify.message = tag_string(r, n, MESSAGE);
	if (options != NULL) {
		a->notify.options = sieve_strings(r, &options->value.s);
		a->notify.n_options = options->value.s.n;
	}
	a->notify.sender = sender(r, &a->notify);
	if (sieve_auto_submitted(sieve_message_header(sieve_message_root(sieve_message(r)))) ||
	    is_told(r, &a->notify))
		return SIEVE_NEXT;
	step = check_number(r, n);
	if (step == SIEVE_NEXT)
		step = sieve_act(r, n, &a);
	return step == SIEVE_NEXT ? sieve_fcc(r, n, a) : step;
}

/* --- tests ------------------------------------------------------------------------------------ */

static enum sieve_step
valid_notify_method(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	const struct span *v = sieve_strings(r, &n->args[0].s);

	*yes = true;
	for (size_t i = 0; i < n->args[0].s.n && *yes; i++)
		*yes = what_is_wrong(sieve_arena(r), v[i]) == NULL;
	return SIEVE_NEXT;
}

/* RFC 5435 5: "online"; RFC 8580 6.1: "fcc", for which a scheme is enough. */
static enum sieve_step
notify_method_capability(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	struct span uri = sieve_string(r, &n->args[0].s.v[0]);
	struct span item = sieve_string(r, &n->args[1].s.v[0]);
	struct span value = SPAN_NONE;
	struct sieve_matching m;
	enum sieve_step step;

	*yes = false;
	if (span_caseeq_str(item, "online") && what_is_wrong(sieve_arena(r), uri) == NULL)
		value = SPAN_LIT("maybe");
	else if (span_caseeq_str(item, "fcc") && sieve_required(r, "fcc") &&
	    span_has_caseprefix(uri, "mailto:"))
		value = SPAN_LIT("yes");
	if (value.p == NULL)
		return SIEVE_NEXT;
	step = sieve_matching_begin(r, n, &m);
	if (step == SIEVE_NEXT)
		step = sieve_matching_value(&m, value);
	return sieve_matching_end(&m, step, yes);
}

/* --- :encodeurl ------------------------------------------------------------------------------- */

static bool
is_unreserved(unsigned char ch)
{
	return ascii_isalnum(ch) || (ch != '\0' && strchr("-._~", ch) != NULL);
}

/* What is too long ends before a character, and not in its escapes. */
static void
encodeurl(struct sieve_run *r, const struct sieve_tagged *t, struct span in, struct buf *out)
{
	(void)t;
	for (size_t i = 0, n; i < in.len; i += n) {
		for (n = 1; i + n < in.len && ((unsigned char)in.p[i + n] & 0xC0) == 0x80; n++)
			;
		if (n == 1 && is_unreserved((unsigned char)in.p[i])) {
			buf_add_c(out, in.p[i]);
			continue;
		}
		if (out->len + 3 * n > sieve_limits(r)->variable_bytes)
			return;
		for (size_t k = i; k < i + n; k++)
			buf_addf(out, "%%%02X", (unsigned char)in.p[k]);
	}
}

static const struct sieve_modifier modifiers[] = {
	{ .name = "encodeurl", .precedence = 15, .apply = encodeurl },
	{ 0 }
};

static const struct sieve_word words[] = {
	{ .kind = SIEVE_COMMAND, .name = "notify", .args = "s", .flags = SIEVE_WORD_ACTION,
	    .check = check_notify, .run = notify },
	{ .kind = SIEVE_TEST, .name = "valid_notify_method", .args = "S",
	    .test = valid_notify_method },
	{ .kind = SIEVE_TEST, .name = "notify_method_capability", .args = "ssS",
	    .flags = SIEVE_WORD_MATCH, .test = notify_method_capability },
	{ 0 }
};

const struct sieve_ext sieve_ext_enotify = {
	.name = "enotify", .needs = SIEVE_OFFER_OUTGOING, .words = words, .tags = tags,
	.modifiers = modifiers
};
