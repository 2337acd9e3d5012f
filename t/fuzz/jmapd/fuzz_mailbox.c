/* What clients write into mailboxes: an object or patch is taken whole or refused with a SetError. */
#include <assert.h>
#include <stdint.h>

#include "common/util/mem.h"
#include "jmapd/core/ids.h"
#include "jmapd/core/request.h"
#include "jmapd/mailbox/set_priv.h"
#include "jmapd/methods.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mailbox_row rows[] = {
	{ .id = 1, .path = SPAN_LIT("INBOX"), .name = SPAN_LIT("Inbox"), .inbox = true,
	  .role = MAILBOX_ROLE_INBOX, .rights = RIGHT_ALL, .subscribed = true },
	{ .id = 2, .path = SPAN_LIT("A"), .name = SPAN_LIT("A"), .order = 5, .rights = RIGHT_ALL },
	{ .id = 3, .parent = 2, .path = SPAN_LIT("A/B"), .name = SPAN_LIT("B"), .rights = RIGHT_ALL },
};

struct state {
	struct jmap_set		set;
	struct mailboxes	boxes;
};

static void
on_ended(struct jmap_call *c)
{
	struct state *s = c->state;

	jmap_set_fini(&s->set);
	table_fini(&s->boxes.by_id, NULL, NULL);
}

/* Counts are the mirror's, which there is not here. */
static bool
has_counts(const struct json *object)
{
	for (unsigned i = 0; i < MAILBOX_PROPERTIES; i++)
		if ((MAILBOX_COUNTS >> i & 1) && json_find(object, mailbox_properties[i], NULL))
			return true;
	return false;
}

static void
read_items(struct jmap_call *c, enum jmap_set_part part, const struct json *map)
{
	struct state *s = c->state;
	const struct json *object;
	struct span key;
	void *pos = NULL;

	while (json_next(map, &pos, &key, &object)) {
		struct mailbox_item it = { .part = part, .key = key };

		if (part == JMAP_UPDATE)
			it.row = mailboxes_find(&s->boxes, key);
		if ((part == JMAP_UPDATE && it.row == NULL) || has_counts(object))
			continue;
		if (!mailbox_item_read(c, &s->set, &s->boxes, &it, object))
			continue;
		assert(it.pending && it.order <= INT32_MAX);
		assert(part == JMAP_UPDATE || it.name.len > 0);
		if (part == JMAP_CREATE)
			jmap_call_created(c, key, SPAN_LIT("F3"));
	}
}

static void
run(struct jmap_call *c)
{
	struct state *s = arena_zalloc(c->arena, sizeof(*s));

	c->state = s;
	c->ended = on_ended;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		table_put_u64(&s->boxes.by_id, rows[i].id, &rows[i]);
	if (!jmap_set_args(c, &s->set) || !jmap_args_end(c))
		return;
	read_items(c, JMAP_CREATE, s->set.create);
	read_items(c, JMAP_UPDATE, s->set.update);
	jmap_set_end(c, &s->set, SPAN_NONE, SPAN_LIT("1"));
}

static const struct jmap_method methods[] = {
	{ "Mailbox/set", JMAP_MAIL, run, JMAP_WRITES }, { 0 }
};
static const struct jmap_method *const tables[] = { methods, NULL };
static bool done;

static void
on_done(void *arg, struct jmap_answer *a)
{
	struct json_doc *doc;

	done = true;
	assert(json_parse(buf_span(a->body), SIZE_MAX, &doc) == ST_OK);
	json_free(&doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct jmap_limits limits = JMAP_LIMITS_DEFAULT;
	static struct loop *loop;
	struct jmap_host host = { .methods = tables, .limits = &limits };
	struct jmap_account *account;
	struct buf text = { 0 };

	if (loop == NULL)
		loop = loop_new();
	host.loop = loop;
	account = jmap_account_bare(loop, NULL, 1, SPAN_LIT("u@example.org"));
	buf_add_str(&text, "{\"using\":[\"" JMAP_MAIL "\"],\"methodCalls\":[[\"Mailbox/set\","
	    "{\"accountId\":\"u1\",");
	buf_add(&text, data, size);
	buf_add_str(&text, "},\"0\"]]}");
	done = false;
	jmap_request_start(&host, account, buf_span(&text), SPAN_LIT("S"), 0, on_done, NULL);
	while (!done)
		loop_once(loop, false);
	buf_fini(&text);
	jmap_account_end(account);
	jmap_account_release(&account);
	loop_once(loop, true);
	return 0;
}
