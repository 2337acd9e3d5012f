/* fcc (RFC 8580): vacation and notify file a copy of what they send.  The tags of fileinto that go
 * with it belong to the extensions that they come from. */
#include <string.h>

#include "sieve/ext.h"
#include "sieve/extensions.h"

static void
check(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	const struct sieve_string *s = &t->value.s.v[0];

	(void)n;
	sieve_c_mailbox(c, s);
}

static const struct sieve_tag tags[] = {
	{ .name = "fcc", .on = "vacation notify", .value = 's', .check = check },
	{ 0 }
};

void
sieve_c_fcc_tag(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	bool sends = strcmp(n->word->name, "vacation") == 0 || strcmp(n->word->name, "notify") == 0;

	if (sends && sieve_tag(n, &tags[0]) == NULL)
		sieve_error_at(c, t->line, t->column, "':%s' can only stand beside ':fcc' here",
		    t->tag->name);
}

enum sieve_step
sieve_fcc(struct sieve_run *r, const struct sieve_node *n, const struct sieve_action *of)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[0]);
	struct sieve_action *a;

	if (t == NULL)
		return SIEVE_NEXT;
	a = sieve_action_new(r, n, SIEVE_STORE);
	a->store.fcc_of = of;
	a->store.mailbox = sieve_string(r, &t->value.s.v[0]);
	if (!sieve_mailbox_ok(r, n, a->store.mailbox))
		return SIEVE_ERROR;
	return sieve_act(r, n, &a);
}

const struct sieve_ext sieve_ext_fcc = {
	.name = "fcc", .needs = SIEVE_OFFER_OUTGOING, .tags = tags
};
