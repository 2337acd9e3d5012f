/* fileinto (RFC 5228 4.1) and copy (RFC 3894).  Also models: an extension that adds an action, and one
 * that adds a tag to the actions of others. */
#include "sieve/ext.h"
#include "sieve/extensions.h"

static void
check(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_string *name = &n->args[0].s.v[0];

	if (sieve_constant(name) && name->text.len == 0)
		sieve_error_at(c, name->line, name->column, "the name of the mailbox is empty");
}

static enum sieve_step
fileinto(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_action *a = sieve_action_new(r, n, SIEVE_STORE);

	a->store.mailbox = sieve_string(r, &n->args[0].s.v[0]);
	if (a->store.mailbox.len == 0)
		return sieve_fail(r, n, "the name of the mailbox is empty");
	return sieve_act(r, n, &a);
}

static const struct sieve_word words[] = {
	{ .kind = SIEVE_COMMAND, .name = "fileinto", .args = "s", .flags = SIEVE_WORD_ACTION,
	    .check = check, .run = fileinto },
	{ 0 }
};

const struct sieve_ext sieve_ext_fileinto = { .name = "fileinto", .words = words };

static enum sieve_step
copy(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_action *a)
{
	(void)r;
	(void)n;
	(void)t;
	a->copy = true;
	return SIEVE_NEXT;
}

static const struct sieve_tag tags[] = {
	{ .name = "copy", .on = "fileinto redirect", .act = copy },
	{ 0 }
};

const struct sieve_ext sieve_ext_copy = { .name = "copy", .tags = tags };
