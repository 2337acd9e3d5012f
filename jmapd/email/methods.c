#include "jmapd/email/methods.h"

#include "jmapd/methods.h"

const struct jmap_method jmap_email_methods[] = {
	{ "Email/get", JMAP_MAIL, email_get, 0 },
	{ "Email/parse", JMAP_MAIL, email_parse, 0 },
	{ "Email/set", JMAP_MAIL, email_set, JMAP_WRITES },
	{ "Email/import", JMAP_MAIL, email_import, JMAP_WRITES },
	{ "Email/copy", JMAP_MAIL, email_copy, JMAP_WRITES | JMAP_FROM_ACCOUNT },
	{ 0 }
};
