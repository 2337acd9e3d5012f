#include "jmapd/core/changes.h"

#include "common/util/mem.h"

bool
jmap_changes_args(struct jmap_call *c, struct jmap_changes *ch)
{
	ch->since_text = jmap_arg_string(c, "sinceState");
	if (ch->since_text.p == NULL)
		jmap_arg_bad(c, "sinceState", "a state is required");
	ch->max = jmap_arg_uint(c, "maxChanges", UINT64_MAX);
	if (ch->max == 0)
		jmap_arg_bad(c, "maxChanges", "must be above 0");
	if (!jmap_args_end(c))
		return false;
	if (type_state_parse(ch->since_text, &ch->since))
		return true;
	jmap_changes_cannot(c, "sinceState is no state of this server");
	return false;
}

void
jmap_changes_cannot(struct jmap_call *c, const char *why)
{
	jmap_call_error(c, "cannotCalculateChanges", "%s: fetch everything anew", why);
}

static void
list(struct jmap_call *c, const char *name)
{
	json_key(c->out, name);
	json_begin_array(c->out);
}

void
jmap_changes_begin(struct jmap_call *c, const struct jmap_changes *ch, struct span now, bool more)
{
	json_begin_object(c->out);
	json_kv_string(c->out, "accountId", c->account->id);
	json_kv_string(c->out, "oldState", ch->since_text);
	json_kv_string(c->out, "newState", now);
	json_kv_bool(c->out, "hasMoreChanges", more);
	list(c, "created");
}

void
jmap_changes_updated(struct jmap_call *c)
{
	json_end_array(c->out);
	list(c, "updated");
}

void
jmap_changes_destroyed(struct jmap_call *c)
{
	json_end_array(c->out);
	list(c, "destroyed");
}

void
jmap_changes_lists_end(struct jmap_call *c)
{
	json_end_array(c->out);
}
