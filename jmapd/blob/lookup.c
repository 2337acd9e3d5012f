/* Blob/lookup (RFC 9404 §4.3) and Blob/copy (RFC 8620 §6.3). */
#include "common/util/mem.h"
#include "jmapd/blob/blob.h"
#include "jmapd/core/args.h"
#include "jmapd/core/get.h"
#include "jmapd/core/ids.h"

struct lookup {
	struct blobs_known	known;
	struct jmap_get		get;
	const struct json	*types;
};

static void
on_ended(struct jmap_call *c)
{
	blobs_known_fini(&((struct lookup *)c->state)->known);
}

static struct lookup *
begin(struct jmap_call *c)
{
	struct lookup *l = arena_zalloc(c->arena, sizeof(*l));

	c->state = l;
	c->ended = on_ended;
	return l;
}

/* ---- Blob/lookup ---- */

static void
put_mailboxes(struct jmap_call *c, struct mirror *m, const struct mirror_email *e)
{
	struct table told = { 0 };
	char id[JMAP_ID_MAX];
	uint64_t mailbox;
	uint32_t uid;

	for (unsigned i = 0; i < e->memberships; i++) {
		mirror_place(m, e->id, i, &mailbox, &uid);
		if (table_put_u64(&told, mailbox, c) == NULL)
			json_string(c->out, jmap_id(id, OBJECT_MAILBOX, mailbox));
	}
	table_fini(&told, NULL, NULL);
}

static void
put_matched(struct jmap_call *c, const struct lookup *l, const struct blob_id *id)
{
	struct mirror *m = jmap_call_mirror(c);
	struct mirror_email e;
	char text[JMAP_ID_MAX];
	struct span type = SPAN_NONE;
	bool found = id != NULL && id->kind == BLOB_EMAIL && mirror_get(m, id->number, &e);

	json_begin_object(c->out);
	for (size_t i = 0; i < json_count(l->types); i++) {
		json_as_string(json_item(l->types, i), &type);
		json_key_span(c->out, type);
		json_begin_array(c->out);
		if (found && span_eq_str(type, "Email"))
			json_string(c->out, jmap_id(text, OBJECT_EMAIL, e.id));
		else if (found && span_eq_str(type, "Thread"))
			json_string(c->out, jmap_id(text, OBJECT_THREAD, e.thread));
		else if (found)
			put_mailboxes(c, m, &e);
		json_end_array(c->out);
	}
	json_end_object(c->out);
}

static void
lookup_ready(struct jmap_call *c)
{
	struct lookup *l = c->state;
	struct blob_id id;

	json_begin_object(c->out);
	json_kv_string(c->out, "accountId", c->account->id);
	json_key(c->out, "list");
	json_begin_array(c->out);
	for (size_t i = 0; i < l->get.count; i++) {
		bool there = blobs_known_has(&l->known, l->get.ids[i], &id);

		if (!there)
			jmap_get_missing(&l->get, l->get.ids[i]);
		json_begin_object(c->out);
		json_kv_string(c->out, "id", l->get.ids[i]);
		json_key(c->out, "matchedIds");
		put_matched(c, l, there ? &id : NULL);
		json_end_object(c->out);
	}
	jmap_get_end(c, &l->get);
}

/* Each once; false: the call is over. */
static bool
check_types(struct jmap_call *c, const struct json *types)
{
	static const char *const known[] = { "Mailbox", "Thread", "Email" };
	bool seen[ARRAY_LEN(known)] = { false };
	struct span type = SPAN_NONE;
	size_t k;

	for (size_t i = 0; i < json_count(types); i++) {
		json_as_string(json_item(types, i), &type);
		for (k = 0; k < ARRAY_LEN(known) && !span_eq_str(type, known[k]); k++)
			;
		if (k == ARRAY_LEN(known) || !jmap_call_uses(c, JMAP_MAIL)) {
			jmap_call_error(c, "unknownDataType", "typeNames: \"%.*s\" is none of "
			    "supportedTypeNames, or `using` does not name its capability",
			    (int)(type.len < 100 ? type.len : 100), type.p);
			return false;
		}
		if (seen[k]) {
			jmap_call_error(c, "invalidArguments", "typeNames: a name stands twice");
			return false;
		}
		seen[k] = true;
	}
	return true;
}

void
blob_lookup(struct jmap_call *c)
{
	struct lookup *l = begin(c);
	struct span type;

	l->types = jmap_arg_array(c, "typeNames");
	if (l->types == NULL)
		jmap_arg_bad(c, "typeNames", "an array of names is required");
	for (size_t i = 0; i < json_count(l->types); i++)
		if (!json_as_string(json_item(l->types, i), &type))
			jmap_arg_bad(c, "typeNames", "must be an array of strings");
	if (!jmap_get_ids(c, &l->get, true))
		return;
	if (l->get.all)
		jmap_arg_bad(c, "ids", "an array of ids is required");
	if (jmap_args_end(c) && check_types(c, l->types))
		blobs_known_load(&l->known, c, l->get.ids, l->get.count, lookup_ready);
}

/* ---- Blob/copy ---- */

static void
put_copied(struct jmap_call *c, const struct lookup *l, bool copied)
{
	struct blob_id id;
	bool any = false;

	json_key(c->out, copied ? "copied" : "notCopied");
	for (size_t i = 0; i < l->get.count; i++) {
		if (blobs_known_has(&l->known, l->get.ids[i], &id) != copied)
			continue;
		if (!any)
			json_begin_object(c->out);
		any = true;
		json_key_span(c->out, l->get.ids[i]);
		if (copied) {
			json_string(c->out, l->get.ids[i]);
			continue;
		}
		json_begin_object(c->out);
		json_kv_str(c->out, "type", "notFound");
		json_kv_str(c->out, "description", "there is no such blob");
		json_end_object(c->out);
	}
	if (any)
		json_end_object(c->out);
	else
		json_null(c->out);
}

/* From an account to itself, as there is no other: what is there is there. */
static void
copy_ready(struct jmap_call *c)
{
	struct lookup *l = c->state;

	json_begin_object(c->out);
	json_kv_string(c->out, "fromAccountId", c->from_account->id);
	json_kv_string(c->out, "accountId", c->account->id);
	put_copied(c, l, true);
	put_copied(c, l, false);
	json_end_object(c->out);
	jmap_call_done(c);
}

void
blob_copy(struct jmap_call *c)
{
	struct lookup *l = begin(c);
	const struct json *ids = jmap_arg_array(c, "blobIds");
	size_t n = json_count(ids);

	if (ids == NULL)
		jmap_arg_bad(c, "blobIds", "an array of ids is required");
	if (n > c->host->limits->max_objects_in_set) {
		jmap_call_error(c, "requestTooLarge", "blobIds: more than maxObjectsInSet");
		return;
	}
	l->get.ids = arena_array(c->arena, n + 1, sizeof(*l->get.ids));
	if (!jmap_ids_once(c, "blobIds", ids, l->get.ids, &l->get.count) || !jmap_args_end(c))
		return;
	blobs_known_load(&l->known, c, l->get.ids, l->get.count, copy_ready);
}
