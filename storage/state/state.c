/* Opening, transactions, the records kept decoded during one, and the way of an
 * operation: remembered? judged and applied, history, remembered. */
#include "storage/state/fsck_priv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/util/mem.h"

static const char meta_shard[] = "shard", meta_position[] = "position";

/* ---- records ---- */

enum status
st_damaged(struct state *s, enum tab t, struct span key)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = (size_t)snprintf(s->damage, sizeof(s->damage), "%s ", state_tables[t]);
	for (size_t i = 0; i < key.len && n + 3 < sizeof(s->damage); i++)
		n += (size_t)snprintf(s->damage + n, sizeof(s->damage) - n, "%02x",
		    (unsigned char)key.p[i]);
	pthread_mutex_unlock(&s->lock);
	return ST_CORRUPT;
}

void
state_damage(struct state *s, struct buf *out)
{
	pthread_mutex_lock(&s->lock);
	buf_add_str(out, s->damage);
	pthread_mutex_unlock(&s->lock);
}

enum status
st_get(struct state *s, struct engine_txn *txn, enum tab t, const struct key *k,
    struct buf *value, struct span *payload)
{
	TRY(engine_get(s->e, txn, t, key_span(k), value));
	if (!rec_open(t, key_span(k), buf_span(value), payload))
		return st_damaged(s, t, key_span(k));
	return ST_OK;
}

struct buf *
st_put_start(struct state *s)
{
	rec_start(&s->out);
	return &s->out;
}

enum status
st_put(struct state *s, enum tab t, const struct key *k)
{
	rec_end(&s->out, t, key_span(k));
	if (s->fsck != NULL)
		fsck_row(s->fsck, t, key_span(k), buf_span(&s->out));
	return engine_put(s->txn, t, key_span(k), buf_span(&s->out));
}

enum status
st_del_row(struct state *s, enum tab t, struct span key)
{
	if (s->fsck != NULL)
		fsck_row(s->fsck, t, key, SPAN_NONE);
	return engine_del(s->txn, t, key);
}

enum status
st_del(struct state *s, enum tab t, const struct key *k)
{
	enum status st = st_del_row(s, t, key_span(k));

	return st == ST_NOT_FOUND ? st_damaged(s, t, key_span(k)) : st;
}

enum status
st_del_any(struct state *s, enum tab t, const struct key *k)
{
	enum status st = st_del_row(s, t, key_span(k));

	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
st_next(struct state *s, enum tab t, struct engine_cursor *c, struct span *key,
    struct span *payload)
{
	struct span value;

	TRY(engine_cursor_next(c, key, &value));
	return rec_open(t, *key, value, payload) ? ST_OK : st_damaged(s, t, *key);
}

enum status
st_read_account(struct state *s, struct engine_txn *txn, uint64_t id, struct rec_account *rec)
{
	struct buf value = { 0 };
	struct span payload;
	struct key k;
	enum status st;

	key_1(&k, id);
	st = st_get(s, txn, TAB_ACCOUNT, &k, &value, &payload);
	if (st == ST_OK && !rec_account_get(payload, rec))
		st = st_damaged(s, TAB_ACCOUNT, key_span(&k));
	buf_fini(&value);
	return st;
}

enum status
st_read_mailbox(struct state *s, struct engine_txn *txn, uint64_t account, uint64_t id,
    struct rec_mailbox *rec, struct buf *value)
{
	struct span payload;
	struct key k;

	key_2(&k, account, id);
	TRY(st_get(s, txn, TAB_MAILBOX, &k, value, &payload));
	return rec_mailbox_get(payload, rec) ? ST_OK : st_damaged(s, TAB_MAILBOX, key_span(&k));
}

/* ---- what is kept decoded ---- */

/* Of those used in this transaction: they stand at the end of their list. */
static void
use(struct list *all, struct list *node, uint64_t *used, uint64_t txn_no)
{
	if (*used == txn_no)
		return;
	*used = txn_no;
	list_remove(node);
	list_push_back(all, node);
}

struct acct *
st_acct_new(struct state *s, uint64_t id)
{
	struct acct *a = mem_zalloc(sizeof(*a));

	a->id = id;
	a->used = s->txn_no;
	s->kept++;
	list_init(&a->list);
	list_push_back(&s->list, &a->in_state);
	table_put_u64(&s->accts, id, a);
	return a;
}

enum status
st_acct(struct state *s, uint64_t id, struct acct **a)
{
	struct rec_account rec;

	*a = table_get_u64(&s->accts, id);
	if (*a != NULL) {
		use(&s->list, &(*a)->in_state, &(*a)->used, s->txn_no);
		return ST_OK;
	}
	TRY(st_read_account(s, s->txn, id, &rec));
	*a = st_acct_new(s, id);
	(*a)->rec = rec;
	return ST_OK;
}

void
st_mbox_name(struct mbox *m, struct span name)
{
	buf_clear(&m->name);
	buf_add_span(&m->name, name);
	m->rec.name = buf_span(&m->name);
	m->dirty = true;
}

struct mbox *
st_mbox_new(struct state *s, struct acct *a, uint64_t id)
{
	struct mbox *m = mem_zalloc(sizeof(*m));

	m->id = id;
	m->used = s->txn_no;
	s->kept++;
	list_push_back(&a->list, &m->in_acct);
	table_put_u64(&a->mboxes, id, m);
	return m;
}

enum status
st_mbox(struct state *s, struct acct *a, uint64_t id, struct mbox **m)
{
	struct rec_mailbox rec;

	*m = table_get_u64(&a->mboxes, id);
	if (*m != NULL) {
		use(&a->list, &(*m)->in_acct, &(*m)->used, s->txn_no);
		return ST_OK;
	}
	TRY(st_read_mailbox(s, s->txn, a->id, id, &rec, &s->value));
	*m = st_mbox_new(s, a, id);
	(*m)->rec = rec;
	st_mbox_name(*m, rec.name);
	(*m)->high = rec.uidnext;
	(*m)->dirty = false;
	return ST_OK;
}

uint64_t
st_new_id(struct state *s)
{
	s->meta_dirty = true;
	return (uint64_t)s->meta.shard << 48 | s->meta.next_id++;
}

void
st_drop_mailboxes(struct acct *a)
{
	struct list *n, *tmp;

	list_each(n, tmp, &a->list) {
		struct mbox *m = list_entry(n, struct mbox, in_acct);

		buf_fini(&m->name);
		mem_free(&m);
	}
	list_init(&a->list);
	table_fini(&a->mboxes, NULL, NULL);
	buf_fini(&a->keywords);
	a->keywords_here = false;
}

static void
acct_free(struct acct *a)
{
	st_drop_mailboxes(a);
	mem_free(&a);
}

static void
forget(struct state *s)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->list)
		acct_free(list_entry(n, struct acct, in_state));
	list_init(&s->list);
	table_fini(&s->accts, NULL, NULL);
	s->kept = 0;
}

static enum status
acct_write(struct state *s, struct acct *a)
{
	struct key k;

	for (struct list *n = a->list.prev; n != &a->list; n = n->prev) {
		struct mbox *m = list_entry(n, struct mbox, in_acct);

		if (m->used != s->txn_no)
			break;
		TRY(uidmap_flush(s, a, m));
		if (!m->dirty)
			continue;
		TRY(uidhigh_write(s, a->id, m));
		key_2(&k, a->id, m->id);
		rec_mailbox_put(st_put_start(s), &m->rec);
		TRY(st_put(s, TAB_MAILBOX, &k));
		m->dirty = false;
	}
	if (!a->dirty)
		return ST_OK;
	a->dirty = false;
	key_1(&k, a->id);
	rec_account_put(st_put_start(s), &a->rec);
	return st_put(s, TAB_ACCOUNT, &k);
}

static enum status
meta_write(struct state *s)
{
	struct key k;

	key_text(&k, SPAN_LIT(meta_shard));
	rec_meta_put(st_put_start(s), &s->meta);
	return st_put(s, TAB_META, &k);
}

enum status
st_flush(struct state *s)
{
	for (struct list *n = s->list.prev; n != &s->list; n = n->prev) {
		struct acct *a = list_entry(n, struct acct, in_state);

		if (a->used != s->txn_no)
			break;
		TRY(acct_write(s, a));
	}
	return ST_OK;
}

static enum status
write_all(struct state *s, const struct journal_pos *pos)
{
	struct key k;

	TRY(st_flush(s));
	if (s->meta_dirty)
		TRY(meta_write(s));
	if (s->upgrade.dirty)
		TRY(upgrade_write(s));
	if (s->uidhigh_dirty)
		TRY(uidhigh_done(s));
	key_text(&k, SPAN_LIT(meta_position));
	journal_pos_put(st_put_start(s), pos);
	put_u64(&s->out, (uint64_t)s->stamp_now_ms);
	return st_put(s, TAB_META, &k);
}

/* What was kept decoded may not be what the rows say any more. */
enum status
st_forget(struct state *s)
{
	TRY(st_flush(s));
	forget(s);
	return ST_OK;
}

/* ---- opening ---- */

static enum status
read_meta(struct state *s, uint16_t shard)
{
	struct span payload;
	struct reader r;
	struct key k;
	enum status st;

	key_text(&k, SPAN_LIT(meta_shard));
	st = st_get(s, NULL, TAB_META, &k, &s->value, &payload);
	if (st == ST_NOT_FOUND) {
		s->meta = (struct rec_meta){ .shard = shard, .next_id = 1 };
		s->meta_dirty = true;
		TRY(uidhigh_load(s, true));
		return upgrade_load(s, true);
	}
	TRY(st);
	if (!rec_meta_get(payload, &s->meta))
		return st_damaged(s, TAB_META, key_span(&k));
	if (s->meta.shard != shard)
		return ST_CONFLICT;
	TRY(upgrade_load(s, false));
	TRY(uidhigh_load(s, false));
	TRY(cold_load(s));
	key_text(&k, SPAN_LIT(meta_position));
	TRY(st_get(s, NULL, TAB_META, &k, &s->value, &payload));
	reader_init(&r, payload.p, payload.len);
	journal_pos_get(&r, &s->pos);
	s->stamp_ms = (int64_t)get_u64(&r);
	return reader_done(&r) ? ST_OK : st_damaged(s, TAB_META, key_span(&k));
}

enum status
state_shard(struct engine *e, uint16_t *shard)
{
	struct buf value = { 0 };
	struct rec_meta meta;
	struct span payload;
	struct key k;
	enum status st;

	key_text(&k, SPAN_LIT(meta_shard));
	st = engine_get(e, NULL, TAB_META, key_span(&k), &value);
	if (st == ST_OK && (!rec_open(TAB_META, key_span(&k), buf_span(&value), &payload) ||
	    !rec_meta_get(payload, &meta)))
		st = ST_CORRUPT;
	if (st == ST_OK)
		*shard = meta.shard;
	buf_fini(&value);
	return st;
}

static void
publish_meta(struct state *s)
{
	pthread_mutex_lock(&s->lock);
	s->committed = s->meta;
	pthread_mutex_unlock(&s->lock);
}

enum status
state_open(struct engine *e, uint16_t shard, struct state **out)
{
	struct state *s = mem_zalloc(sizeof(*s));
	enum status st;

	*out = NULL;
	s->e = e;
	list_init(&s->list);
	pthread_mutex_init(&s->lock, NULL);
	st = read_meta(s, shard);
	if (st != ST_OK) {
		state_close(&s);
		return st;
	}
	publish_meta(s);
	*out = s;
	return ST_OK;
}

static void
free_claim(void *value, void *arg)
{
	mem_free(&value);
}

void
state_close(struct state **sp)
{
	struct state *s = *sp;

	if (s == NULL)
		return;
	if (s->txn != NULL)
		state_abort(s);
	forget(s);
	message_fini(&s->msg);
	buf_fini(&s->value);
	buf_fini(&s->out);
	upgrade_fini(s);
	table_fini(&s->recent, free_claim, NULL);
	pthread_mutex_destroy(&s->lock);
	mem_free(sp);
}

void
state_position(const struct state *s, struct journal_pos *pos)
{
	*pos = s->pos;
}

int64_t
state_stamp(const struct state *s)
{
	return s->stamp_ms;
}

struct rec_meta
st_meta(const struct state *s)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&s->lock;
	struct rec_meta m;

	pthread_mutex_lock(lock);
	m = s->committed;
	pthread_mutex_unlock(lock);
	return m;
}

uint64_t
state_incarnation(const struct state *s)
{
	return st_meta(s).incarnation;
}

/* ---- transactions ---- */

enum status
state_begin(struct state *s)
{
	assert(s->txn == NULL);
	s->txn_no++;
	s->meta_before = s->meta;
	s->stamp_now_ms = s->stamp_ms;
	return engine_begin(s->e, &s->txn);
}

void
state_abort(struct state *s)
{
	engine_abort(&s->txn);
	s->meta = s->meta_before;
	if (s->fsck != NULL)
		fsck_undone(s->fsck);
	forget(s);
}

enum status
state_commit(struct state *s, const struct journal_pos *pos)
{
	enum status st = write_all(s, pos);

	if (st != ST_OK) {
		state_abort(s);
		return st;
	}
	st = engine_commit(&s->txn);
	if (st != ST_OK) {
		s->meta = s->meta_before;
		if (s->fsck != NULL)
			fsck_undone(s->fsck);
		forget(s);
	} else {
		s->pos = *pos;
		s->stamp_ms = s->stamp_now_ms;
		s->meta_dirty = s->upgrade.dirty = s->uidhigh_dirty = false;
		publish_meta(s);
		if (s->kept > KEPT_MAX)
			forget(s);
	}
	return st;
}

/* ---- an operation ---- */

enum status
refuse(struct apply *ap, enum status verdict)
{
	ap->r->status = verdict;
	return ST_OK;
}

uint64_t
ap_modseq(struct apply *ap)
{
	if (ap->modseq == 0) {
		ap->modseq = ++ap->a->rec.modseq;
		ap->a->dirty = true;
		ap->r->changed = true;
	}
	return ap->modseq;
}

void
ap_reply(struct apply *ap, uint16_t no, const void *msg)
{
	ap->r->reply_no = no;
	buf_clear(&ap->r->reply);
	ipc_encode(ipc_find(&store_protocol, no), msg, &ap->r->reply);
}

enum status
ap_mbox(struct apply *ap, uint64_t id, struct mbox **m)
{
	enum status st = st_mbox(ap->s, ap->a, id, m);

	if (st == ST_NOT_FOUND || (st == ST_OK && (*m)->rec.deleted_ms != 0)) {
		*m = NULL;
		return refuse(ap, ST_NOT_FOUND);
	}
	return st;
}

/* STAGES: also while rows are staged.  SHARED: judges another's rights itself. */
enum { NO_ACCOUNT = 1, DELETED_TOO = 2, STAGES = 4, SHARED = 8 };

static const struct {
	enum status	(*fn)(struct apply *);
	unsigned	how;
} appliers[] = {
	[OP_ACCOUNT_CREATE] = { apply_account_create, NO_ACCOUNT },
	[OP_ACCOUNT_LIMITS] = { apply_account_limits, 0 },
	[OP_ACCOUNT_DELETE] = { apply_account_delete, 0 },
	[OP_ACCOUNT_UNDELETE] = { apply_account_undelete, DELETED_TOO },
	[OP_ACCOUNT_PURGE] = { apply_account_purge, DELETED_TOO },
	[OP_MAILBOX_CREATE] = { apply_mailbox_create, SHARED },
	[OP_MAILBOX_DELETE] = { apply_mailbox_delete, SHARED },
	[OP_MAILBOX_RENAME] = { apply_mailbox_rename, SHARED },
	[OP_SUBSCRIBE] = { apply_subscribe, 0 },
	[OP_MAILBOX_PURGE] = { apply_mailbox_purge, 0 },
	[OP_RECENT] = { apply_recent, 0 },
	[OP_APPEND] = { apply_append, SHARED },
	[OP_FLAGS] = { apply_flags, SHARED },
	[OP_EXPUNGE] = { apply_expunge, SHARED },
	[OP_COPY] = { apply_copy, SHARED },
	[OP_ANNOTATE] = { apply_annotate, SHARED },
	[OP_APPEND_ANNOTATED] = { apply_append, SHARED },
	[OP_HISTORY_PURGE] = { apply_history_purge, 0 },
	[OP_ONCE_PURGE] = { apply_once_purge, NO_ACCOUNT },
	[OP_INCARNATION] = { apply_incarnation, NO_ACCOUNT },
	[OP_INCARNATE] = { apply_incarnate, NO_ACCOUNT },
	[OP_RELOCATE] = { apply_relocate, NO_ACCOUNT },
	[OP_DIR_WRITE] = { apply_dir_write, NO_ACCOUNT },
	[OP_REMOVE] = { apply_remove, SHARED },
	[OP_UIDL_PUT] = { apply_uidl_put, 0 },
	[OP_STAGE_COPY] = { apply_stage_copy, STAGES | SHARED },
	[OP_STAGE_APPEND] = { apply_stage_append, STAGES | SHARED },
	[OP_STAGE_COMMIT] = { apply_stage_commit, STAGES | SHARED },
	[OP_STAGE_END] = { apply_stage_end, STAGES | DELETED_TOO },
	[OP_STAGE_APPEND_ANNOTATED] = { apply_stage_append, STAGES | SHARED },
	[OP_METADATA] = { apply_metadata, SHARED },
	[OP_METADATA_NOTED] = { apply_metadata_noted, SHARED },
	[OP_ACL_SET] = { apply_acl_set, SHARED },
	[OP_URL_KEY] = { apply_url_key, 0 },
	[OP_REPAIR] = { apply_repair, NO_ACCOUNT },
	[OP_RETENTION] = { apply_retention, 0 },
	[OP_APPEND_PLACED] = { apply_append, 0 },
	[OP_UIDVALIDITY] = { apply_uidvalidity, 0 },
	[OP_UNDELETE] = { apply_undelete, 0 },
	[OP_RESTORE] = { apply_restore, 0 },
	[OP_MAILBOX_REVIVE] = { apply_mailbox_revive, 0 },
	[OP_KEPT_PURGE] = { apply_kept_purge, 0 },
	[OP_EMAIL_SET] = { apply_email_set, 0 },
	[OP_APPEND_INTO] = { apply_append_into, 0 },
	[OP_MAILBOX_SET] = { apply_mailbox_set, 0 },
	[OP_PUSH] = { apply_push, STAGES },
	[OP_BLOB_PUT] = { apply_blob_put, 0 },
	[OP_BLOB_PURGE] = { apply_blob_purge, 0 },
	[OP_SCRIPT_SET] = { apply_script_set, STAGES },
	[OP_DELIVER] = { apply_deliver, 0 },
	[OP_SIEVE_KEYS_PURGE] = { apply_sieve_keys_purge, STAGES },
	[OP_QUEUE] = { apply_queue, DELETED_TOO | STAGES },
	[OP_DELIVER_OF] = { apply_deliver, 0 },
};

static enum status
apply_one(struct apply *ap)
{
	unsigned how = appliers[ap->op->kind].how;
	enum status st;

	if (!(how & NO_ACCOUNT)) {
		st = st_acct(ap->s, ap->op->head.account, &ap->a);
		if (st == ST_NOT_FOUND || (st == ST_OK && (ap->a->rec.purged ||
		    (ap->a->rec.deleted_ms != 0 && !(how & DELETED_TOO)))))
			return refuse(ap, ST_NOT_FOUND);
		TRY(st);
		if (ap->a->rec.stage && !(how & STAGES))
			return refuse(ap, ST_UNAVAILABLE);
	}
	if (ap_foreign(ap) && !(how & SHARED))
		return refuse(ap, ST_DENIED);
	if (ap->a != NULL)
		ap->r->used_before = quota_used(ap);
	TRY(appliers[ap->op->kind].fn(ap));
	if (ap->a != NULL)
		ap->r->used_after = quota_used(ap);
	assert(ap->r->status == ST_OK || ap->modseq == 0);
	TRY(reader_flush(ap));
	ap->r->own_only = ap->reader_changed && !ap->shared_changed;
	if (ap->modseq != 0)
		TRY(history_add(ap));
	if (ap->a != NULL) {
		ap->r->modseq = ap->a->rec.modseq;
		ap->r->email_modseq = ap->a->rec.mail_modseq;
		ap->r->mailbox_modseq = ap->a->rec.mailbox_modseq;
		ap->r->thread_modseq = ap->a->rec.thread_modseq;
		ap->r->script_modseq = ap->a->rec.script_modseq;
	}
	return ST_OK;
}

static void
result_clear(struct state_result *r)
{
	struct buf reply = r->reply, keys = r->keys, messages = r->messages;

	*r = (struct state_result){ .reply = reply, .keys = keys, .messages = messages };
	buf_clear(&r->reply);
	buf_clear(&r->keys);
	buf_clear(&r->messages);
}

void
state_result_fini(struct state_result *r)
{
	buf_fini(&r->reply);
	buf_fini(&r->keys);
	buf_fini(&r->messages);
}

enum status
state_apply(struct state *s, const struct op *op, const struct journal_loc *locs,
    size_t n_locs, struct state_result *result)
{
	struct apply ap = { .s = s, .op = op, .r = result, .locs = locs, .n_locs = n_locs };
	bool known = false;
	enum status st;

	assert(s->txn != NULL);
	s->stamp_now_ms = op->head.time_ms;
	result_clear(result);
	st = once_recall(&ap, &known);
	if (st == ST_OK && !known) {
		if (result->status == ST_OK)
			st = apply_one(&ap);
		if (st == ST_OK)
			st = once_remember(&ap);
	}
	buf_fini(&ap.touched);
	buf_fini(&ap.once);
	buf_fini(&ap.memo);
	buf_fini(&ap.memo_before);
	buf_fini(&ap.old);
	mem_free(&ap.rb);
	return st;
}
