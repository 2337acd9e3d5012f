/* Email/copy (RFC 8621 §4.7, RFC 8620 §5.4).  A login has one account, and a copy is between two: there
 * is none that could be copied from, which the request engine says, but the account itself, which
 * may not be. */
#include "jmapd/email/methods.h"

void
email_copy(struct jmap_call *c)
{
	if (jmap_arg_object(c, "create") == NULL)
		jmap_arg_bad(c, "create", "is missing");
	jmap_arg_string(c, "ifInState");
	jmap_arg_string(c, "ifFromInState");
	jmap_arg_bool(c, "onSuccessDestroyOriginal", false);
	jmap_arg_string(c, "destroyFromIfInState");
	if (!jmap_args_end(c))
		return;
	if (c->from_account == c->account)
		jmap_call_error(c, "invalidArguments",
		    "fromAccountId: it must be another account than accountId");
	else
		jmap_call_error(c, "fromAccountNotSupportedByMethod",
		    "Emails are copied within one login's accounts alone");
}
