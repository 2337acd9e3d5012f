/* vacation (RFC 5230) and vacation-seconds (RFC 6131).  Who gets an answer is settled here; that nobody
 * gets it twice is a condition of the result.  sieve/compose.c makes the answer. */
#include <string.h>

#include "common/crypto/digest.h"
#include "sieve/ext.h"
#include "sieve/extensions.h"
#include "sieve/mailto.h"

#define DAY_S 86400u

enum { DAYS, SUBJECT, FROM, ADDRESSES, MIME, HANDLE };

/* --- compiling -------------------------------------------------------------------------------- */

/* A list of mailboxes (RFC 5322 3.4), all of them good. */
static bool
is_mailboxes(struct arena *a, struct span s)
{
	struct mime_addr *v = NULL;
	size_t n = mime_addresses(a, s, &v);

	for (size_t i = 0; i < n; i++)
		if (!sieve_address_ok(&v[i]))
			return false;
	return n > 0;
}

static void
check_from(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	const struct sieve_string *s = &t->value.s.v[0];
	struct arena a = { 0 };

	(void)n;
	if (sieve_constant(s) && !is_mailboxes(&a, s->text))
		sieve_error_at(c, s->line, s->column,
		    "\"%.*s\" is no address: expected one like \"name@example.com\"",
		    (int)(s->text.len < 80 ? s->text.len : 80), s->text.p);
	arena_fini(&a);
}

static void
check_addresses(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	(void)n;
	for (size_t i = 0; i < t->value.s.n; i++)
		sieve_c_address(c, &t->value.s.v[i]);
}

static void
check_period(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	const struct sieve_settings *s = sieve_c_settings(c);
	bool days = strcmp(t->tag->name, "days") == 0;
	uint64_t max = s->vacation_max_s != 0 ? s->vacation_max_s : 90 * DAY_S;

	(void)n;
	if (t->value.number > max / (days ? DAY_S : 1))
		sieve_warn(c, n, "':%s' is more than the server allows: at most %llu seconds "
		    "pass between two answers", t->tag->name, (unsigned long long)max);
}

static const struct sieve_tag tags[] = {
	[DAYS] = { .name = "days", .on = "vacation", .value = 'n', .check = check_period },
	[SUBJECT] = { .name = "subject", .on = "vacation", .value = 's' },
	[FROM] = { .name = "from", .on = "vacation", .value = 's', .check = check_from },
	[ADDRESSES] = { .name = "addresses", .on = "vacation", .value = 'S',
	    .check = check_addresses },
	[MIME] = { .name = "mime", .on = "vacation" },
	[HANDLE] = { .name = "handle", .on = "vacation", .value = 's' },
	{ 0 }
};

static void
check_seconds(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	if (sieve_tag(n, &tags[DAYS]) != NULL)
		sieve_error_at(c, t->line, t->column, "':seconds' and ':days' cannot stand together");
	check_period(c, n, t);
}

static const struct sieve_tag seconds_tags[] = {
	{ .name = "seconds", .on = "vacation", .value = 'n', .check = check_seconds },
	{ 0 }
};

/* RFC 5230 5: no 8-bit text in the header of a MIME entity. */
static void
check(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_string *reason = &n->args[0].s.v[0];
	struct span rest = reason->text;

	if (sieve_tag(n, &tags[MIME]) == NULL || !sieve_constant(reason))
		return;
	while (rest.len > 0) {
		struct span line = span_trim(span_cut(&rest, '\n'));

		if (line.len == 0)
			return;
		for (size_t i = 0; i < line.len; i++) {
			if ((unsigned char)line.p[i] >= 0x80) {
				sieve_error_at(c, reason->line, reason->column, "the header of the MIME "
				    "text has characters that are not ASCII");
				return;
			}
		}
	}
}

/* --- who gets an answer ----------------------------------------------------------------------- */

/* Addresses that are known to be of programs (RFC 5230 4.6); "*" stands at one end only. */
static const char *const automata[] = {
	"mailer-daemon", "listserv", "majordomo", "noreply", "no-reply", "donotreply", "do-not-reply",
	"owner-*", "*-request", "*-owner", "*-bounces", "bounce-*", "*-relay", NULL
};

static bool
is_automaton(struct span address)
{
	size_t at = address.len;
	struct span local;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	local = span_sub(address, 0, at > 0 ? at - 1 : address.len);
	for (size_t i = 0; automata[i] != NULL; i++) {
		struct span p = span_str(automata[i]);
		bool head = p.p[p.len - 1] == '*', tail = p.p[0] == '*';

		p = span_sub(p, tail ? 1 : 0, p.len - (head || tail ? 1 : 0));
		if (local.len < p.len || (!head && !tail && local.len != p.len))
			continue;
		if (span_caseeq(tail ? span_sub(local, local.len - p.len, p.len) :
		    span_sub(local, 0, p.len), p))
			return true;
	}
	return false;
}

static bool
has_field(struct sieve_header *h, const char *name)
{
	struct span s = span_str(name);

	return sieve_header_find(h, s, sieve_name_hash(s)) != NULL;
}

/* Is one of the words (parted by commas, blanks, ";") in a field of that name? */
static bool
field_says(struct sieve_header *h, const char *name, const char *const *words)
{
	struct span s = span_str(name);
	struct sieve_field *f = sieve_header_find(h, s, sieve_name_hash(s));

	for (; f != NULL; f = f->same) {
		struct span text = sieve_field_text(h, f);

		for (size_t i = 0, n; i < text.len; i += n + 1) {
			for (n = 0; i + n < text.len && strchr(", ;\t", text.p[i + n]) == NULL; n++)
				;
			for (size_t k = 0; words[k] != NULL; k++)
				if (span_caseeq_str(span_sub(text, i, n), words[k]))
					return true;
		}
	}
	return false;
}

bool
sieve_auto_submitted(struct sieve_header *h)
{
	struct span name = SPAN_LIT("auto-submitted");
	struct sieve_field *f = sieve_header_find(h, name, sieve_name_hash(name));

	for (; f != NULL; f = f->same) {
		struct span text = sieve_field_text(h, f);

		text = span_trim(span_cut(&text, ';'));
		if (!span_caseeq_str(text, "no"))
			return true;
	}
	return false;
}

/* RFC 5230 4.6, RFC 3834 2. */
static bool
is_automatic(struct sieve_header *h)
{
	static const char *const lists[] = { "list-id", "list-help", "list-subscribe",
	    "list-unsubscribe", "list-post", "list-owner", "list-archive" };
	static const char *const bulk[] = { "bulk", "list", "junk", NULL };
	static const char *const suppressed[] = { "all", "oof", "autoreply", NULL };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (has_field(h, lists[i]))
			return true;
	return sieve_auto_submitted(h) || field_says(h, "precedence", bulk) ||
	    field_says(h, "x-auto-response-suppress", suppressed);
}

/* --- the user's addresses --------------------------------------------------------------------- */

#define OWN_ASKED	16u		/* addresses of a message that are asked for */

struct own {
	struct span	v[128];
	size_t		n;
};

static struct span
bare(struct span path)
{
	if (path.len >= 2 && path.p[0] == '<' && path.p[path.len - 1] == '>')
		return span_sub(path, 1, path.len - 2);
	return path;
}

static void
add_own(struct own *o, struct span s)
{
	if (s.len > 0 && o->n < sizeof(o->v) / sizeof(o->v[0]))
		o->v[o->n++] = s;
}

/* Those known of the user, the recipient, and those of the script. */
static void
find_own(struct sieve_run *r, const struct sieve_node *n, struct own *o)
{
	const struct sieve_env *env = sieve_env(r);
	const struct sieve_tagged *t = sieve_tag(n, &tags[ADDRESSES]);

	o->n = 0;
	for (size_t i = 0; i < env->n_addresses; i++)
		add_own(o, env->addresses[i]);
	add_own(o, bare(env->envelope.to));
	if (sieve_settings(r)->vacation_original_recipient)
		add_own(o, bare(env->envelope.orig_to));
	for (size_t i = 0; t != NULL && i < t->value.s.n; i++) {
		struct span text = sieve_string(r, &t->value.s.v[i]), address;

		if (sieve_address(text, &address))
			add_own(o, address);
	}
}

static bool
is_own(const struct own *o, struct span address)
{
	for (size_t i = 0; i < o->n; i++)
		if (span_caseeq(o->v[i], address))
			return true;
	return false;
}

/* The first one of a field that is known as the user's own; p NULL: none.  Others are noted, a few of them. */
static struct span
own_of(struct sieve_run *r, struct sieve_header *h, struct sieve_field *f, const struct own *o,
    struct own *others)
{
	const struct mime_addr *v;
	size_t n = sieve_field_addrs(h, f, &v);

	for (size_t k = 0; k < n; k++) {
		struct span s;

		if (!sieve_address_ok(&v[k]))
			continue;
		s = sieve_address_text(r, &v[k]);
		if (is_own(o, s))
			return s;
		if (others->n < OWN_ASKED && !is_own(others, s))
			add_own(others, s);
	}
	return SPAN_NONE;
}

/* All at once: the answers come together. */
static enum sieve_step
ask_own(struct sieve_run *r, const struct sieve_node *n, const struct own *others, struct span *own)
{
	enum sieve_step step = SIEVE_NEXT;
	struct sieve_reply reply;

	for (size_t i = 0; i < others->n && sieve_env(r)->asks_own; i++) {
		enum sieve_step one = sieve_ask(r, n, SIEVE_ASK_OWN, SPAN_NONE, others->v[i], &reply);

		if (one != SIEVE_NEXT)
			step = one;
		else if (reply.yes && own->p == NULL)
			*own = others->v[i];
		if (one == SIEVE_ERROR)
			break;
	}
	return step;
}

/* Own address that the message was sent to (RFC 5230 4.5); p NULL: none. */
static enum sieve_step
addressed_to(struct sieve_run *r, const struct sieve_node *n, struct sieve_header *h,
    const struct own *o, struct span *own)
{
	static const char *const fields[] = { "to", "cc", "bcc", "resent-to", "resent-cc",
	    "resent-bcc" };
	struct own others = { .n = 0 };

	*own = SPAN_NONE;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct span name = span_str(fields[i]);
		struct sieve_field *f = sieve_header_find(h, name, sieve_name_hash(name));

		for (; f != NULL && own->p == NULL; f = f->same)
			*own = own_of(r, h, f, o, &others);
	}
	return own->p != NULL ? SIEVE_NEXT : ask_own(r, n, &others, own);
}

/* --- the answer ------------------------------------------------------------------------------- */

static struct span
tag_string(struct sieve_run *r, const struct sieve_node *n, int which)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[which]);

	return t != NULL ? sieve_string(r, &t->value.s.v[0]) : SPAN_NONE;
}

static void
add_part(struct digest *d, struct span s)
{
	unsigned char n[8];

	for (unsigned i = 0; i < 8; i++)
		n[i] = (unsigned char)((uint64_t)s.len >> 8 * i);
	digest_add(d, s.p != NULL ? "+" : "-", 1);
	digest_add(d, n, sizeof(n));
	digest_add(d, s.p != NULL ? s.p : "", s.len);
}

/* As it stands in the script: variables are not looked at (RFC 5230 4.2). */
static void
add_written(struct digest *d, const struct sieve_node *n, int which)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[which]);

	add_part(d, t != NULL ? t->value.s.v[0].text : SPAN_NONE);
}

static void
make_key(struct sieve_run *r, const struct sieve_node *n, struct span to, unsigned char *key)
{
	struct digest *d = digest_new(DIGEST_SHA256);
	char *lower = sieve_alloc(r, to.len + 1);

	for (size_t i = 0; i < to.len; i++)
		lower[i] = ascii_lower(to.p[i]);
	add_part(d, SPAN_LIT("sieve vacation"));
	add_part(d, span(lower, to.len));
	add_written(d, n, HANDLE);
	if (sieve_tag(n, &tags[HANDLE]) == NULL) {
		add_written(d, n, SUBJECT);
		add_written(d, n, FROM);
		add_part(d, sieve_tag(n, &tags[MIME]) != NULL ? SPAN_LIT("mime") : SPAN_NONE);
		add_part(d, n->args[0].s.v[0].text);
	}
	digest_done(d, key);
	digest_free(&d);
}

/* RFC 5230 4.1, RFC 6131 2.  0: every message is answered. */
static uint32_t
period(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_settings *s = sieve_settings(r);
	const struct sieve_tagged *days = sieve_tag(n, &tags[DAYS]);
	const struct sieve_tagged *seconds = sieve_tag(n, &seconds_tags[0]);
	uint64_t max = s->vacation_max_s != 0 ? s->vacation_max_s : 90 * DAY_S;
	uint64_t min = s->vacation_min_s;
	uint64_t v = s->vacation_default_s != 0 ? s->vacation_default_s : 7 * DAY_S;

	if (days != NULL)
		v = days->value.number < max / DAY_S ? days->value.number * DAY_S : max;
	if (days != NULL && v == 0)
		v = DAY_S;
	if (seconds != NULL)
		v = seconds->value.number;
	v = v < min ? min : v;
	return (uint32_t)(v > max ? max : v);
}

static void
from_template(const char *template, struct span subject, struct buf *out)
{
	struct span rest = span_str(template != NULL && *template != '\0' ? template :
	    "Auto: %{subject}");

	while (rest.len > 0) {
		if (span_has_prefix(rest, "%{subject}")) {
			buf_add_span(out, subject);
			rest = span_sub(rest, strlen("%{subject}"), rest.len);
		} else {
			buf_add_c(out, rest.p[0]);
			rest = span_sub(rest, 1, rest.len);
		}
	}
}

static struct span
subject(struct sieve_run *r, const struct sieve_node *n, struct sieve_header *h)
{
	struct span given = tag_string(r, n, SUBJECT), name = SPAN_LIT("subject");
	struct sieve_field *f = sieve_header_find(h, name, sieve_name_hash(name));
	struct buf b = { 0 };

	if (given.p != NULL)
		return given;
	if (f == NULL || sieve_field_text(h, f).len == 0) {
		const char *fixed = sieve_settings(r)->vacation_subject;

		return span_str(fixed != NULL && *fixed != '\0' ? fixed : "Automated reply");
	}
	from_template(sieve_settings(r)->vacation_template, sieve_field_text(h, f), &b);
	given = sieve_span(r, buf_span(&b));
	buf_fini(&b);
	return given;
}

/* Whom the header names as the sender; p NULL: nobody. */
static struct span
header_sender(struct sieve_run *r, struct sieve_header *h)
{
	static const char *const fields[] = { "sender", "resent-from", "from" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct span name = span_str(fields[i]);
		struct sieve_field *f = sieve_header_find(h, name, sieve_name_hash(name));
		const struct mime_addr *v;

		if (f != NULL && sieve_field_addrs(h, f, &v) > 0 && sieve_address_ok(v))
			return sieve_address_text(r, v);
	}
	return SPAN_NONE;
}

static enum sieve_step
answer(struct sieve_run *r, const struct sieve_node *n, struct span to, struct span own)
{
	struct sieve_condition c = { .ask = SIEVE_ASK_VACATION, .remember_s = period(r, n) };
	struct sieve_action *a = sieve_action_new(r, n, SIEVE_VACATION);
	struct sieve_reply reply = { 0 };
	enum sieve_step step = SIEVE_NEXT;

	make_key(r, n, to, c.key);
	if (c.remember_s > 0)
		step = sieve_ask(r, n, SIEVE_ASK_VACATION, SPAN_NONE,
		    span(c.key, sizeof(c.key)), &reply);
	if (step != SIEVE_NEXT || reply.yes)
		return step;
	a->vacation.to = to;
	a->vacation.from = tag_string(r, n, FROM);
	if (a->vacation.from.p == NULL || !is_mailboxes(sieve_arena(r), a->vacation.from))
		a->vacation.from = own;
	a->vacation.subject = subject(r, n, sieve_message_header(sieve_message(r)));
	a->vacation.text = sieve_string(r, &n->args[0].s.v[0]);
	a->vacation.mime = sieve_tag(n, &tags[MIME]) != NULL;
	if (sieve_settings(r)->vacation_to_header)
		a->vacation.header_to = header_sender(r, sieve_message_header(sieve_message(r)));
	if (sieve_settings(r)->vacation_from_recipient)
		a->vacation.sender = bare(sieve_env(r)->envelope.to);
	step = sieve_act(r, n, &a);
	if (step == SIEVE_NEXT && c.remember_s > 0)
		sieve_condition(r, &c);
	return step == SIEVE_NEXT ? sieve_fcc(r, n, a) : step;
}

struct state {
	const struct sieve_script	*ran_in;
	uint32_t			resets;
};

static enum sieve_step
vacation(struct sieve_run *r, const struct sieve_node *n)
{
	struct state *st = sieve_run_state(r, &sieve_ext_vacation, sizeof(*st));
	struct sieve_header *h = sieve_message_header(sieve_message_root(sieve_message(r)));
	struct span to = bare(sieve_env(r)->envelope.from), own;
	enum sieve_step step;
	struct own o;
	size_t count;
	struct sieve_action **v = sieve_actions(r, &count);

	if (st->ran_in == sieve_top_script(r) && st->resets == sieve_actions_resets(r))
		return sieve_fail(r, n, "'vacation' can only run once");
	st->ran_in = sieve_top_script(r);
	st->resets = sieve_actions_resets(r);
	for (size_t i = 0; i < count; i++)
		if (v[i]->kind == SIEVE_REJECT)
			return sieve_fail(r, n, "'vacation' is not possible after '%s' in line %u",
			    v[i]->reject.ereject ? "ereject" : "reject", v[i]->line);
	find_own(r, n, &o);
	if (to.len == 0 || is_automaton(to) || is_own(&o, to) || is_automatic(h))
		return SIEVE_NEXT;
	step = addressed_to(r, n, h, &o, &own);
	if (step != SIEVE_NEXT)
		return step;
	if (own.p == NULL && !sieve_settings(r)->vacation_any_recipient)
		return SIEVE_NEXT;
	return answer(r, n, to, own);
}

static const struct sieve_word words[] = {
	{ .kind = SIEVE_COMMAND, .name = "vacation", .args = "s", .flags = SIEVE_WORD_ACTION,
	    .check = check, .run = vacation },
	{ 0 }
};

const struct sieve_ext sieve_ext_vacation = {
	.name = "vacation", .flags = SIEVE_EXT_DELIVERY,
	.needs = SIEVE_OFFER_OUTGOING | SIEVE_OFFER_MARKS, .words = words, .tags = tags
};

const struct sieve_ext sieve_ext_vacation_seconds = {
	.name = "vacation-seconds", .flags = SIEVE_EXT_DELIVERY,
	.needs = SIEVE_OFFER_OUTGOING | SIEVE_OFFER_MARKS,
	.implies = "vacation", .tags = seconds_tags
};
