/* reject and ereject (RFC 5429).  What they exclude is known to the list of actions; how the message
 * is refused is the business of the one who runs the script. */
#include "sieve/ext.h"
#include "sieve/extensions.h"

static enum sieve_step
refuse(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_action *a = sieve_action_new(r, n, SIEVE_REJECT);

	a->reject.reason = sieve_string(r, &n->args[0].s.v[0]);
	a->reject.ereject = n->word->name[0] == 'e';
	return sieve_act(r, n, &a);
}

static const struct sieve_word reject_words[] = {
	{ .kind = SIEVE_COMMAND, .name = "reject", .args = "s", .flags = SIEVE_WORD_ACTION,
	    .run = refuse },
	{ 0 }
};

static const struct sieve_word ereject_words[] = {
	{ .kind = SIEVE_COMMAND, .name = "ereject", .args = "s", .flags = SIEVE_WORD_ACTION,
	    .run = refuse },
	{ 0 }
};

const struct sieve_ext sieve_ext_reject = {
	.name = "reject", .flags = SIEVE_EXT_DELIVERY, .needs = SIEVE_OFFER_OUTGOING, .words = reject_words
};

const struct sieve_ext sieve_ext_ereject = {
	.name = "ereject", .flags = SIEVE_EXT_DELIVERY, .needs = SIEVE_OFFER_OUTGOING, .words = ereject_words
};
