/* POP3 unique-ids that messages brought along from another server:
 *   pop3-uidl   address mailbox ids: [[uid, "id"] ...]     given, missing
 * At most 1000 at a time; an empty id takes one away.  missing: uids without a message. */
#include "admind/commands.h"

#include "common/json/writer.h"
#include "common/util/mem.h"

#define IDS_MAX 1000

struct giving {
	struct access	access;
	struct buf	mailbox, list;
	struct uidset	uids;
	uint64_t	given, missing;
};

static void
stop(struct request *rq)
{
	struct giving *g = rq->state;

	access_end(&g->access);
	buf_fini(&g->mailbox);
	buf_fini(&g->list);
	uidset_fini(&g->uids);
	mem_free(&g);
}

static void
on_put(void *arg, enum status st, bool more, const void *msg)
{
	struct giving *g = arg;
	struct request *rq = g->access.rq;
	struct buf out = { 0 };
	struct json_writer w;

	g->access.call = NULL;
	if (st != ST_OK) {
		fail_as_store(rq, st);
		return;
	}
	json_writer_init(&w, &out);
	json_begin_object(&w);
	json_kv_uint(&w, "given", g->given);
	json_kv_uint(&w, "missing", g->missing);
	json_end_object(&w);
	request_done(rq, ST_OK, buf_span(&out));
	buf_fini(&out);
}

static void
count(struct giving *g, struct span there)
{
	struct uidset set = { 0 };
	struct reader r;

	reader_init(&r, there.p, there.len);
	if (uidset_decode(&set, &r, SIZE_MAX))
		uidset_intersect(&set, &g->uids);
	g->given = uidset_count(&set);
	g->missing = uidset_count(&g->uids) - g->given;
	uidset_fini(&set);
}

static void
on_open(void *arg, enum status st, bool more, const void *msg)
{
	struct giving *g = arg;
	struct request *rq = g->access.rq;
	const struct store_opened *o = msg;
	struct store_uidl_put put = { .list = buf_span(&g->list) };

	g->access.call = NULL;
	if (st != ST_OK || o == NULL) {
		request_fail(rq, st, st == ST_NOT_FOUND ? "there is no such mailbox" :
		    "the store says: %s", status_name(st));
		return;
	}
	put.mailbox = o->mailbox;
	count(g, o->uids);
	g->access.call = store_do_uidl_put(g->access.store, &put, on_put, g);
}

static void
on_access(struct access *x)
{
	struct giving *g = x->rq->state;
	const struct store_open open = { .path = buf_span(&g->mailbox) };

	x->call = store_do_open(x->store, &open, on_open, g);
}

static bool
take_ids(struct giving *g, const struct json *ids)
{
	size_t n = json_count(ids);

	for (size_t i = 0; i < n; i++) {
		const struct json *pair = json_item(ids, i);
		struct store_uidl u = { 0 };
		uint64_t uid;

		if (json_count(pair) != 2 || !json_as_uint(json_item(pair, 0), &uid) || uid == 0 ||
		    uid > UINT32_MAX || !json_as_string(json_item(pair, 1), &u.text) ||
		    u.text.len > STORE_UIDL_MAX)
			return false;
		u.uid = (uint32_t)uid;
		put_store_uidl(&g->list, &u);
		uidset_add(&g->uids, u.uid);
	}
	return n > 0 && n <= IDS_MAX;
}

static void
pop3_uidl(struct request *rq)
{
	struct span address, mailbox = SPAN_LIT("INBOX");
	struct giving *g;

	if (!need_address(rq, &address))
		return;
	g = mem_zalloc(sizeof(*g));
	rq->state = g;
	rq->stop = stop;
	(void)json_get_string(rq->args, "mailbox", &mailbox);
	if (mailbox.len == 0 || mailbox.len > STORE_PATH_MAX ||
	    !take_ids(g, json_member(rq->args, "ids"))) {
		request_fail(rq, ST_SYNTAX, "1 to %d pairs of uid and unique-id are needed", IDS_MAX);
		return;
	}
	buf_add_span(&g->mailbox, mailbox);
	access_start(&g->access, rq, address, on_access);
}

const struct admin_command admin_cmds_pop3[] = {
	{ "pop3-uidl", pop3_uidl, NULL },
	{ NULL, NULL, NULL }
};
