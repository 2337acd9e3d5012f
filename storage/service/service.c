#include "storage/service/rebuild.h"
#include "storage/service/service_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/index.h"
#include "storage/service/push.h"
#include "storage/service/queue.h"
#include "storage/state/upgrade.h"

void
service_conf_init(struct service_conf *cf)
{
	static const struct op_default_mailbox folders[] = {
		{ SPAN_LIT("Drafts"), MAILBOX_ROLE_DRAFTS, true },
		{ SPAN_LIT("Sent"), MAILBOX_ROLE_SENT, true },
		{ SPAN_LIT("Junk"), MAILBOX_ROLE_JUNK, true },
		{ SPAN_LIT("Trash"), MAILBOX_ROLE_TRASH, true },
		{ SPAN_LIT("Archive"), MAILBOX_ROLE_ARCHIVE, true },
	};

	*cf = (struct service_conf){ .cache_bytes = 64u << 20, .tick_bytes = 8u << 20,
	    .account_tick_bytes = 1u << 20, .readers = 2, .index_wait_s = 180, .undelete_s = 14 * 86400,
	    .history_s = 14 * 86400, .fsck_share = 20, .fsck_body_bytes = 32u << 20, .op_rows = OP_ROWS, .copies = 2, .copy_time_s = 86400,
	    .copy_hour = 3, .copy_journal_bytes = (uint64_t)4 << 30, .reclaim_share = 50,
	    .reclaim_rate = 8u << 20,
	    .undelete_max_bytes = UINT64_MAX, .staged_s = 3600, .upload_s = 86400, .uploads = 1000,
	    .upload_bytes = (uint64_t)1 << 30, .scripts = 100, .script_bytes = 128u << 10,
	    .scripts_bytes = 2u << 20, .sieve_keys = 10000, .queue_max = 1000,
	    .queue_bytes = (uint64_t)256 << 20, .queue_flights = 8, .queue_retry_s = 120,
	    .queue_retry_max_s = 7200, .redirect_expiry_s = 5 * 86400, .answer_expiry_s = 86400,
	    .queue_account_day = 1000,
	    .whole_messages = 1000000, .push_max = 20, .push_expiry_s = 30 * 86400,
	    .push_interval_s = 1, .push_spread_ms = 60000 };
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		put_op_default_mailbox(&cf->folders, &folders[i]);
}

void
service_conf_fini(struct service_conf *cf)
{
	buf_fini(&cf->folders);
	buf_fini(&cf->retention_paths);
}

/* The lists are copied, the rest is plain. */
static void
take_conf(struct service *svc, const struct service_conf *cf)
{
	struct buf folders = { 0 }, paths = { 0 };

	buf_add_span(&folders, buf_span(&cf->folders));
	buf_add_span(&paths, buf_span(&cf->retention_paths));
	service_conf_fini(&svc->cf);
	svc->cf = *cf;
	svc->cf.folders = folders;
	svc->cf.retention_paths = paths;
}

void
service_configure(struct service *svc, const struct service_conf *cf)
{
	uint32_t shard = svc->cf.shard;

	take_conf(svc, cf);
	svc->cf.shard = shard;
	chores_wanted(svc);	/* another rule may be due */
	compact_wanted(svc);
}

int64_t
service_stamp(struct service *svc)
{
	int64_t now = clock_wall_ms();

	/* A clock that is set back a little lets time stand still.  One that was far ahead must
	 * not decide for ever. */
	if (now < svc->last_ms - STAMP_BACK_MS)
		LOG(NULL, WARN, "clock.back", KV_UINT("shard", svc->cf.shard),
		    KV_INT("seconds", (svc->last_ms - now) / 1000));
	if (now > svc->last_ms || now < svc->last_ms - STAMP_BACK_MS)
		svc->last_ms = now;
	return svc->last_ms;
}

bool
service_asked(const struct service *svc, uint64_t *seen)
{
	bool asked = *seen != svc->n_requests;

	*seen = svc->n_requests;
	return asked;
}

void
service_limits(const struct service *svc, struct op_head *head)
{
	head->bytes_max = svc->cf.quota_bytes;
	head->messages_max = svc->cf.quota_messages;
	head->mailboxes_max = svc->cf.quota_mailboxes > 0 ? svc->cf.quota_mailboxes :
	    STORE_MAILBOX_MAX;
}

void
service_die(struct service *svc, const char *why, enum status st)
{
	if (svc->dead)
		return;
	svc->dead = true;
	LOG(NULL, FATAL, "store.stop", KV_UINT("shard", svc->cf.shard), KV_STR("why", why),
	    KV_STATUS(st));
	svc->fatal(svc->fatal_arg);
}

enum status
service_judge(struct service *svc, enum status st, const char *where)
{
	struct buf b = { 0 };

	if (st != ST_CORRUPT)
		return st;
	if (engine_failed(svc->engine)) {
		svc->set_aside = true;
		service_die(svc, "the applied state is damaged and will be rebuilt", st);
		return st;
	}
	state_damage(svc->state, &b);
	LOG(NULL, ERROR, "store.damage", KV_UINT("shard", svc->cf.shard), KV_STR("where", where),
	    KV_SPAN("record", buf_span(&b)));
	buf_fini(&b);
	return st;
}

/* Opening ----------------------------------------------------------------------- */

static void
on_tick(void *arg)
{
	tick_start(arg);
}

enum status
service_open(struct loop *l, const struct service_conf *cf, const char *dir,
    service_fatal_fn fatal, void *arg, struct service **out)
{
	struct service *svc = mem_zalloc(sizeof(*svc));
	enum status st;

	*out = NULL;
	svc->loop = l;
	svc->dir = mem_strdup(dir);
	svc->fatal = fatal;
	svc->fatal_arg = arg;
	take_conf(svc, cf);
	list_init(&svc->peers);
	list_init(&svc->ready);
	list_init(&svc->tick);
	list_init(&svc->opened);
	list_init(&svc->reads);
	list_init(&svc->restores);
	list_init(&svc->finds);
	voids_init(&svc->voids, VOIDS_MAX);
	st = rebuild_open(svc);
	if (st != ST_OK) {
		service_close(&svc);
		return st;
	}
	svc->tick_task = loop_task_new(l, on_tick, svc);
	svc->reads_task = loop_task_new(l, reads_run, svc);
	svc->readers = readers_new(l, svc->journal, cf->readers > 0 ? cf->readers : 1);
	svc->texts = texts_new(svc);
	index_start(svc);
	copies_start(svc);
	reclaim_start(svc);
	chores_start(svc);
	upgrades_start(svc);
	packing_start(svc);
	stock_start(svc);
	compact_start(svc);
	push_start(svc);
	queue_start(svc);
	*out = svc;
	return ST_OK;
}

static void
free_account(void *value, void *arg)
{
	mem_free(&value);
}

/* Nobody waits for them any more. */
static void
drop_requests(struct service *svc)
{
	size_t pos = 0;
	void *v;

	while (!list_empty(&svc->tick))
		request_free(list_entry(svc->tick.next, struct request, node));
	while (table_next(&svc->accounts, &pos, NULL, &v)) {
		struct account *a = v;

		a->refs++;
		while (!list_empty(&a->queue))
			request_free(list_entry(a->queue.next, struct request, node));
		account_unref(svc, a);
	}
}

void
service_close(struct service **svcp)
{
	struct service *svc = *svcp;

	*svcp = NULL;
	if (svc == NULL)
		return;
	svc->closing = true;
	if (svc->tick_task != NULL) {
		tick_finish_all(svc);
		chores_stop(svc);
		upgrades_stop(svc);
		packing_stop(svc);
		stock_stop(svc);
		compact_stop(svc);
		queue_stop(svc);
	}
	fsck_stop(svc);
	push_stop(svc);
	index_stop(svc);
	while (!list_empty(&svc->peers)) {
		struct peer *p = list_entry(svc->peers.next, struct peer, node);

		ipc_flush(p->ipc, 200);
		peer_free(&p);
	}
	copies_stop(svc);
	reclaim_stop(svc);
	readers_free(&svc->readers);
	index_free(svc);
	texts_free(&svc->texts);
	drop_requests(svc);
	restores_fini(svc);
	tickets_fini(svc);
	loop_io_free(&svc->flush_io);
	loop_task_free(&svc->tick_task);
	loop_task_free(&svc->reads_task);
	rebuild_close(svc);
	if (svc->set_aside) {
		struct buf db = { 0 };

		buf_addf(&db, "%s/db", svc->dir);
		engine_set_aside(buf_cstr(&db), NULL);
		buf_fini(&db);
	}
	table_fini(&svc->accounts, free_account, NULL);
	opened_fini(svc);
	leases_fini(svc);
	buf_fini(&svc->outcomes);
	chores_free(svc);
	queue_free(svc);
	compact_free(svc);
	service_conf_fini(&svc->cf);
	mem_free(&svc->dir);
	mem_free(&svc);
}

void
service_stats(struct service *svc, struct buf *out)
{
	struct journal_stats js;
	struct engine_stats es;
	struct state_schema sc;
	struct journal_pos at;

	journal_stats(svc->journal, &js);
	engine_stats(svc->engine, &es);
	state_position(svc->state, &at);
	buf_addf(out, "shard=%u\nincarnation=%llu\napplied_lsn=%llu\n", svc->cf.shard,
	    (unsigned long long)state_incarnation(svc->state), (unsigned long long)at.lsn);
#define COUNT(name, v) buf_addf(out, name "=%llu\n", (unsigned long long)(v))
	COUNT("requests", svc->n_requests);
	COUNT("operations", svc->n_ops);
	COUNT("ticks", svc->n_ticks);
	COUNT("tickets_refused", svc->n_refused_tickets);
	COUNT("dirty_notes", svc->n_dirty);
	COUNT("requests_held_bytes", svc->held);
	COUNT("accounts_open", svc->accounts.count);
	COUNT("journal_bytes", js.bytes);
	COUNT("journal_flushes", js.flushes);
	COUNT("journal_flush_us_sum", js.flush_us_sum);
	COUNT("journal_flush_us_max", js.flush_us_max);
	COUNT("journal_segments_made", js.segments_made);
	state_schema(svc->state, &sc);
	COUNT("db_schema", sc.complete);
	COUNT("db_renewed", sc.renewed);
	COUNT("db_commits", es.commits);
	COUNT("db_checkpoints", es.checkpoints);
	COUNT("db_cache_hits", es.cache_hits);
	COUNT("db_cache_misses", es.cache_misses);
	COUNT("db_log_bytes", es.log_bytes);
#undef COUNT
	index_stats(svc, out);
	push_stats(svc, out);
	queue_stats(svc, out);
	texts_stats(svc->texts, out);
	copies_stats(svc, out);
	chores_stats(svc, out);
	reclaim_stats(svc, out);
	compact_stats(svc, out);
	stock_stats(svc, out);
}

struct state *
service_state(struct service *svc)
{
	return svc->state;
}

struct journal *
service_journal(struct service *svc)
{
	return svc->journal;
}
