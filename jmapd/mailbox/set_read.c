/* What a client may write into a Mailbox (RFC 8621 §2). */
#include <string.h>

#include "common/json/put.h"
#include "common/mail/mailbox_name.h"
#include "common/mail/unicode.h"
#include "common/util/mem.h"
#include "jmapd/core/ids.h"
#include "jmapd/mailbox/set_priv.h"

#define ORDER_MAX 2147483647u

struct reading {
	struct jmap_call	*call;
	const struct mailboxes	*boxes;
	struct mailbox_item	*it;
	struct buf		bad;		/* names of properties, blanks between */
	const char		*why;
	const char		*bad_patch;
};

static void
bad(struct reading *rd, struct span property, const char *why)
{
	if (span_find(property, ' ') < property.len || property.len > 100)
		property = SPAN_LIT("?");
	if (rd->bad.len > 0)
		buf_add_c(&rd->bad, ' ');
	buf_add_span(&rd->bad, property);
	if (rd->why == NULL)
		rd->why = why;
}

static void
read_name(struct reading *rd, const struct json *v)
{
	struct mailbox_item *it = rd->it;
	struct buf b = { 0 };
	struct span given;

	if (!json_as_string(v, &given)) {
		bad(rd, SPAN_LIT("name"), "name is a string");
	} else if (it->row != NULL && it->row->inbox && span_eq(given, it->row->name)) {
		it->fields &= (uint8_t)~MAILBOX_CHANGED_NAME;
	} else if (given.len == 0 || !unicode_nfc(given, false, &b) ||
	    span_find(buf_span(&b), MAILBOX_DELIMITER) < b.len ||
	    !mailbox_name_valid(buf_span(&b))) {
		bad(rd, SPAN_LIT("name"), "a name has 1 to 255 bytes, no control characters, no "
		    "slash, per cent sign or asterisk, and is neither . nor ..");
	} else {
		it->name = arena_span(rd->call->arena, buf_span(&b));
		it->renamed = !span_eq(it->name, given);
	}
	buf_fini(&b);
}

static void
read_parent(struct reading *rd, const struct json *v)
{
	struct mailbox_item *it = rd->it;
	struct span text, id;

	if (v == NULL)
		return;
	if (!json_as_string(v, &text)) {
		bad(rd, SPAN_LIT("parentId"), "parentId is an id or null");
		return;
	}
	id = jmap_call_resolve(rd->call, text);
	if (id.p == NULL)
		it->parent_ref = text;		/* perhaps created by this call */
	else if (!object_id_parse(id, OBJECT_MAILBOX, &it->parent))
		bad(rd, SPAN_LIT("parentId"), "parentId: there is no such mailbox");
}

static void
read_role(struct reading *rd, const struct json *v)
{
	struct span text = SPAN_NONE;

	if ((v != NULL && !json_as_string(v, &text)) || !mailbox_role_read(text, &rd->it->role))
		bad(rd, SPAN_LIT("role"), "role is null or a name of IANA's IMAP Mailbox Name "
		    "Attributes in lower case");
	else if (rd->it->row != NULL && rd->it->row->inbox &&
	    rd->it->role == MAILBOX_ROLE_INBOX)
		rd->it->fields &= (uint8_t)~MAILBOX_CHANGED_ROLE;
}

static void
read_order(struct reading *rd, const struct json *v)
{
	uint64_t n = 0;

	if (v != NULL && (!jmap_json_uint(v, &n) || n > ORDER_MAX))
		bad(rd, SPAN_LIT("sortOrder"), "sortOrder is a whole number below 2^31");
	rd->it->order = (uint32_t)n;
}

static void
read_subscribed(struct reading *rd, const struct json *v)
{
	rd->it->subscribed = true;
	if (v != NULL && !json_as_bool(v, &rd->it->subscribed))
		bad(rd, SPAN_LIT("isSubscribed"), "isSubscribed is true or false");
}

/* A property of the server's own may be sent back as it is (RFC 8620 §5.3). */
static bool
is_as_it_is(const struct reading *rd, unsigned property, const struct json *v)
{
	const struct mailbox_row *row = rd->it->row;
	struct mirror_counts counts = { 0 };
	struct buf now = { 0 }, given = { 0 };
	struct json_writer w;
	bool same;

	if (row == NULL)
		return false;
	if (MAILBOX_COUNTS >> property & 1)
		mirror_counts(jmap_call_mirror(rd->call), row->id, rd->boxes->trash, &counts);
	json_writer_init(&w, &now);
	json_begin_object(&w);
	mailbox_put(&w, row, &counts, UINT64_C(1) << property);
	json_end_object(&w);
	json_writer_init(&w, &given);
	json_begin_object(&w);
	json_key(&w, mailbox_properties[property]);
	json_put(&w, v);
	json_end_object(&w);
	same = span_eq(buf_span(&now), buf_span(&given));
	buf_fini(&now);
	buf_fini(&given);
	return same;
}

/* The members of myRights may come in any order, or one by one. */
static bool
right_is_as_it_is(const struct mailbox_row *row, struct span name, const struct json *v)
{
	struct buf text = { 0 };
	struct json_writer w;
	struct json_doc *doc = NULL;
	char *key = span_dup(name);
	bool now, given, same;

	json_writer_init(&w, &text);
	mailbox_put_rights(&w, row);
	same = json_parse(buf_span(&text), SIZE_MAX, &doc) == ST_OK &&
	    json_get_bool(json_root(doc), key, &now) && json_as_bool(v, &given) && now == given;
	json_free(&doc);
	buf_fini(&text);
	mem_free(&key);
	return same;
}

static bool
rights_are_as_they_are(const struct mailbox_row *row, const struct json *v)
{
	const struct json *one;
	struct span key;
	void *pos = NULL;

	if (row == NULL || !json_is_object(v))
		return false;
	while (json_next(v, &pos, &key, &one))
		if (!right_is_as_it_is(row, key, one))
			return false;
	return true;
}

static void
read_property(struct reading *rd, unsigned property, const struct json *v)
{
	static const struct {
		uint64_t	property;
		uint8_t		field;
		void		(*read)(struct reading *rd, const struct json *v);
	} settable[] = {
		{ MAILBOX_NAME, MAILBOX_CHANGED_NAME, read_name },
		{ MAILBOX_PARENT, MAILBOX_CHANGED_PARENT, read_parent },
		{ MAILBOX_ROLE, MAILBOX_CHANGED_ROLE, read_role },
		{ MAILBOX_ORDER, MAILBOX_CHANGED_ORDER, read_order },
		{ MAILBOX_SUBSCRIBED, MAILBOX_CHANGED_SUBSCRIBED, read_subscribed },
	};
	const uint64_t bit = UINT64_C(1) << property;

	rd->it->given |= bit;
	for (size_t i = 0; i < ARRAY_LEN(settable); i++) {
		if (settable[i].property == bit) {
			rd->it->fields |= settable[i].field;
			settable[i].read(rd, v);
			return;
		}
	}
	if (bit == MAILBOX_RIGHTS ? !rights_are_as_they_are(rd->it->row, v) :
	    !is_as_it_is(rd, property, v))
		bad(rd, span_str(mailbox_properties[property]), "only the server sets this");
}

static void
read_member(struct reading *rd, struct span path, const struct json *v)
{
	struct span step = path, rest = SPAN_NONE;
	unsigned i = 0;

	if (rd->it->part == JMAP_UPDATE && !jmap_path_step(path, rd->call->arena, &step, &rest))
		return;			/* jmap_patch_check() saw it */
	while (i < MAILBOX_PROPERTIES && !span_eq_str(step, mailbox_properties[i]))
		i++;
	if (i == MAILBOX_PROPERTIES)
		bad(rd, path, "a mailbox has no such property");
	else if (rest.p == NULL)
		read_property(rd, i, v);
	else if (UINT64_C(1) << i != MAILBOX_RIGHTS)
		rd->bad_patch = "a path goes into something that is no object";
	else if (!right_is_as_it_is(rd->it->row, rest, v))
		bad(rd, SPAN_LIT("myRights"), "only the server sets this");
}

bool
mailbox_item_read(struct jmap_call *c, struct jmap_set *set, const struct mailboxes *boxes,
    struct mailbox_item *it, const struct json *object)
{
	struct reading rd = { .call = c, .boxes = boxes, .it = it };
	const struct json *v;
	struct span key;
	void *pos = NULL;

	it->subscribed = true;
	if (it->part == JMAP_UPDATE)
		jmap_patch_check(object, c->arena, &rd.bad_patch);
	while (rd.bad_patch == NULL && json_next(object, &pos, &key, &v))
		read_member(&rd, key, v);
	if (it->part == JMAP_CREATE && !(it->given & MAILBOX_NAME))
		bad(&rd, SPAN_LIT("name"), "a name is required");
	if (rd.bad_patch != NULL)
		jmap_set_failed(set, it->part, it->key, "invalidPatch", NULL, "%s", rd.bad_patch);
	else if (rd.bad.len > 0)
		jmap_set_failed(set, it->part, it->key, "invalidProperties", buf_cstr(&rd.bad),
		    "%s", rd.why);
	it->pending = rd.bad_patch == NULL && rd.bad.len == 0;
	buf_fini(&rd.bad);
	return it->pending;
}
