/* fileinto (RFC 5228 4.1) and copy (RFC 3894).  Also models: an extension that adds an action, and one
 * that adds a tag to the actions of others. */
#include "sieve/ext.h"
#include "sieve/extensions.h"

static void
check(struct sieve_compile *c, struct sieve_node *n)
{
	sieve_c_mailbox(c, &n->args[0].s.v[0]);
}

static enum sieve_step
fileinto(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_action *a = sieve_action_new(r, n, SIEVE_STORE);

	a->store.mailbox = sieve_string(r, &n->args[0].s.v[0]);
	if (!sieve_mailbox_ok(r, n, a->store.mailbox))
		return SIEVE_ERROR;
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
