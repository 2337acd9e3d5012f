/* mailbox (RFC 5490 3), special-use (RFC 8579) and mailboxid (RFC 9042): tests whether mailboxes are
 * there, and tags of fileinto that say which one is meant. */
#include <string.h>

#include "common/mail/unicode.h"
#include "sieve/ext.h"
#include "sieve/extensions.h"

/* --- what all of them check ------------------------------------------------------------------- */

bool
sieve_c_mailbox(struct sieve_compile *c, const struct sieve_string *s)
{
	if (!sieve_constant(s))
		return true;
	if (s->text.len == 0)
		sieve_error_at(c, s->line, s->column, "the name of the mailbox is empty");
	else if (!unicode_is_utf8(s->text))
		sieve_error_at(c, s->line, s->column, "invalid folder name: it is not valid UTF-8");
	else
		return true;
	return false;
}

bool
sieve_mailbox_ok(struct sieve_run *r, const struct sieve_node *n, struct span name)
{
	if (name.len == 0)
		sieve_fail(r, n, "the name of the mailbox is empty");
	else if (!unicode_is_utf8(name))
		sieve_fail(r, n, "invalid folder name: it is not valid UTF-8");
	else
		return true;
	return false;
}

static void
warn_mailboxes(struct sieve_compile *c, struct sieve_node *n, const struct sieve_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (sieve_constant(&s->v[i]) && !unicode_is_utf8(s->v[i].text))
			sieve_warn(c, n, "the name of the mailbox is not valid UTF-8: "
			    "this test is never true");
}

/* Are all of them?  Asks for all that is not known yet, so that one round is enough. */
static enum sieve_step
ask_all(struct sieve_run *r, const struct sieve_node *n, enum sieve_ask ask, struct span in,
    const struct sieve_strings *names, bool *yes)
{
	const struct span *v = sieve_strings(r, names);
	enum sieve_step all = SIEVE_NEXT;

	*yes = true;
	for (size_t i = 0; i < names->n && *yes && all != SIEVE_ERROR; i++) {
		struct sieve_reply reply;
		enum sieve_step step;

		if (v[i].len == 0 || !unicode_is_utf8(v[i])) {
			*yes = false;
			break;
		}
		step = sieve_ask(r, n, ask, in, v[i], &reply);
		if (step == SIEVE_NEXT)
			*yes = reply.yes;
		else
			all = step;
	}
	return *yes ? all : SIEVE_NEXT;
}

/* --- mailbox ---------------------------------------------------------------------------------- */

static void
check_exists(struct sieve_compile *c, struct sieve_node *n)
{
	warn_mailboxes(c, n, &n->args[0].s);
}

static enum sieve_step
mailboxexists(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	return ask_all(r, n, SIEVE_ASK_MAILBOX, SPAN_NONE, &n->args[0].s, yes);
}

static enum sieve_step
act_create(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_action *a)
{
	(void)r;
	(void)n;
	(void)t;
	if (a->kind == SIEVE_STORE)
		a->store.create = true;
	return SIEVE_NEXT;
}

static const struct sieve_word mailbox_words[] = {
	{ .kind = SIEVE_TEST, .name = "mailboxexists", .args = "S", .check = check_exists,
	    .test = mailboxexists },
	{ 0 }
};

static const struct sieve_tag mailbox_tags[] = {
	{ .name = "create", .on = "fileinto vacation notify", .check = sieve_c_fcc_tag,
	    .act = act_create },
	{ 0 }
};

const struct sieve_ext sieve_ext_mailbox = {
	.name = "mailbox", .needs = SIEVE_OFFER_MAILBOXES, .words = mailbox_words,
	.tags = mailbox_tags
};

/* --- special-use ------------------------------------------------------------------------------ */

/* RFC 6154: a backslash and an atom. */
static bool
is_use(struct span s)
{
	for (size_t i = 1; i < s.len; i++)
		if (s.p[i] <= 32 || s.p[i] >= 127 || strchr("(){%*\"\\]", s.p[i]) != NULL)
			return false;
	return s.len > 1 && s.p[0] == '\\';
}

static void
check_uses(struct sieve_compile *c, const struct sieve_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (sieve_constant(&s->v[i]) && !is_use(s->v[i].text))
			sieve_error_at(c, s->v[i].line, s->v[i].column,
			    "\"%.*s\" is no use of a mailbox: expected one like \"\\\\Junk\"",
			    (int)(s->v[i].text.len < 64 ? s->v[i].text.len : 64), s->v[i].text.p);
}

static void
check_use_exists(struct sieve_compile *c, struct sieve_node *n)
{
	if (n->n_args == 2)
		warn_mailboxes(c, n, &n->args[0].s);
	check_uses(c, &n->args[n->n_args - 1].s);
}

static enum sieve_step
specialuse_exists(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	struct span in = SPAN_NONE;

	if (n->n_args == 2) {
		in = sieve_string(r, &n->args[0].s.v[0]);
		if (in.len == 0 || !unicode_is_utf8(in)) {
			*yes = false;
			return SIEVE_NEXT;
		}
	}
	return ask_all(r, n, SIEVE_ASK_SPECIAL_USE, in, &n->args[n->n_args - 1].s, yes);
}

static void
check_use_tag(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	sieve_c_fcc_tag(c, n, t);
	check_uses(c, &t->value.s);
}

static enum sieve_step
act_use(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_action *a)
{
	struct span use;

	if (a->kind != SIEVE_STORE)
		return SIEVE_NEXT;
	use = sieve_string(r, &t->value.s.v[0]);
	if (!is_use(use))
		return sieve_fail(r, n, "\"%.*s\" is no use of a mailbox",
		    (int)(use.len < 64 ? use.len : 64), use.p);
	a->store.special_use = use;
	return SIEVE_NEXT;
}

static const struct sieve_word use_words[] = {
	{ .kind = SIEVE_TEST, .name = "specialuse_exists", .args = "sS|S",
	    .check = check_use_exists, .test = specialuse_exists },
	{ 0 }
};

static const struct sieve_tag use_tags[] = {
	{ .name = "specialuse", .on = "fileinto vacation notify", .value = 's',
	    .check = check_use_tag, .act = act_use },
	{ 0 }
};

const struct sieve_ext sieve_ext_special_use = {
	.name = "special-use", .needs = SIEVE_OFFER_MAILBOXES, .words = use_words,
	.tags = use_tags
};

/* --- mailboxid -------------------------------------------------------------------------------- */

static enum sieve_step
mailboxidexists(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	return ask_all(r, n, SIEVE_ASK_MAILBOX_ID, SPAN_NONE, &n->args[0].s, yes);
}

/* RFC 9042 4.3: one of the two says where. */
static void
check_id_tag(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	sieve_c_fcc_tag(c, n, t);
	if (sieve_tag(n, &use_tags[0]) != NULL)
		sieve_error_at(c, t->line, t->column,
		    "':mailboxid' and ':specialuse' cannot stand together");
}

static enum sieve_step
act_id(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_action *a)
{
	struct span id;

	(void)n;
	if (a->kind != SIEVE_STORE)
		return SIEVE_NEXT;
	id = sieve_string(r, &t->value.s.v[0]);
	if (id.len > 0)		/* an empty one names none: the mailbox is that of the name */
		a->store.mailbox_id = id;
	return SIEVE_NEXT;
}

static const struct sieve_word id_words[] = {
	{ .kind = SIEVE_TEST, .name = "mailboxidexists", .args = "S", .test = mailboxidexists },
	{ 0 }
};

static const struct sieve_tag id_tags[] = {
	{ .name = "mailboxid", .on = "fileinto vacation notify", .value = 's',
	    .check = check_id_tag, .act = act_id },
	{ 0 }
};

const struct sieve_ext sieve_ext_mailboxid = {
	.name = "mailboxid", .needs = SIEVE_OFFER_MAILBOXES, .words = id_words, .tags = id_tags
};
