/* imapsieve (RFC 6785): scripts that are run when something happens to a message that is there
 * already.  It has no words: it says that the script knows of such events. */
#include <string.h>

#include "common/util/mem.h"
#include "sieve/core.h"
#include "sieve/extensions.h"

bool
sieve_event_item(struct span name)
{
	static const char *const items[] = { "imap.user", "imap.email", "imap.cause", "imap.mailbox",
		"imap.changedflags" };

	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		if (span_caseeq_str(name, items[i]))
			return true;
	return false;
}

/* RFC 6785 3.11: named in require, whether used or not. */
enum sieve_step
sieve_event_check(struct sieve_run *r, const struct sieve_script *s, const struct sieve_node *n)
{
	if (!r->env->event)
		return SIEVE_NEXT;
	for (size_t i = 0; i < s->n_exts; i++)
		if ((s->exts[i]->flags & SIEVE_EXT_DELIVERY) != 0 && sieve_set_has(&s->required, i))
			return sieve_fail(r, n, "a script that requires \"%s\" cannot be run for an "
			    "event of IMAP: it answers mail that is delivered", s->exts[i]->name);
	return SIEVE_NEXT;
}

static void
finish(struct sieve_compile *c)
{
	for (size_t i = 0; i < c->script->n_exts; i++)
		if ((c->script->exts[i]->flags & SIEVE_EXT_DELIVERY) != 0 &&
		    c->required_at[i].line != 0)
			sieve_error_at(c, c->required_at[i].line, c->required_at[i].column,
			    "\"%s\" cannot be required together with \"imapsieve\": it answers mail "
			    "that is delivered, an event of IMAP is none", c->script->exts[i]->name);
}

const struct sieve_ext sieve_ext_imapsieve = {
	.name = "imapsieve", .needs = SIEVE_OFFER_IMAP, .finish = finish
};
