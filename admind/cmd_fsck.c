/* fsck: proves the mail of one account, or of every shard, one after the other.
 *   address | all     what
 *   check roots repair bodies rebuild: flags; share, body_rate: numbers
 * Answers in parts, as things are found:
 *   {"found": [{shard account table key cure mended text}]}
 *   {"roots": [{account root}]}; root null: the account did not hold still, or is damaged
 * and at last {wrong mended notes bodies}. */
#include <inttypes.h>
#include <stdio.h>

#include "admind/commands.h"
#include "common/crypto/encode.h"
#include "common/json/writer.h"
#include "common/util/mem.h"

struct proof {
	struct request		*rq;
	struct store_ask	*ask;
	struct store_fsck	 how;
	uint32_t		 shard;		/* being asked */
	size_t			 at, n;		/* of the shards */
	uint64_t		 wrong, mended, notes, bodies;
};

static void ask_next(struct proof *p);

static void
stop(struct request *rq)
{
	struct proof *p = rq->state;

	store_ask_cancel(&p->ask);
	mem_free(&p);
}

static const char *
cure_name(uint8_t cure)
{
	static const char *const names[] = { "repair", "quarantine", "rebuild", "none", "note" };

	return cure < ARRAY_LEN(names) ? names[cure] : "none";
}

static void
put_account(struct json_writer *w, uint64_t account)
{
	char id[17];

	snprintf(id, sizeof(id), "%016" PRIx64, account);
	json_kv_str(w, "account", id);
}

static void
put_hex(struct json_writer *w, const char *key, struct span s)
{
	struct buf hex = { 0 };

	hex_encode(s, &hex);
	json_kv_string(w, key, buf_span(&hex));
	buf_fini(&hex);
}

static void
put_shard(struct json_writer *w, uint32_t no)
{
	char name[16] = "system";

	if (no != CONTROL_SHARD_SYSTEM)
		snprintf(name, sizeof(name), "%u", no);
	json_kv_str(w, "shard", name);
}

static void
put_found(struct json_writer *w, const struct proof *p, struct span list)
{
	struct store_fsck_found x;
	struct reader r;

	json_key(w, "found");
	json_begin_array(w);
	reader_init(&r, list.p, list.len);
	while (get_store_fsck_found(&r, &x)) {
		json_begin_object(w);
		put_shard(w, p->shard);
		put_account(w, x.account);
		json_kv_string(w, "table", x.table);
		put_hex(w, "key", x.key);
		json_kv_str(w, "cure", cure_name(x.cure));
		json_kv_bool(w, "mended", x.mended);
		json_kv_string(w, "text", x.text);
		json_end_object(w);
	}
	json_end_array(w);
}

static void
put_roots(struct json_writer *w, struct span list)
{
	struct store_fsck_root x;
	struct reader r;

	json_key(w, "roots");
	json_begin_array(w);
	reader_init(&r, list.p, list.len);
	while (get_store_fsck_root(&r, &x)) {
		json_begin_object(w);
		put_account(w, x.account);
		if (x.hash.len > 0) {
			put_hex(w, "root", x.hash);
		} else {
			json_key(w, "root");
			json_null(w);
		}
		json_end_object(w);
	}
	json_end_array(w);
}

/* What was found so far, and how far it is. */
static void
hand_on(struct proof *p, const struct store_fsck_is *is)
{
	struct buf out = { 0 };
	struct json_writer w;

	json_writer_init(&w, &out);
	if (is->found.len > 0 || is->roots.len > 0) {
		json_begin_object(&w);
		put_found(&w, p, is->found);
		put_roots(&w, is->roots);
		json_end_object(&w);
		request_part(p->rq, buf_span(&out));
	}
	buf_fini(&out);
	request_progress(p->rq, is->done + p->at * is->total, is->total * p->n);
}

static void
answer(struct proof *p)
{
	struct buf out = { 0 };
	struct json_writer w;

	json_writer_init(&w, &out);
	json_begin_object(&w);
	json_kv_uint(&w, "wrong", p->wrong);
	json_kv_uint(&w, "mended", p->mended);
	json_kv_uint(&w, "notes", p->notes);
	json_kv_uint(&w, "bodies", p->bodies);
	json_end_object(&w);
	request_done(p->rq, ST_OK, buf_span(&out));
	buf_fini(&out);
}

static void
on_part(void *arg, enum status st, bool more, const void *msg)
{
	struct proof *p = arg;
	const struct store_fsck_is *is = msg;

	if (!more)
		p->ask = NULL;
	if (is != NULL)
		hand_on(p, is);
	if (more)
		return;
	if (st != ST_OK) {
		request_fail(p->rq, st, st == ST_CONFLICT ? "shard %d: another fsck runs" :
		    st == ST_NOT_FOUND ? "shard %d has no such account" :
		    "shard %d: the check ended early", (int)p->shard);
		return;
	}
	if (is != NULL) {
		p->wrong += is->wrong;
		p->mended += is->mended;
		p->notes += is->notes;
		p->bodies += is->bodies;
	}
	if (++p->at < p->n)
		ask_next(p);
	else
		answer(p);
}

static void
ask_next(struct proof *p)
{
	if (p->how.account == 0)
		p->shard = p->at + 1 < p->n ? (uint32_t)p->at : CONTROL_SHARD_SYSTEM;
	p->ask = store_ask_fsck(p->rq->admind->pool, p->shard, &p->how, on_part, p);
}

static void
on_account(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;
	struct proof *p = rq->state;

	if (!take_account(rq, st, result, &p->how.account, &p->shard))
		return;
	p->n = 1;
	ask_next(p);
}

static void
flag(const struct request *rq, const char *name, uint8_t bit, uint8_t *flags)
{
	bool on = false;

	if (json_get_bool(rq->args, name, &on) && on)
		*flags |= bit;
}

static void
fsck(struct request *rq)
{
	struct proof *p = mem_zalloc(sizeof(*p));
	struct span address;
	uint64_t n = 0;

	rq->state = p;
	rq->stop = stop;
	p->rq = rq;
	flag(rq, "check", FSCK_CHECK, &p->how.flags);
	flag(rq, "roots", FSCK_ROOTS, &p->how.flags);
	flag(rq, "repair", FSCK_REPAIR, &p->how.flags);
	flag(rq, "bodies", FSCK_BODIES, &p->how.flags);
	flag(rq, "rebuild", FSCK_REBUILD, &p->how.flags);
	if (json_get_uint(rq->args, "share", &n) && n <= 100)
		p->how.share = (uint8_t)n;
	(void)json_get_uint(rq->args, "body_rate", &p->how.body_rate);
	if (p->how.flags == 0) {
		request_fail(rq, ST_SYNTAX, "nothing to do");
	} else if (json_get_string(rq->args, "address", &address)) {
		ask_account(rq, address, on_account);
	} else {
		p->n = rq->admind->conf->store.shards + 1;
		ask_next(p);
	}
}

const struct admin_command admin_cmds_fsck[] = {
	{ "fsck", fsck, NULL },
	{ NULL, NULL, NULL }
};
