/* The hot copies of a shard: which there are, making one, dropping old ones, and when.
 *
 * One is made under copies/N.tmp and gets its name when its manifest is on the disk, so a
 * folder without .tmp was verified.  What a process leaves unfinished goes at the next start. */
#include "storage/service/service_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/copy_files.h"

#define LOOK_MS		60000u		/* is one due? */
#define AGAIN_MS	(15 * 60000u)	/* after one that failed */
#define CACHE_BYTES	(8u << 20)

struct copy {
	uint32_t		number;
	unsigned		pins;
	struct copy_manifest	m;
};

/* Who waits for a copy that begins from now on. */
struct wanted {
	struct list	node;
	copies_done_fn	done;
	void		*arg;
};

/* One being made: what the thread reads, and what it comes to. */
struct making {
	struct service		*svc;
	struct engine		*engine;
	struct engine_opts	opts;
	uint32_t		number;
	char			*tmp, *name;
	struct journal_pos	least;
	struct list		wanted;
	uint64_t		began_ms, rows, pieces;
	struct copy_manifest	m;
	enum status		st;
	bool			(*step)(void *arg);
	void			*step_arg;
};

struct copies {
	char			*dir;
	struct copy		*v;		/* the oldest first */
	size_t			n, room;
	uint32_t		next;
	struct making		*making;
	struct list		wanted;
	struct loop_timer	*timer;
	uint64_t		tried_ms;	/* monotonic; of the last that failed */
	uint64_t		made, failed, journal_bytes;	/* written when the last was made */
};

/* ---- paths ---- */

static char *
copy_path(const struct copies *c, uint32_t number, const char *tail)
{
	struct buf b = { 0 };

	buf_addf(&b, "%s/%u%s", c->dir, number, tail);
	buf_cstr(&b);
	return buf_take(&b);
}

static struct copy *
find(struct copies *c, uint32_t number)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].number == number)
			return &c->v[i];
	return NULL;
}

static struct copy *
add(struct copies *c, uint32_t number)
{
	size_t at = c->n;

	if (c->n == c->room) {
		c->room = c->room == 0 ? 4 : c->room * 2;
		c->v = mem_realloc_array(c->v, c->room, sizeof(*c->v));
	}
	while (at > 0 && c->v[at - 1].number > number)
		at--;
	memmove(c->v + at + 1, c->v + at, (c->n - at) * sizeof(*c->v));
	c->n++;
	c->v[at] = (struct copy){ .number = number };
	return &c->v[at];
}

static void
forget(struct copies *c, struct copy *copy)
{
	size_t i = (size_t)(copy - c->v);

	copy_manifest_fini(&copy->m);
	memmove(c->v + i, c->v + i + 1, (c->n - i - 1) * sizeof(*c->v));
	c->n--;
}

/* ---- what is there ---- */

static void
load(struct service *svc, uint32_t number)
{
	struct copies *c = svc->copies;
	char *path = copy_path(c, number, "");
	struct copy_manifest m = { 0 };
	enum status st = copy_files_manifest(path, &m);

	if (st == ST_OK && m.shard != svc->cf.shard)
		st = ST_CONFLICT;
	if (st == ST_OK) {
		add(c, number)->m = m;
	} else {
		LOG(NULL, ERROR, "copy.unusable", KV_UINT("shard", svc->cf.shard),
		    KV_UINT("copy", number), KV_STATUS(st));
		copy_manifest_fini(&m);
	}
	mem_free(&path);
}

static void
found(struct service *svc, const char *name)
{
	struct copies *c = svc->copies;
	struct span rest = span_str(name), number = span_cut(&rest, '.');
	struct buf path = { 0 };
	uint32_t n;

	if (!span_u32(number, &n) || n == 0)
		return;
	if (n >= c->next && n < UINT32_MAX)
		c->next = n + 1;
	if (span_eq_str(rest, "tmp")) {
		buf_addf(&path, "%s/%s", c->dir, name);
		copy_files_remove(buf_cstr(&path));
		buf_fini(&path);
	} else if (rest.p == NULL) {
		load(svc, n);
	}
}

static void
load_all(struct service *svc)
{
	DIR *d = opendir(svc->copies->dir);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		found(svc, e->d_name);
	closedir(d);
}

/* ---- dropping ---- */

static void
on_removed(void *arg, bool ran)
{
	char *path = arg;

	mem_free(&path);
}

static void
remove_in_background(void *arg)
{
	copy_files_remove(arg);
}

static void
drop(struct service *svc, struct copy *copy)
{
	struct copies *c = svc->copies;
	char *path = copy_path(c, copy->number, ""), *tmp = copy_path(c, copy->number, ".tmp");

	if (copy_files_rename(c->dir, path, tmp) == ST_OK) {
		LOG(NULL, INFO, "copy.dropped", KV_UINT("shard", svc->cf.shard),
		    KV_UINT("copy", copy->number));
		forget(c, copy);
		background_submit(svc->background, remove_in_background, on_removed, tmp);
		tmp = NULL;
	}
	mem_free(&path);
	mem_free(&tmp);
}

/* Those that are more than are kept, the oldest first. */
static void
drop_old(struct service *svc)
{
	struct copies *c = svc->copies;
	size_t keep = svc->cf.copies > 0 ? svc->cf.copies : 1, n = c->n;

	for (size_t i = 0; i < c->n && n > keep;) {
		size_t before = c->n;

		if (c->v[i].pins == 0)
			drop(svc, &c->v[i]);
		n--;
		if (c->n == before)
			i++;
	}
}

/* ---- making one, in the thread ---- */

static bool
step(void *arg)
{
	struct making *mk = arg;

	background_pace(mk->svc->background);
	if (background_stopping(mk->svc->background)) {
		mk->st = ST_UNAVAILABLE;
		return false;
	}
	return mk->step == NULL || mk->step(mk->step_arg);
}

static bool
stop(void *arg)
{
	struct background *b = ((struct making *)arg)->svc->background;

	background_pace(b);
	return background_stopping(b);
}

static enum status
count_piece(void *arg, uint64_t extent, uint32_t index, const struct journal_loc *loc)
{
	struct making *mk = arg;

	live_add(&mk->m.live, loc->segment, loc->length);
	return ++mk->pieces % 4096 == 0 && stop(mk) ? ST_CANCELLED : ST_OK;
}

static enum status
read_copy(struct making *mk, struct state *s)
{
	struct copy_manifest *m = &mk->m;
	struct buf b = { 0 };
	enum status st;

	state_position(s, &m->pos);
	m->stamp_ms = state_stamp(s);
	m->incarnation = state_incarnation(s);
	if (m->pos.lsn < mk->least.lsn)
		return ST_CORRUPT;
	st = state_read_all(s, stop, mk, &mk->rows);
	if (st == ST_OK)
		st = state_pieces(s, count_piece, mk);
	live_sort(&m->live);
	if (st == ST_CORRUPT) {
		state_damage(s, &b);
		LOG(NULL, ERROR, "copy.damaged", KV_UINT("shard", mk->m.shard),
		    KV_STR("dir", mk->tmp), KV_SPAN("record", buf_span(&b)));
		buf_fini(&b);
	}
	return st;
}

/* Opened, so recovered, and read to the end; closed, it is what is hashed. */
static enum status
verify(struct making *mk)
{
	struct engine *e = NULL;
	struct state *s = NULL;
	enum status st = engine_open(mk->tmp, &mk->opts, &e), closed;

	if (st == ST_OK)
		st = state_open(e, (uint16_t)mk->m.shard, &s);
	if (st == ST_OK)
		st = read_copy(mk, s);
	state_close(&s);
	closed = engine_close(&e);
	return st == ST_OK ? closed : st;
}

static enum status
make(struct making *mk)
{
	enum status st;

	if (!step(mk))
		return ST_CANCELLED;
	if (mkdir(mk->tmp, 0700) != 0 && errno != EEXIST)
		return errno == ENOSPC ? ST_NO_SPACE : ST_UNAVAILABLE;
	if (!step(mk))
		return ST_CANCELLED;
	st = engine_hot_copy(mk->engine, mk->tmp);
	if (st == ST_OK && !step(mk))
		st = ST_CANCELLED;
	if (st == ST_OK)
		st = verify(mk);
	if (st == ST_OK && !step(mk))
		st = ST_CANCELLED;
	if (st == ST_OK)
		st = copy_files_hash(mk->tmp, &mk->m, step, mk);
	mk->m.made_ms = clock_wall_ms();
	if (st == ST_OK && !step(mk))
		st = ST_CANCELLED;
	if (st == ST_OK)
		st = copy_files_seal(mk->tmp, &mk->m);
	if (st == ST_OK && !step(mk))
		st = ST_CANCELLED;
	return st == ST_OK ? copy_files_rename(mk->svc->copies->dir, mk->tmp, mk->name) : st;
}

static void
run(void *arg)
{
	struct making *mk = arg;

	mk->st = make(mk);
	/* One that stops as a process that ends leaves what is there. */
	if (mk->st != ST_OK && mk->step == NULL)
		copy_files_remove(mk->tmp);
}

/* ---- making one, in the loop ---- */

static void
making_free(struct making *mk)
{
	copy_manifest_fini(&mk->m);
	mem_free(&mk->tmp);
	mem_free(&mk->name);
	mem_free(&mk);
}

static void
tell(struct list *wanted, enum status st, uint32_t number)
{
	while (!list_empty(wanted)) {
		struct wanted *w = list_entry(wanted->next, struct wanted, node);

		list_remove(&w->node);
		if (w->done != NULL)
			w->done(w->arg, st, number);
		mem_free(&w);
	}
}

static void begin(struct service *svc);

static void
on_made(void *arg, bool ran)
{
	struct making *mk = arg;
	struct service *svc = mk->svc;
	struct copies *c = svc->copies;
	enum status st = ran ? mk->st : ST_UNAVAILABLE;
	uint64_t ms = clock_mono_ms() - mk->began_ms;

	c->making = NULL;
	if (st == ST_OK) {
		LOG(NULL, INFO, "copy.made", KV_UINT("shard", svc->cf.shard),
		    KV_UINT("copy", mk->number), KV_UINT("lsn", mk->m.pos.lsn),
		    KV_UINT("rows", mk->rows), KV_UINT("bytes", copy_manifest_bytes(&mk->m)),
		    KV_UINT("ms", ms));
		add(c, mk->number)->m = mk->m;
		mk->m = (struct copy_manifest){ 0 };
		c->made++;
	} else if (!svc->closing) {
		LOG(NULL, ERROR, "copy.failed",
		    KV_UINT("shard", svc->cf.shard), KV_UINT("copy", mk->number), KV_STATUS(st));
		c->failed++;
		c->tried_ms = clock_mono_ms();
	}
	tell(&mk->wanted, st, mk->number);
	making_free(mk);
	if (svc->closing)
		return;
	/* A page that fails its checksum ends this process, and the next one rebuilds. */
	if (engine_failed(svc->engine)) {
		(void)service_judge(svc, ST_CORRUPT, "copy");
		return;
	}
	drop_old(svc);
	if (!list_empty(&c->wanted))
		begin(svc);
	if (st == ST_OK)
		reclaim_round(svc);
}

static void
begin(struct service *svc)
{
	struct copies *c = svc->copies;
	struct making *mk = mem_zalloc(sizeof(*mk));
	struct journal_stats js;

	mk->svc = svc;
	mk->engine = svc->engine;
	mk->opts = (struct engine_opts){ .kind = svc->cf.engine, .boot_id = svc->cf.boot_id,
	    .tables = state_tables, .n_tables = state_n_tables,
	    .page_bytes = state_page_bytes, .cache_bytes = CACHE_BYTES,
	    .checkpoint_bytes = svc->cf.checkpoint_bytes, .small = svc->cf.small,
	    .manual = true, .copy = true };
	mk->number = c->next++;
	mk->tmp = copy_path(c, mk->number, ".tmp");
	mk->name = copy_path(c, mk->number, "");
	mk->m.shard = svc->cf.shard;
	mk->step = svc->cf.step;
	mk->step_arg = svc->cf.step_arg;
	mk->began_ms = clock_mono_ms();
	state_position(svc->state, &mk->least);
	list_init(&mk->wanted);
	while (!list_empty(&c->wanted)) {
		struct list *n = c->wanted.next;

		list_remove(n);
		list_push_back(&mk->wanted, n);
	}
	journal_stats(svc->journal, &js);
	c->journal_bytes = js.bytes;
	c->making = mk;
	background_submit(svc->background, run, on_made, mk);
}

/* A copy must not be what keeps mail out; one that is to make room may go below that line, but
 * leaves well more than what changes need. */
static bool
has_room(struct service *svc)
{
	struct buf db = { 0 };
	uint64_t bytes;

	buf_addf(&db, "%s/db", svc->dir);
	bytes = copy_files_bytes(buf_cstr(&db));
	buf_fini(&db);
	return journal_has_room(svc->journal, 0) ? journal_has_room(svc->journal, bytes) :
	    journal_has_spare(svc->journal, 2 * bytes);
}

static void
on_no_room(void *arg, bool ran)
{
	struct service *svc = arg;

	LOG(NULL, ERROR, "copy.failed", KV_UINT("shard", svc->cf.shard),
	    KV_STATUS(ST_NO_SPACE));
	svc->copies->failed++;
	svc->copies->tried_ms = clock_mono_ms();
	if (svc->copies->making == NULL)
		tell(&svc->copies->wanted, svc->closing ? ST_UNAVAILABLE : ST_NO_SPACE, 0);
}

static void
nothing(void *arg)
{
}

void
copies_make(struct service *svc, copies_done_fn done, void *arg)
{
	struct copies *c = svc->copies;
	struct wanted *w = mem_zalloc(sizeof(*w));

	w->done = done;
	w->arg = arg;
	list_push_back(&c->wanted, &w->node);
	if (c->making != NULL || svc->closing || svc->dead)
		return;
	if (has_room(svc))
		begin(svc);
	else
		background_submit(svc->background, nothing, on_no_room, svc);
}

/* ---- when ---- */

/* In its hour, or well behind it. */
static bool
is_due(struct service *svc)
{
	struct copies *c = svc->copies;
	int64_t now = clock_wall_s(), last = c->n > 0 ? c->v[c->n - 1].m.made_ms / 1000 : 0;
	int64_t every = svc->cf.copy_time_s, age = now - last;
	bool hour = now / 3600 % 24 == (int64_t)svc->cf.copy_hour;
	struct journal_pos at;
	struct journal_stats js;

	if (c->tried_ms != 0 && clock_mono_ms() - c->tried_ms < AGAIN_MS)
		return false;
	state_position(svc->state, &at);
	if (c->n > 0 && c->v[c->n - 1].m.pos.lsn == at.lsn)
		return false;		/* nothing happened since */
	journal_stats(svc->journal, &js);
	if (js.bytes - c->journal_bytes >= svc->cf.copy_journal_bytes)
		return true;
	if (age < 0)			/* the clock was set back */
		return hour;
	if (every < 86400)
		return age >= every;
	return (hour && age >= every - 3600) || (c->n > 0 && age >= every + 86400);
}

static void
on_timer(void *arg)
{
	struct service *svc = arg;

	loop_timer_set(svc->copies->timer, LOOK_MS);
	if (svc->copies->making == NULL && !svc->dead && is_due(svc))
		copies_make(svc, NULL, NULL);
}

void
copies_start(struct service *svc)
{
	struct copies *c = mem_zalloc(sizeof(*c));
	struct buf dir = { 0 };

	svc->background = background_new(svc->loop, svc->cf.inline_io);
	buf_addf(&dir, "%s/copies", svc->dir);
	buf_cstr(&dir);
	c->dir = buf_take(&dir);
	c->next = 1;
	list_init(&c->wanted);
	svc->copies = c;
	if (mkdir(c->dir, 0700) != 0 && errno != EEXIST)
		LOG(NULL, ERROR, "copy.folder", KV_STR("path", c->dir), KV_ERRNO(errno));
	load_all(svc);
	c->timer = loop_timer_new(svc->loop, on_timer, svc);
	loop_timer_set(c->timer, LOOK_MS);
}

void
copies_stop(struct service *svc)
{
	struct copies *c = svc->copies;

	background_free(&svc->background);
	if (c == NULL)
		return;
	tell(&c->wanted, ST_UNAVAILABLE, 0);
	while (c->n > 0)
		forget(c, &c->v[c->n - 1]);
	loop_timer_free(&c->timer);
	mem_free(&c->v);
	mem_free(&c->dir);
	mem_free(&svc->copies);
}

/* ---- asking ---- */

void
copies_list(struct service *svc, struct copy_info **list, size_t *n)
{
	struct copies *c = svc->copies;

	*n = c->n;
	*list = mem_array(c->n + 1, sizeof(**list));
	for (size_t i = 0; i < c->n; i++) {
		const struct copy *x = &c->v[i];

		(*list)[i] = (struct copy_info){ x->number, x->m.made_ms, x->m.pos,
		    x->m.incarnation, copy_manifest_bytes(&x->m), x->pins };
	}
}

char *
copies_path(struct service *svc, uint32_t number)
{
	return find(svc->copies, number) != NULL ? copy_path(svc->copies, number, "") : NULL;
}

enum status
copies_pin(struct service *svc, uint32_t number)
{
	struct copy *copy = find(svc->copies, number);

	if (copy == NULL)
		return ST_NOT_FOUND;
	copy->pins++;
	return ST_OK;
}

void
copies_unpin(struct service *svc, uint32_t number)
{
	struct copy *copy = find(svc->copies, number);

	if (copy != NULL && copy->pins > 0 && --copy->pins == 0)
		drop_old(svc);
}

static bool
needs(const struct copy_manifest *m, const struct journal_segment *s)
{
	return s->segment >= m->pos.segment || live_get(&m->live, s->segment) != NULL;
}

enum status
copies_segments(struct service *svc, uint32_t number, uint32_t **list, size_t *n)
{
	struct copy *copy = find(svc->copies, number);
	struct journal_segment *all;
	size_t n_all;

	*list = NULL;
	*n = 0;
	if (copy == NULL)
		return ST_NOT_FOUND;
	journal_segments(svc->journal, &all, &n_all);
	*list = mem_array(n_all + 1, sizeof(**list));
	for (size_t i = 0; i < n_all; i++)
		if (needs(&copy->m, &all[i]))
			(*list)[(*n)++] = all[i].segment;
	mem_free(&all);
	return ST_OK;
}

bool
copies_spare(struct service *svc, uint32_t segment, uint64_t lsn, size_t least)
{
	const struct copies *c = svc->copies;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].m.pos.lsn < lsn || live_get(&c->v[i].m.live, segment) != NULL)
			return false;
	return c->n >= least;
}

bool
copies_hold(struct service *svc, uint64_t lsn, size_t least)
{
	const struct copies *c = svc->copies;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].m.pos.lsn < lsn)
			return false;
	return c->n >= least;
}

bool
copies_making(const struct service *svc)
{
	return svc->copies->making != NULL;
}

void
copies_shrink(struct service *svc)
{
	struct copies *c = svc->copies;

	for (size_t i = 0; i + 1 < c->n;) {
		size_t before = c->n;

		if (c->v[i].pins == 0)
			drop(svc, &c->v[i]);
		if (c->n == before)
			i++;
	}
}

void
copies_stats(struct service *svc, struct buf *out)
{
	const struct copies *c = svc->copies;
	uint64_t bytes = 0;

	for (size_t i = 0; i < c->n; i++)
		bytes += copy_manifest_bytes(&c->v[i].m);
	buf_addf(out, "copies=%zu\ncopies_bytes=%llu\ncopies_made=%llu\ncopies_failed=%llu\n",
	    c->n, (unsigned long long)bytes, (unsigned long long)c->made,
	    (unsigned long long)c->failed);
	if (c->n > 0)
		buf_addf(out, "copies_last_lsn=%llu\ncopies_last_ms=%lld\n",
		    (unsigned long long)c->v[c->n - 1].m.pos.lsn,
		    (long long)c->v[c->n - 1].m.made_ms);
}
