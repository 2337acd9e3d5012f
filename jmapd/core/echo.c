/* Core/echo (RFC 8620 §4). */
#include "common/json/put.h"
#include "jmapd/methods.h"

static void
echo(struct jmap_call *c)
{
	json_put(c->out, c->args);
	jmap_call_done(c);
}

const struct jmap_method jmap_core_methods[] = {
	{ "Core/echo", JMAP_CORE, echo, JMAP_NO_ACCOUNT },
	{ 0 }
};
