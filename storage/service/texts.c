/* One thing at a time is done to an account's file, by a job of the pool; the loop alone looks at
 * struct text_account.  Searches read views, which do not change. */
#include "storage/service/texts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mime/charset.h"
#include "common/util/bytes.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "storage/service/index.h"
#include "storage/service/service_priv.h"

#define THREADS		2u
#define HELD_MAX	(64u << 20)	/* bytes of texts that are not written yet */
#define HELD_MS		30000u		/* so long at most */
#define VIEWS_BYTES	((size_t)64 << 20)	/* of the blocks' lists and filters */
#define VIEWS_MAX	256u		/* each has a file open */
#define STEPS		4u		/* blocks that a thread looks through at once */
#define TIMER_MS	5000u
#define SWEEP_MS	(20 * 3600 * (uint64_t)1000)	/* from one look through a file to the next */
#define SWEEP_ROUND_MS	(10 * 3600 * (uint64_t)1000)	/* all files are looked through in it */
#define SWEEP_FIRST_MS	60000u
#define GAPS_MAX	64u		/* mailboxes of which texts are to be made */
#define GAP_JOBS	4u

enum work { WORK_LOAD, WORK_APPEND, WORK_SWEEP };

struct text_account {
	struct texts		*t;
	uint64_t		id;
	struct text_docs	pending;
	uint64_t		since_ms;	/* of the first in pending */
	struct list		held;		/* of t->held while something is pending */
	struct text_view	*view;		/* NULL: not looked at yet */
	size_t			memory;		/* of view, counted in t->views */
	struct list		used;		/* of t->used, the last one first */
	struct list		waiting;	/* searches that want the view */
	unsigned		searches;
	bool			gone;		/* no file any more, once nothing is under way */
	bool			sweep, bad;
	bool			damaged;	/* which of its blocks are is found out in the sweep */
	/* what is done to its file */
	bool			busy, finding;
	struct pool_job		job;
	enum work		work;
	struct text_docs	writing;
	struct text_view	*before, *after;
	enum status		st;
};

struct gap {
	struct list	node;
	uint64_t	account, mailbox;
	struct uidset	uids;
};

struct texts {
	struct service		*svc;
	int			dir;
	struct pool		*pool;
	struct loop_timer	*timer;
	struct table		accounts;
	struct list		held, used;	/* the oldest first; the last one first */
	size_t			held_bytes, views;	/* views: bytes */
	unsigned		n_views;
	bool			closing, full_told;
	struct buf		sweep;		/* u64: accounts that are still to be looked through */
	uint64_t		sweep_ms;	/* when the next round begins */
	size_t			sweep_step;	/* accounts at once */
	struct list		gaps;
	unsigned		n_gaps, gap_jobs;
	uint64_t		n_taken, n_lost, n_searches, n_filled;
};

struct lane {
	struct pool_job		job;
	struct texts_search	*ts;
};

struct texts_search {
	struct list		node;		/* of account->waiting */
	struct text_account	*a;
	struct text_search	*s;
	texts_done_fn		done;
	void			*arg;
	struct pool_job		plan;
	struct text_view	*view;
	struct lane		lanes[THREADS];
	atomic_size_t		next;
	size_t			n_steps;
	unsigned		running;
	atomic_bool		cancelled, bad;
};

static void next_work(struct text_account *a);

/* Accounts -------------------------------------------------------------------------- */

static struct text_account *
account_of(struct texts *t, uint64_t id)
{
	struct text_account *a = table_get_u64(&t->accounts, id);

	if (a != NULL)
		return a;
	a = mem_zalloc(sizeof(*a));
	a->t = t;
	a->id = id;
	list_init(&a->waiting);
	table_put_u64(&t->accounts, id, a);
	return a;
}

static void
forget_view(struct text_account *a)
{
	if (a->view == NULL)
		return;
	a->t->n_views--;
	a->t->views -= a->memory;
	a->memory = 0;
	list_remove(&a->used);
	text_view_unref(&a->view);
}

/* Nothing is known of it that is not in its file. */
static void
forget_idle(struct text_account *a)
{
	if (a->busy || a->view != NULL || a->pending.n > 0 || a->searches > 0 ||
	    !list_empty(&a->waiting))
		return;
	if (a->gone)
		text_remove(a->t->dir, a->id);
	table_del_u64(&a->t->accounts, a->id);
	text_docs_fini(&a->pending);
	mem_free(&a);
}

static void
take_view(struct text_account *a, struct text_view *v)
{
	struct text_view_stats st;
	struct texts *t = a->t;

	forget_view(a);
	text_view_stats(v, &st);
	a->view = v;
	a->memory = st.memory;
	t->views += st.memory;
	t->n_views++;
	list_push_front(&t->used, &a->used);
}

/* Views that nobody looked at for the longest time go. */
static void
trim_views(struct texts *t)
{
	while (t->views > VIEWS_BYTES || t->n_views > VIEWS_MAX) {
		struct text_account *a = list_entry(t->used.prev, struct text_account, used);

		forget_view(a);
		forget_idle(a);
	}
}

/* Work on a file --------------------------------------------------------------------- */

static bool
is_there(void *arg, uint64_t message)
{
	struct text_account *a = arg;
	enum status st = state_message_there(a->t->svc->state, a->id, message);

	return st != ST_NOT_FOUND;
}

/* Marks the blocks that cannot be read. */
static void
find_damage(const struct text_view *v)
{
	struct buf report = { 0 };
	uint64_t wrong = 0;

	for (size_t i = 0; text_check_block(v, i, NULL, NULL, &report, &wrong); i++)
		buf_clear(&report);
	buf_fini(&report);
}

static bool
run_work(struct pool_job *job)
{
	struct text_account *a = list_entry(job, struct text_account, job);

	if (a->before == NULL)
		a->before = text_open(a->t->dir, (uint16_t)a->t->svc->cf.shard, a->id);
	switch (a->work) {
	case WORK_APPEND:
		a->st = text_append(a->before, &a->writing, &a->after);
		break;
	case WORK_SWEEP:
		if (a->finding)
			find_damage(a->before);
		a->st = text_sweep(a->before, is_there, a, &a->after);
		break;
	default:
		a->st = ST_OK;
		a->after = text_view_ref(a->before);
	}
	return false;
}

static void start_search(struct texts_search *ts);

static void
start_waiting(struct text_account *a)
{
	while (!list_empty(&a->waiting)) {
		struct texts_search *ts = list_entry(a->waiting.next, struct texts_search, node);

		list_remove(&ts->node);
		start_search(ts);
	}
}

static void
work_done(struct pool_job *job)
{
	struct text_account *a = list_entry(job, struct text_account, job);
	struct texts *t = a->t;

	a->busy = false;
	t->held_bytes -= text_docs_bytes(&a->writing);
	if (a->st != ST_OK && a->work == WORK_APPEND)
		t->n_lost += a->writing.n;
	if (a->st != ST_OK && !t->full_told)
		LOG(NULL, WARN, "text.write", KV_UINT("shard", t->svc->cf.shard),
		    KV_UINT("account", a->id), KV_STATUS(a->st));
	t->full_told = a->st != ST_OK;
	text_docs_fini(&a->writing);
	text_view_unref(&a->before);
	take_view(a, a->after);
	a->after = NULL;
	start_waiting(a);
	next_work(a);
	trim_views(t);
}

static void
start_work(struct text_account *a, enum work work)
{
	a->busy = true;
	a->work = work;
	a->before = a->view != NULL ? text_view_ref(a->view) : NULL;
	a->job = (struct pool_job){ .run = run_work, .done = work_done };
	pool_submit(a->t->pool, &a->job);
}

/* The room that is left is for changes of mail: what can be made anew does not take it. */
static bool
is_room(const struct text_account *a)
{
	return journal_has_room(a->t->svc->journal, text_docs_bytes(&a->pending));
}

static void
lose_pending(struct text_account *a)
{
	a->t->held_bytes -= text_docs_bytes(&a->pending);
	a->t->n_lost += a->pending.n;
	text_docs_fini(&a->pending);
	a->pending = (struct text_docs){ 0 };
}

static void
write_pending(struct text_account *a)
{
	if (a->busy || a->pending.n == 0)
		return;
	list_remove(&a->held);
	if (!is_room(a)) {
		lose_pending(a);
		return;
	}
	a->writing = a->pending;
	a->pending = (struct text_docs){ 0 };
	start_work(a, WORK_APPEND);
}

static bool
is_due(const struct text_account *a)
{
	return a->pending.n > 0 && (a->t->closing || text_docs_bytes(&a->pending) >= TEXT_BLOCK_BYTES ||
	    clock_mono_ms() - a->since_ms >= HELD_MS);
}

static void
next_work(struct text_account *a)
{
	if (a->busy)
		return;
	if (a->gone) {
		list_remove(&a->held);
		a->t->held_bytes -= text_docs_bytes(&a->pending);
		text_docs_fini(&a->pending);
		forget_view(a);
		forget_idle(a);
	} else if (is_due(a)) {
		write_pending(a);
	} else if (a->sweep && !a->t->closing) {
		a->sweep = a->bad = false;
		a->finding = a->damaged;
		a->damaged = false;
		start_work(a, WORK_SWEEP);
	}
}

/* Taking ----------------------------------------------------------------------------- */

void
texts_add(struct texts *t, uint64_t account, uint64_t message, const struct store_text *text)
{
	size_t bytes = text->header.len + text->body.len;
	struct text_account *a;

	t->n_taken++;
	if (t->held_bytes + bytes > HELD_MAX) {
		t->n_lost++;
		return;
	}
	a = account_of(t, account);
	if (!text_docs_add(&a->pending, message, text->version, text->cut, text->header,
	    text->body)) {
		t->n_lost++;
		return;
	}
	t->held_bytes += bytes;
	if (a->pending.n == 1) {
		a->since_ms = clock_mono_ms();
		list_push_back(&t->held, &a->held);
	}
	if (text_docs_bytes(&a->pending) >= TEXT_BLOCK_BYTES)
		write_pending(a);
}

void
texts_take(struct texts *t, uint64_t account, struct span items, struct span messages,
    uint64_t mailbox, uint32_t uid)
{
	struct store_append_item it;
	struct uidset others = { 0 };
	struct reader r;

	reader_init(&r, items.p, items.len);
	while (messages.len >= 8 && get_store_append_item(&r, &it)) {
		struct store_text text;
		struct reader in;

		reader_init(&in, it.text.p, it.text.len);
		if (it.text.len > 0 && get_store_text(&in, &text) && reader_done(&in)) {
			if (!text.other || !t->svc->cf.extracts || uid == 0)
				texts_add(t, account, get_be64(messages.p), &text);
			else
				uidset_add(&others, uid);
		}
		uid += uid != 0;
		messages = span_sub(messages, 8, messages.len);
	}
	texts_missing(t, account, mailbox, &others);
	uidset_fini(&others);
}

void
texts_drop(struct texts *t, uint64_t account)
{
	struct text_account *a = account_of(t, account);

	a->gone = true;
	next_work(a);
}

/* Searching -------------------------------------------------------------------------- */

static void
search_over(struct texts_search *ts)
{
	struct text_account *a = ts->a;

	text_view_unref(&ts->view);
	if (atomic_load(&ts->bad) && !a->bad) {
		LOG(NULL, WARN, "text.damage", KV_UINT("shard", a->t->svc->cf.shard),
		    KV_UINT("account", a->id));
		a->bad = a->sweep = true;
		next_work(a);
	}
	a->searches--;
	ts->done(ts->arg, !atomic_load(&ts->bad));
	trim_views(a->t);
	forget_idle(a);
	mem_free(&ts);
}

static bool
run_lane(struct pool_job *job)
{
	struct texts_search *ts = list_entry(job, struct lane, job)->ts;

	for (unsigned i = 0; i < STEPS; i++) {
		size_t step = atomic_fetch_add(&ts->next, 1);

		if (step >= ts->n_steps || atomic_load(&ts->cancelled))
			return false;
		if (!text_search_step(ts->s, step))
			atomic_store(&ts->bad, true);
	}
	return true;
}

static bool
run_end(struct pool_job *job)
{
	text_search_end(list_entry(job, struct texts_search, plan)->s);
	return false;
}

static void
ended(struct pool_job *job)
{
	search_over(list_entry(job, struct texts_search, plan));
}

static void
end_search(struct texts_search *ts)
{
	ts->plan = (struct pool_job){ .run = run_end, .done = ended };
	pool_submit(ts->a->t->pool, &ts->plan);
}

static void
lane_done(struct pool_job *job)
{
	struct texts_search *ts = list_entry(job, struct lane, job)->ts;

	if (--ts->running == 0)
		end_search(ts);
}

static bool
run_plan(struct pool_job *job)
{
	struct texts_search *ts = list_entry(job, struct texts_search, plan);

	text_search_add_view(ts->s, ts->view);
	return false;
}

static void
planned(struct pool_job *job)
{
	struct texts_search *ts = list_entry(job, struct texts_search, plan);

	ts->n_steps = text_search_steps(ts->s);
	ts->running = ts->n_steps < THREADS ? (unsigned)ts->n_steps : THREADS;
	if (ts->running == 0)
		end_search(ts);
	for (unsigned i = 0; i < ts->running; i++) {
		ts->lanes[i] = (struct lane){ .job = { .run = run_lane, .done = lane_done },
		    .ts = ts };
		pool_submit(ts->a->t->pool, &ts->lanes[i].job);
	}
}

static void
start_search(struct texts_search *ts)
{
	struct text_account *a = ts->a;

	/* What is newer counts. */
	text_search_add_docs(ts->s, &a->pending);
	if (a->busy)
		text_search_add_docs(ts->s, &a->writing);
	ts->view = text_view_ref(a->view);
	list_remove(&a->used);
	list_push_front(&a->t->used, &a->used);
	ts->plan = (struct pool_job){ .run = run_plan, .done = planned };
	pool_submit(a->t->pool, &ts->plan);
}

struct texts_search *
texts_search(struct texts *t, uint64_t account, struct text_search *s, texts_done_fn done,
    void *arg)
{
	struct texts_search *ts = mem_zalloc(sizeof(*ts));
	struct text_account *a = account_of(t, account);

	t->n_searches++;
	ts->a = a;
	ts->s = s;
	ts->done = done;
	ts->arg = arg;
	atomic_init(&ts->next, 0);
	atomic_init(&ts->cancelled, false);
	atomic_init(&ts->bad, false);
	a->searches++;
	if (a->view != NULL) {
		start_search(ts);
		return ts;
	}
	list_push_back(&a->waiting, &ts->node);
	if (!a->busy)
		start_work(a, WORK_LOAD);
	return ts;
}

void
texts_cancel(struct texts_search *ts)
{
	atomic_store(&ts->cancelled, true);
}

/* Filling gaps ----------------------------------------------------------------------- */

static void fill_gaps(struct texts *t);

struct filling {
	struct texts	*t;
	uint64_t	account, mailbox;
	uint32_t	uid;
};

static bool
message_of(struct texts *t, const struct filling *f, uint64_t *message)
{
	struct uidset one = { 0 };
	struct store_row row;
	struct buf out = { 0 };
	struct reader r;
	uint32_t resume = 0;
	bool found;

	uidset_add(&one, f->uid);
	found = state_rows(t->svc->state, f->account, f->mailbox, &one, ROW_IDS, 4096, &resume,
	    &out) == ST_OK;
	reader_init(&r, out.data, out.len);
	found = found && get_store_row(&r, &row, ROW_IDS);
	if (found)
		*message = row.message;
	buf_fini(&out);
	uidset_fini(&one);
	return found;
}

static void
filled(void *arg, const struct index_digest_result *r)
{
	struct filling *f = arg;
	struct texts *t = f->t;
	struct buf body = { 0 };
	uint64_t message;

	t->gap_jobs--;
	if (r->st == ST_OK && r->text.len <= TEXT_DOC_MAX && r->is.text_header <= r->text.len &&
	    message_of(t, f, &message)) {
		struct store_text text = { .version = r->is.text_version,
			.cut = r->is.text_cut, .header = span_sub(r->text, 0, r->is.text_header) };

		buf_add_span(&body, span_sub(r->text, r->is.text_header, r->text.len));
		/* beside the canonical text, as far as there is room */
		buf_add_span(&body, mime_utf8_cut(r->extracted, TEXT_DOC_MAX - r->text.len));
		text.body = buf_span(&body);
		t->n_filled++;
		texts_add(t, f->account, message, &text);
	}
	buf_fini(&body);
	mem_free(&f);
	if (r->st != ST_UNAVAILABLE && !t->closing)
		fill_gaps(t);
}

static void
drop_gap(struct texts *t, struct gap *g)
{
	list_remove(&g->node);
	t->n_gaps--;
	uidset_fini(&g->uids);
	mem_free(&g);
}

/* Mailboxes in turn. */
static void
fill_gaps(struct texts *t)
{
	while (t->gap_jobs < GAP_JOBS && !list_empty(&t->gaps)) {
		struct gap *g = list_entry(t->gaps.next, struct gap, node);
		struct filling *f = mem_zalloc(sizeof(*f));
		uint32_t uid = uidset_next(&g->uids, 0);

		*f = (struct filling){ t, g->account, g->mailbox, uid };
		if (index_digest(t->svc, &(struct index_what){ .account = g->account,
		    .mailbox = g->mailbox, .uid = uid }, TEXT_DOC_MAX, t->svc->cf.extracts, filled, f) == NULL) {
			mem_free(&f);
			return;		/* the timer comes again */
		}
		t->gap_jobs++;
		uidset_remove_range(&g->uids, uid, uid);
		list_remove(&g->node);
		list_push_back(&t->gaps, &g->node);
		if (uidset_empty(&g->uids))
			drop_gap(t, g);
	}
}

void
texts_missing(struct texts *t, uint64_t account, uint64_t mailbox, const struct uidset *uids)
{
	struct list *n, *tmp;
	struct gap *g;

	if (uidset_empty(uids))
		return;
	list_each(n, tmp, &t->gaps) {
		g = list_entry(n, struct gap, node);
		if (g->account == account && g->mailbox == mailbox) {
			uidset_add_set(&g->uids, uids);
			return;
		}
	}
	if (t->n_gaps == GAPS_MAX)
		return;
	g = mem_zalloc(sizeof(*g));
	g->account = account;
	g->mailbox = mailbox;
	uidset_copy(&g->uids, uids);
	list_push_back(&t->gaps, &g->node);
	t->n_gaps++;
	fill_gaps(t);
}

/* The course of time ------------------------------------------------------------------- */

static void
write_old(struct texts *t)
{
	struct list *n, *tmp;

	list_each(n, tmp, &t->held) {
		struct text_account *a = list_entry(n, struct text_account, held);

		if (!is_due(a))
			return;
		next_work(a);
	}
}

static void
sweep_one(struct texts *t, uint64_t account)
{
	struct text_account *a;
	struct state_account sa;
	enum status st = state_account(t->svc->state, account, &sa);

	if (st == ST_NOT_FOUND || (st == ST_OK && sa.purged)) {
		texts_drop(t, account);
	} else if (st == ST_OK) {
		a = account_of(t, account);
		a->sweep = true;
		next_work(a);
	}
}

/* What is purged has left the files in less than a day. */
static void
sweep_some(struct texts *t)
{
	uint64_t now = clock_mono_ms();

	if (t->sweep.len == 0 && now >= t->sweep_ms) {
		text_list(t->dir, &t->sweep);
		t->sweep_ms = now + SWEEP_MS;
		t->sweep_step = 1 + (size_t)(t->sweep.len / 8 * TIMER_MS / SWEEP_ROUND_MS);
	}
	for (size_t i = 0; i < t->sweep_step && t->sweep.len > 0; i++) {
		uint64_t account = get_be64(t->sweep.data);

		buf_drop(&t->sweep, 8);
		sweep_one(t, account);
	}
}

static void
on_timer(void *arg)
{
	struct texts *t = arg;

	write_old(t);
	sweep_some(t);
	fill_gaps(t);
	loop_timer_set(t->timer, TIMER_MS);
}

/* -1: nothing will be kept. */
static int
open_folder(const char *shard)
{
	int top = open(shard, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir;

	if (mkdirat(top, "text", 0700) != 0 && errno != EEXIST)
		LOG(NULL, WARN, "text.folder", KV_STR("shard", shard), KV_ERRNO(errno));
	dir = openat(top, "text", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd_close(&top);
	return dir;
}

int
texts_dir(const struct texts *t)
{
	return t->dir;
}

struct pool *
texts_pool(struct texts *t)
{
	return t->pool;
}

void
texts_damaged(struct texts *t, uint64_t account)
{
	struct text_account *a = account_of(t, account);

	a->sweep = a->damaged = true;
	next_work(a);
	forget_idle(a);
}

struct texts *
texts_new(struct service *svc)
{
	struct texts *t = mem_zalloc(sizeof(*t));

	t->svc = svc;
	t->dir = open_folder(svc->dir);
	t->pool = pool_new(svc->loop, THREADS);
	list_init(&t->held);
	list_init(&t->used);
	list_init(&t->gaps);
	t->sweep_ms = clock_mono_ms() + SWEEP_FIRST_MS;
	t->timer = loop_timer_new(svc->loop, on_timer, t);
	loop_timer_set(t->timer, TIMER_MS);
	return t;
}

static void
free_account(void *value, void *arg)
{
	struct text_account *a = value;

	text_docs_fini(&a->pending);
	text_view_unref(&a->view);
	mem_free(&a);
}

void
texts_free(struct texts **tp)
{
	struct texts *t = *tp;
	struct list *n, *tmp;

	if (t == NULL)
		return;
	t->closing = true;
	loop_timer_free(&t->timer);
	list_each(n, tmp, &t->held)
		next_work(list_entry(n, struct text_account, held));
	pool_free(&t->pool);
	while (!list_empty(&t->gaps))
		drop_gap(t, list_entry(t->gaps.next, struct gap, node));
	table_fini(&t->accounts, free_account, NULL);
	buf_fini(&t->sweep);
	fd_close(&t->dir);
	mem_free(tp);
}

void
texts_stats(const struct texts *t, struct buf *out)
{
#define COUNT(name, v) buf_addf(out, name "=%llu\n", (unsigned long long)(v))
	COUNT("texts_taken", t->n_taken);
	COUNT("texts_lost", t->n_lost);
	COUNT("texts_made_anew", t->n_filled);
	COUNT("texts_held_bytes", t->held_bytes);
	COUNT("text_index_bytes", t->views);
	COUNT("text_searches", t->n_searches);
#undef COUNT
}
