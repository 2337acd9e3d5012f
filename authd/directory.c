#include "authd/directory.h"

#include <string.h>

#include "common/ipc/ipc.h"
#include "common/util/buf.h"
#include "common/util/bytes.h"
#include "common/util/fd.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "storage/api/store_proto.h"

#define CACHE_MAX	65536u
#define TRIES_MAX	8		/* of a write that others are faster with */
#define SCAN_PAGE	500u
#define NEXT_ACCOUNT	"next/account"
#define ID_BLOCK	32u

struct cached {
	uint64_t	version;
	struct buf	key, value;
};

enum job_state { JOB_READY, JOB_READING, JOB_AWAY, JOB_WRITING };

/* A scan under way or done. */
struct job_scan {
	struct list	in;
	struct span	from, to;
	size_t		max;
	struct buf	next;		/* key to go on from */
	struct dir_rec	*recs;
	size_t		n, room;
	size_t		asked_at;	/* n when the read was sent */
	bool		done;
};

struct job_step {
	struct list	in;
	bool		put;
	struct span	key, value;
	uint64_t	version;
};

struct dir_job {
	struct list		in;
	struct directory	*d;
	dir_run_fn		run;
	dir_end_fn		end;
	void			*arg;
	enum job_state		state;
	bool			waits, running;
	unsigned		tries;
	uint32_t		req;
	uint64_t		give_up_ms;
	struct arena		mem;
	struct table		recs;
	struct list		scans, steps;
	/* what it waits for: a key, or a scan */
	struct span		want;
	struct job_scan		*want_scan;
	uint64_t		id;		/* taken from the block; 0: none */
	uint64_t		block;		/* a new block begins here, once it is written */
};

struct directory {
	struct directory_config	cf;
	struct ipc		*ipc;
	bool			up;
	struct table		cache;
	struct list		ready;		/* jobs to run now */
	struct list		jobs;		/* the others */
	struct loop_task	*task;
	struct loop_timer	*timer;
	uint64_t		id_next, id_end;	/* of the block of account ids that is ours */
};

/* The cache --------------------------------------------------------------------- */

static void
cached_free(void *value, void *arg)
{
	struct cached *c = value;

	buf_fini(&c->key);
	buf_fini_secret(&c->value);
	mem_free(&c);
}

void
directory_flush(struct directory *d)
{
	table_fini(&d->cache, cached_free, NULL);
}

static void
cache_put(struct directory *d, const struct dir_rec *rec)
{
	struct cached *c, *old;

	if (d->cache.count >= CACHE_MAX)
		directory_flush(d);
	c = mem_zalloc(sizeof(*c));
	c->version = rec->version;
	buf_add_span(&c->key, rec->key);
	buf_add_span(&c->value, rec->value);
	old = table_put(&d->cache, rec->key, c);
	if (old != NULL)
		cached_free(old, NULL);
}

static void
cache_del(struct directory *d, struct span key)
{
	struct cached *c = table_del(&d->cache, key);

	if (c != NULL)
		cached_free(c, NULL);
}

/* The account a key belongs to; 0: none, or it takes a look into the record. */
static uint64_t
key_account(struct span key)
{
	static const char *const kinds[] = { "account/", "verifier/", "app/" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct span id = span_sub(key, strlen(kinds[i]), 16);
		uint64_t v = 0;

		if (!span_has_prefix(key, kinds[i]) || id.len != 16)
			continue;
		for (size_t k = 0; k < 16; k++)
			v = v << 4 | (uint64_t)(ascii_hex(id.p[k]) & 15);
		return v;
	}
	return 0;
}

static void
changed(struct directory *d, struct span key)
{
	uint64_t account = key_account(key);

	cache_del(d, key);
	if (d->cf.touched != NULL)
		d->cf.touched(d->cf.arg);
	if (account != 0 && d->cf.changed != NULL)
		d->cf.changed(d->cf.arg, account);
}

static void
all_changed(struct directory *d)
{
	directory_flush(d);
	if (d->cf.touched != NULL)
		d->cf.touched(d->cf.arg);
	if (d->cf.changed != NULL)
		d->cf.changed(d->cf.arg, 0);
}

/* Jobs --------------------------------------------------------------------------- */

static struct dir_rec *
keep(struct dir_job *job, uint64_t version, struct span key, struct span value)
{
	struct dir_rec *r = arena_zalloc(&job->mem, sizeof(*r));

	r->version = version;
	r->key = arena_span(&job->mem, key);
	r->value = arena_span(&job->mem, value);
	table_put(&job->recs, r->key, r);
	return r;
}

/* Some are verifiers. */
static void
wipe_rec(void *value, void *arg)
{
	struct dir_rec *r = value;

	mem_wipe((void *)(uintptr_t)r->value.p, r->value.len);
}

static void
forget_reads(struct dir_job *job)
{
	struct list *n, *tmp;

	list_each(n, tmp, &job->scans) {
		struct job_scan *s = list_entry(n, struct job_scan, in);

		buf_fini(&s->next);
		mem_free(&s->recs);
	}
	list_init(&job->scans);
	list_init(&job->steps);
	table_fini(&job->recs, wipe_rec, NULL);
	job->want = SPAN_NONE;
	job->want_scan = NULL;
	arena_fini(&job->mem);
}

static void
job_free(struct dir_job *job)
{
	if (job->req != 0 && job->d->ipc != NULL)
		ipc_cancel(job->d->ipc, job->req);
	list_remove(&job->in);
	forget_reads(job);
	mem_free(&job);
}

static void
job_end(struct dir_job *job, enum status st)
{
	dir_end_fn end = job->end;
	void *arg = job->arg;

	/* its results live in the job's memory: the end reads them before it goes */
	list_remove(&job->in);
	job->running = true;
	end(arg, st);
	job_free(job);
}

static void
job_ready(struct dir_job *job)
{
	job->state = JOB_READY;
	list_remove(&job->in);
	list_push_back(&job->d->ready, &job->in);
	loop_task_post(job->d->task);
}

static void
arm(struct directory *d)
{
	uint64_t now = loop_now_ms(d->cf.loop), first = UINT64_MAX;
	struct list *n, *tmp;

	list_each(n, tmp, &d->jobs) {
		struct dir_job *job = list_entry(n, struct dir_job, in);

		if (job->state == JOB_AWAY && job->give_up_ms < first)
			first = job->give_up_ms;
	}
	if (first != UINT64_MAX)
		loop_timer_set(d->timer, first > now ? first - now : 1);
}

/* The store is away: the job asks again when it is back. */
static void
job_away(struct dir_job *job)
{
	job->state = JOB_AWAY;
	if (job->give_up_ms == 0)
		job->give_up_ms = loop_now_ms(job->d->cf.loop) + DIRECTORY_WAIT_MS;
	arm(job->d);
}

static void
take_records(struct dir_job *job, struct span records)
{
	struct store_dir_record rec;
	struct reader r;

	reader_init(&r, records.p, records.len);
	while (get_store_dir_record(&r, &rec)) {
		struct dir_rec *kept;
		struct job_scan *s = job->want_scan;

		if (s == NULL) {
			if (span_eq(rec.key, job->want)) {
				kept = keep(job, rec.version, rec.key, rec.value);
				cache_put(job->d, kept);
			}
			continue;
		}
		if (s->n == s->max || rec.version == 0)
			continue;
		kept = keep(job, rec.version, rec.key, rec.value);
		if (s->n == s->room) {
			s->room = s->room == 0 ? 64 : s->room * 2;
			s->recs = mem_realloc_array(s->recs, s->room, sizeof(*s->recs));
		}
		s->recs[s->n++] = *kept;
	}
}

static void read_wanted(struct dir_job *job);

static void
scan_page_done(struct dir_job *job)
{
	struct job_scan *s = job->want_scan;

	if (s->n == s->asked_at || s->n == s->max) {
		s->done = true;
		job_ready(job);
		return;
	}
	buf_clear(&s->next);
	buf_add_span(&s->next, s->recs[s->n - 1].key);
	buf_add_c(&s->next, '\0');
	read_wanted(job);
}

static void
on_records(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct dir_job *job = arg;
	const struct store_dir_records *rs = msg;

	if (!h->more)
		job->req = 0;
	if (h->status != ST_OK && h->status != ST_NOT_FOUND) {
		if (h->status == ST_UNAVAILABLE)
			job_away(job);
		else
			job_end(job, h->status == ST_DENIED ? ST_BUG : h->status);
		return;
	}
	if (m != NULL && m->no == STORE_DIR_RECORDS)
		take_records(job, rs->records);
	if (h->more)
		return;
	if (job->want_scan != NULL) {
		scan_page_done(job);
		return;
	}
	if (table_get(&job->recs, job->want) == NULL)
		cache_put(job->d, keep(job, 0, job->want, SPAN_NONE));
	job_ready(job);
}

static void
read_wanted(struct dir_job *job)
{
	struct store_dir_read rq = { .limit = 1 };

	if (job->d->ipc == NULL || !ipc_is_open(job->d->ipc)) {
		job_away(job);
		return;
	}
	job->state = JOB_READING;
	if (job->want_scan != NULL) {
		size_t left = job->want_scan->max - job->want_scan->n;

		job->want_scan->asked_at = job->want_scan->n;
		rq.from = buf_span(&job->want_scan->next);
		rq.to = job->want_scan->to;
		rq.limit = left < SCAN_PAGE ? (uint32_t)left : SCAN_PAGE;
	} else {
		rq.from = job->want;
	}
	job->req = ipc_request(job->d->ipc, 0, STORE_DIR_READ, &rq, on_records, job);
}

static void
run_again(struct dir_job *job)
{
	forget_reads(job);
	job_ready(job);
}

static void
on_written(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct dir_job *job = arg;
	struct list *n, *tmp;

	if (h->more)
		return;
	job->req = 0;
	/* also after a conflict: what was read is old */
	list_each(n, tmp, &job->steps)
		changed(job->d, list_entry(n, struct job_step, in)->key);
	if (h->status == ST_OK && job->block != 0) {
		job->d->id_next = job->block + 1;	/* the first is the job's own */
		job->d->id_end = job->block + ID_BLOCK;
	}
	if (h->status == ST_CONFLICT && ++job->tries < TRIES_MAX) {
		if (job->tries > TRIES_MAX / 2)
			job->id = 0;		/* perhaps it is the id that is taken */
		run_again(job);
	} else {
		job_end(job, h->status);
	}
}

static void
write_steps(struct dir_job *job)
{
	struct store_dir_write rq = { 0 };
	struct buf b = { 0 };
	struct list *n, *tmp;

	if (job->d->ipc == NULL || !ipc_is_open(job->d->ipc)) {
		job_end(job, ST_UNAVAILABLE);
		return;
	}
	list_each(n, tmp, &job->steps) {
		struct job_step *s = list_entry(n, struct job_step, in);
		struct store_dir_step w = { .change = s->put ? 1 : 2, .key = s->key, .value = s->value };

		w.check = s->version == 0 ? DIR_ABSENT : DIR_VERSION;
		w.version = s->version;
		put_store_dir_step(&b, &w);
	}
	rq.steps = buf_span(&b);
	job->state = JOB_WRITING;
	job->req = ipc_request(job->d->ipc, 0, STORE_DIR_WRITE, &rq, on_written, job);
	buf_fini_secret(&b);
}

static void
job_run(struct dir_job *job)
{
	enum status st;

	list_remove(&job->in);
	list_push_back(&job->d->jobs, &job->in);
	list_init(&job->steps);
	job->waits = false;
	job->want = SPAN_NONE;
	job->want_scan = NULL;
	job->block = 0;
	st = job->run(job, job->arg);
	if (job->waits)
		read_wanted(job);
	else if (st == ST_OK && !list_empty(&job->steps))
		write_steps(job);
	else
		job_end(job, st);
}

/* Ends one job that waited too long; false: there is none. */
static bool
give_up_one(struct directory *d, uint64_t now)
{
	struct list *n, *tmp;

	list_each(n, tmp, &d->jobs) {
		struct dir_job *job = list_entry(n, struct dir_job, in);

		if (job->state == JOB_AWAY && job->give_up_ms <= now) {
			job_end(job, ST_UNAVAILABLE);
			return true;
		}
	}
	return false;
}

static void
on_task(void *arg)
{
	struct directory *d = arg;

	while (!list_empty(&d->ready))
		job_run(list_entry(d->ready.next, struct dir_job, in));
	while (give_up_one(d, loop_now_ms(d->cf.loop)))
		;
	arm(d);
}

struct dir_job *
dir_job_start(struct directory *d, dir_run_fn run, dir_end_fn end, void *arg)
{
	struct dir_job *job = mem_zalloc(sizeof(*job));

	job->d = d;
	job->run = run;
	job->end = end;
	job->arg = arg;
	list_init(&job->scans);
	list_init(&job->steps);
	job_ready(job);
	return job;
}

void
dir_job_cancel(struct dir_job **jp)
{
	struct dir_job *job = *jp;

	*jp = NULL;
	if (job != NULL && !job->running)
		job_free(job);
}

/* For run functions ---------------------------------------------------------------- */

struct arena *
dir_arena(struct dir_job *job)
{
	return &job->mem;
}

bool
dir_waits(const struct dir_job *job)
{
	return job->waits;
}

const struct dir_rec *
dir_get(struct dir_job *job, struct span key)
{
	struct dir_rec *r = table_get(&job->recs, key);
	struct cached *c;

	if (r != NULL)
		return r;
	if (job->waits)
		return NULL;
	c = table_get(&job->d->cache, key);
	if (c != NULL)
		return keep(job, c->version, key, buf_span(&c->value));
	job->want = arena_span(&job->mem, key);
	job->waits = true;
	return NULL;
}

const struct dir_rec *
dir_scan(struct dir_job *job, struct span from, struct span to, size_t max, size_t *count)
{
	static const struct dir_rec none;
	struct list *n, *tmp;
	struct job_scan *s;

	*count = 0;
	list_each(n, tmp, &job->scans) {
		s = list_entry(n, struct job_scan, in);
		if (!span_eq(s->from, from) || !span_eq(s->to, to) || s->max != max)
			continue;
		if (!s->done)
			break;
		*count = s->n;
		return s->n > 0 ? s->recs : &none;
	}
	if (job->waits)
		return NULL;
	s = arena_zalloc(&job->mem, sizeof(*s));
	s->from = arena_span(&job->mem, from);
	s->to = arena_span(&job->mem, to);
	s->max = max;
	buf_add_span(&s->next, from);
	list_push_back(&job->scans, &s->in);
	job->want_scan = s;
	job->waits = true;
	return NULL;
}

static void
step(struct dir_job *job, bool put, struct span key, struct span value)
{
	const struct dir_rec *r = dir_get(job, key);
	struct list *n, *tmp;
	struct job_step *s;

	if (r == NULL || (!put && r->version == 0))
		return;
	list_each(n, tmp, &job->steps) {
		s = list_entry(n, struct job_step, in);
		if (!span_eq(s->key, key))
			continue;
		s->put = put;
		s->value = arena_span(&job->mem, value);
		return;
	}
	s = arena_zalloc(&job->mem, sizeof(*s));
	s->put = put;
	s->key = r->key;
	s->value = arena_span(&job->mem, value);
	s->version = r->version;
	list_push_back(&job->steps, &s->in);
}

void
dir_put(struct dir_job *job, struct span key, struct span value)
{
	step(job, true, key, value);
}

void
dir_del(struct dir_job *job, struct span key)
{
	step(job, false, key, SPAN_NONE);
}

bool
dir_take_id(struct dir_job *job, uint64_t *id)
{
	struct directory *d = job->d;
	const struct dir_rec *r;
	char raw[8];

	/* what is taken and not used in the end is never given again */
	if (job->id == 0 && d->id_next < d->id_end)
		job->id = d->id_next++;
	if (job->id != 0) {
		*id = job->id;
		return true;
	}
	r = dir_get(job, SPAN_LIT(NEXT_ACCOUNT));
	if (r == NULL)
		return false;
	job->block = r->version != 0 && r->value.len == 8 ? get_be64(r->value.p) : 1;
	put_be64(raw, job->block + ID_BLOCK);
	dir_put(job, SPAN_LIT(NEXT_ACCOUNT), span(raw, sizeof(raw)));
	*id = job->block;
	return true;
}

/* The connection ------------------------------------------------------------------- */

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct directory *d = arg;
	const struct store_dir_dirty *dirty = msg;
	struct reader r;

	if (m->no != STORE_DIR_DIRTY)
		return;
	if (dirty->keys.len == 0) {
		all_changed(d);
		return;
	}
	reader_init(&r, dirty->keys.p, dirty->keys.len);
	while (reader_left(&r) > 0) {
		struct span key = get_span(&r);

		if (r.bad)
			break;
		changed(d, key);
	}
	if (r.bad)
		all_changed(d);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct directory *d = arg;
	struct list *n, *tmp;

	LOG(NULL, WARN, "auth.directory.away");
	d->up = false;
	ipc_free(&d->ipc);
	/* what they asked was answered "unavailable" before */
	list_each(n, tmp, &d->jobs)
		list_entry(n, struct dir_job, in)->req = 0;
}

static void
on_watched(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct directory *d = arg;
	struct list *n, *tmp;

	if (h->status != ST_OK) {
		if (h->status != ST_UNAVAILABLE)
			LOG(NULL, ERROR, "auth.directory.watch", KV_STATUS(h->status));
		return;
	}
	d->up = true;
	list_each(n, tmp, &d->jobs) {
		struct dir_job *job = list_entry(n, struct dir_job, in);

		if (job->state == JOB_AWAY) {
			forget_reads(job);
			job_ready(job);
		}
	}
	if (d->cf.up != NULL)
		d->cf.up(d->cf.arg);
}

struct directory *
directory_new(const struct directory_config *cf)
{
	struct directory *d = mem_zalloc(sizeof(*d));

	d->cf = *cf;
	list_init(&d->ready);
	list_init(&d->jobs);
	d->task = loop_task_new(cf->loop, on_task, d);
	d->timer = loop_timer_new(cf->loop, on_task, d);
	return d;
}

void
directory_free(struct directory **dp)
{
	struct directory *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	ipc_free(&d->ipc);
	while (!list_empty(&d->jobs))
		job_end(list_entry(d->jobs.next, struct dir_job, in), ST_CANCELLED);
	while (!list_empty(&d->ready))
		job_end(list_entry(d->ready.next, struct dir_job, in), ST_CANCELLED);
	directory_flush(d);
	loop_task_free(&d->task);
	loop_timer_free(&d->timer);
	mem_free(&d);
}

void
directory_set(struct directory *d, int fd)
{
	struct ipc_config cf = { .loop = d->cf.loop, .protocol = &store_protocol,
	    .peer = "stored", .request = on_request, .closed = on_closed, .arg = d };
	struct list *n, *tmp;

	ipc_free(&d->ipc);
	d->up = false;
	list_each(n, tmp, &d->jobs) {
		struct dir_job *job = list_entry(n, struct dir_job, in);

		job->req = 0;
		if (job->state == JOB_WRITING)
			job->give_up_ms = 1;	/* whether it happened is not known */
		if (job->state != JOB_AWAY)
			job_away(job);
	}
	d->ipc = ipc_new(&cf, fd);
	/* whatever happened meanwhile; what is read from now on stands behind the watch */
	all_changed(d);
	(void)ipc_request(d->ipc, 0, STORE_DIR_WATCH, NULL, on_watched, d);
}

bool
directory_is_up(const struct directory *d)
{
	return d->up;
}

uint32_t
directory_cached(const struct directory *d)
{
	return (uint32_t)d->cache.count;
}
