/* mboxmetadata and servermetadata (RFC 5490 4 and 5): annotations of mailboxes and of the server
 * (RFC 5464). */
#include <string.h>

#include "common/mail/unicode.h"
#include "sieve/ext.h"
#include "sieve/extensions.h"

/* "/private/..." or "/shared/..." */
static bool
is_entry(struct span s)
{
	if (!span_has_caseprefix(s, "/private/") && !span_has_caseprefix(s, "/shared/"))
		return false;
	if (s.len > 256 || s.p[s.len - 1] == '/')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= 32 || s.p[i] >= 127 || s.p[i] == '*' || s.p[i] == '%' ||
		    (s.p[i] == '/' && i > 0 && s.p[i - 1] == '/'))
			return false;
	return true;
}

static void
warn_entries(struct sieve_compile *c, struct sieve_node *n, const struct sieve_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (sieve_constant(&s->v[i]) && !is_entry(s->v[i].text))
			sieve_warn(c, n, "\"%.*s\" is no name of an annotation: "
			    "this test is never true",
			    (int)(s->v[i].text.len < 64 ? s->v[i].text.len : 64), s->v[i].text.p);
}

/* Does the word look into a mailbox (its first argument)? */
static bool
of_mailbox(const struct sieve_node *n)
{
	return strncmp(n->word->name, "server", 6) != 0;
}

static void
check(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_string *mailbox = &n->args[0].s.v[0];

	if (of_mailbox(n) && sieve_constant(mailbox) && !unicode_is_utf8(mailbox->text))
		sieve_warn(c, n, "the name of the mailbox is not valid UTF-8: "
		    "this test is never true");
	warn_entries(c, n, &n->args[of_mailbox(n) ? 1 : 0].s);
}

/* reply.yes false: there is none, or its name is no name. */
static enum sieve_step
ask(struct sieve_run *r, const struct sieve_node *n, struct span entry, struct sieve_reply *reply)
{
	struct span mailbox = SPAN_NONE;

	*reply = (struct sieve_reply){ 0 };
	if (!is_entry(entry))
		return SIEVE_NEXT;
	if (!of_mailbox(n))
		return sieve_ask(r, n, SIEVE_ASK_SERVER_ANNOTATION, mailbox, entry, reply);
	mailbox = sieve_string(r, &n->args[0].s.v[0]);
	if (mailbox.len == 0 || !unicode_is_utf8(mailbox))
		return SIEVE_NEXT;
	return sieve_ask(r, n, SIEVE_ASK_MAILBOX_ANNOTATION, mailbox, entry, reply);
}

static enum sieve_step
exists(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	const struct sieve_strings *names = &n->args[of_mailbox(n) ? 1 : 0].s;
	const struct span *v = sieve_strings(r, names);
	enum sieve_step all = SIEVE_NEXT;

	*yes = true;
	for (size_t i = 0; i < names->n && *yes && all != SIEVE_ERROR; i++) {
		struct sieve_reply reply;
		enum sieve_step step = ask(r, n, v[i], &reply);

		if (step == SIEVE_NEXT)
			*yes = reply.yes;
		else
			all = step;
	}
	return *yes ? all : SIEVE_NEXT;
}

static enum sieve_step
metadata(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	struct sieve_reply reply;
	struct sieve_matching m;
	enum sieve_step step;

	*yes = false;
	step = ask(r, n, sieve_string(r, &n->args[of_mailbox(n) ? 1 : 0].s.v[0]), &reply);
	if (step != SIEVE_NEXT)
		return step;
	step = sieve_matching_begin(r, n, &m);
	if (step == SIEVE_NEXT && reply.yes)
		step = sieve_matching_value(&m, reply.text);
	return sieve_matching_end(&m, step, yes);
}

static const struct sieve_word mailbox_words[] = {
	{ .kind = SIEVE_TEST, .name = "metadata", .args = "ssS", .flags = SIEVE_WORD_MATCH,
	    .check = check, .test = metadata },
	{ .kind = SIEVE_TEST, .name = "metadataexists", .args = "sS", .check = check,
	    .test = exists },
	{ 0 }
};

static const struct sieve_word server_words[] = {
	{ .kind = SIEVE_TEST, .name = "servermetadata", .args = "sS", .flags = SIEVE_WORD_MATCH,
	    .check = check, .test = metadata },
	{ .kind = SIEVE_TEST, .name = "servermetadataexists", .args = "S", .check = check,
	    .test = exists },
	{ 0 }
};

const struct sieve_ext sieve_ext_mboxmetadata = {
	.name = "mboxmetadata", .needs = SIEVE_OFFER_ANNOTATIONS, .words = mailbox_words
};

const struct sieve_ext sieve_ext_servermetadata = {
	.name = "servermetadata", .needs = SIEVE_OFFER_ANNOTATIONS, .words = server_words
};
