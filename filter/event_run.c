/* filter/event_run.c
 * size -> text, as much as scripts may see -> script -> plan; again where the store says that what
 * it relied on is not so any more. */
#include "filter/event_priv.h"

#include "config.h"

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "filter/notice.h"
#include "filter/view.h"
#include "storage/client/body.h"

#define TRIES_MAX	3u
#define READ_BUDGET	(256u << 10)	/* of stored octets in one request */
#define RAW_STEP	(64u << 10)

struct event_run {
	const struct event_about	*about;
	event_run_done_fn		done;
	void				*arg;
	unsigned			slot;
	uint32_t			uid;
	struct buf			set;		/* the uid, encoded */
	uint64_t			size;
	struct store_call		*call;
	/* What is read of it. */
	struct kept			*kept;
	struct body_reader		*reader;
	uint64_t			offset;
	bool				more, corrupt;
	struct filter_view		*view;
	/* What the script is told. */
	struct arena			mem;
	struct span			user, *flags, *changed;
	size_t				n_flags, n_changed;
	struct sieve_item		items[12];
	struct filter_event		event;
	struct filter_run		*run;
	struct plan			*plan;
	unsigned char			key[32];
	unsigned			tries;
	struct loop_task		*task;
	bool				away;
};

static void
on_task(void *arg)
{
	struct event_run *r = arg;

	r->done(r->arg, r, r->away);
}

static void
end(struct event_run *r)
{
	loop_task_post(r->task);
}

/* The store said so. */
static void
end_by(struct event_run *r, enum status st)
{
	const struct events_of *of = r->about->of;

	r->away = st == ST_UNAVAILABLE || st == ST_DENIED || st == ST_EXPIRED;
	if (st == ST_CORRUPT || st == ST_BUG)
		LOG(of->log, ERROR, "sieve.event-failed", KV_STR("user", of->user),
		    KV_SPAN("mailbox", r->about->mailbox_name), KV_UINT("uid", r->uid), KV_STATUS(st));
	else if (st != ST_OK && st != ST_NOT_FOUND && !r->away)
		LOG(of->log, WARN, "sieve.event-failed", KV_STR("user", of->user),
		    KV_SPAN("mailbox", r->about->mailbox_name), KV_UINT("uid", r->uid), KV_STATUS(st));
	end(r);
}

/* What comes of it ------------------------------------------------------------- */

static const char *
cause_name(enum event_cause cause)
{
	static const char *const names[] = { "APPEND", "COPY", "FLAG" };

	return names[cause];
}

static void
on_planned(void *arg, enum status st)
{
	struct event_run *r = arg;
	const struct events_of *of = r->about->of;
	const char *words = plan_words(r->plan);

	if (st == ST_CONFLICT && ++r->tries < TRIES_MAX) {
		filter_run_start(r->run);
		return;
	}
	if (st == ST_OK && words[0] != '\0')
		LOG(of->log, INFO, "sieve.event", KV_STR("user", of->user),
		    KV_STR("cause", cause_name(r->about->cause)),
		    KV_SPAN("mailbox", r->about->mailbox_name), KV_UINT("uid", r->uid),
		    KV_STR("rules", words));
	end_by(r, st);
}

static void
new_plan(struct event_run *r)
{
	const struct events_of *of = r->about->of;
	const struct plan_of p = { .conf = filter_conf(of->filter), .loop = of->loop, .log = of->log,
	    .store = of->store, .of_mailbox = r->about->mailbox, .of_uid = r->uid,
	    .first_stage = of->first_stage + r->slot * PLAN_STAGES,
	    .message = filter_view_message(r->view), .kept = r->kept, .user = of->user,
	    .from = of->user };

	plan_free(&r->plan);
	r->plan = plan_new(&p);
}

static void
tell_owner(struct event_run *r)
{
	const struct event_about *a = r->about;
	struct filter_error e = filter_run_error(r->run);
	struct buf raw = { 0 };

	notice_make_event(filter_conf(a->of->filter)->global.hostname, a->of->user, a->script_name,
	    a->mailbox_name, &e, clock_wall_s(), &raw);
	new_plan(r);
	plan_notice(r->plan, buf_span(&raw), r->key, NOTICE_SECONDS);
	plan_send(r->plan, on_planned, r);
	buf_fini(&raw);
}

static void
on_told(void *arg, enum status st, bool more, const void *msg)
{
	struct event_run *r = arg;
	const struct store_sieve_keys_are *are = msg;

	r->call = NULL;
	if (st == ST_OK && are->known.len == 1 && are->known.p[0] == 0)
		tell_owner(r);
	else
		end_by(r, st);
}

/* Errors of the user's own are the user's to know, once; the admin reads the log. */
static void
failed(struct event_run *r)
{
	const struct event_about *a = r->about;
	struct filter_error e = filter_run_error(r->run);
	struct store_sieve_key k = { .kind = SIEVE_KEY_DUPLICATE, .key = span(r->key, 32) };
	struct store_sieve_keys rq;
	struct buf keys = { 0 };
	bool own = a->script != NULL && e.script[0] == '\0';

	if (own)
		LOG(a->of->log, INFO, "sieve.failed", KV_STR("user", a->of->user),
		    KV_SPAN("script", a->script_name), KV_SPAN("mailbox", a->mailbox_name),
		    KV_UINT("uid", r->uid), KV_UINT("line", e.line), KV_STR("error", e.text));
	else
		LOG(a->of->log, ERROR, "sieve.global-failed", KV_STR("user", a->of->user),
		    KV_STR("script", e.script), KV_UINT("line", e.line), KV_STR("error", e.text));
	if (!own || r->tries > 0) {
		end(r);
		return;
	}
	notice_key(a->sha256, r->key);
	put_store_sieve_key(&keys, &k);
	rq.keys = buf_span(&keys);
	r->call = store_do_sieve_keys(a->of->store, &rq, on_told, r);
	buf_fini(&keys);
}

static void
on_ran(void *arg)
{
	struct event_run *r = arg;

	switch (filter_run_outcome(r->run)) {
	case FILTER_PLAIN:
		end(r);
		return;
	case FILTER_ACTS:
		new_plan(r);
		plan_result(r->plan, filter_run_result(r->run), filter_run_env(r->run));
		plan_send(r->plan, on_planned, r);
		return;
	case FILTER_FAILED:
		failed(r);
		return;
	default:
		end_by(r, ST_UNAVAILABLE);
	}
}

/* What the script is told ------------------------------------------------------- */

static struct span *
names_of(struct event_run *r, struct flags f, size_t *n)
{
	struct span *v = arena_array(&r->mem, 8 + KEYWORD_MAX, sizeof(*v)), name;
	struct reader rd;

	*n = 0;
	for (unsigned bit = 1; bit <= FLAG_SYSTEM_ALL; bit <<= 1)
		if ((flags_get_system(f) & bit) != 0)
			v[(*n)++] = span_str(flag_system_name(bit));
	reader_init(&rd, r->about->keywords.p, r->about->keywords.len);
	for (unsigned k = 0; k < KEYWORD_MAX && get_store_keyword(&rd, &name); k++)
		if (flags_has_keyword(f, k))
			v[(*n)++] = arena_span(&r->mem, name);
	return v;
}

static struct span
joined(struct event_run *r, const struct span *v, size_t n)
{
	struct buf b = { 0 };
	struct span s;

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_c(&b, ' ');
		buf_add_span(&b, v[i]);
	}
	s = arena_span(&r->mem, b.len > 0 ? buf_span(&b) : SPAN_LIT(""));
	buf_fini(&b);
	return s;
}

static void
add_item(struct event_run *r, size_t *n, const char *name, struct span value)
{
	r->items[*n].name = name;
	r->items[(*n)++].value = value.p != NULL ? value : SPAN_LIT("");
}

/* RFC 5183 4.1, RFC 6785 4. */
static size_t
environment(struct event_run *r)
{
	const struct event_about *a = r->about;
	struct span host = span_str(filter_conf(a->of->filter)->global.hostname);
	size_t dot = span_find(host, '.'), n = 0;

	host = arena_span(&r->mem, host);
	add_item(r, &n, "host", host);
	add_item(r, &n, "domain", span_sub(host, dot < host.len ? dot + 1 : 0, host.len));
	add_item(r, &n, "location", SPAN_LIT("MS"));
	add_item(r, &n, "phase", SPAN_LIT("post"));
	add_item(r, &n, "name", SPAN_LIT("Mansio"));
	add_item(r, &n, "version", span_str(PACKAGE_VERSION));
	add_item(r, &n, "imap.user", r->user);
	add_item(r, &n, "imap.email", r->user);
	add_item(r, &n, "imap.cause", span_str(cause_name(a->cause)));
	add_item(r, &n, "imap.mailbox", a->mailbox_name);
	add_item(r, &n, "imap.changedflags", a->cause == EVENT_FLAG ?
	    joined(r, r->changed, r->n_changed) : SPAN_LIT(""));
	return n;
}

static void
run_script(struct event_run *r)
{
	const struct event_about *a = r->about;
	struct filter_job job = { .store = a->of->store, .loop = a->of->loop,
	    .account = a->of->account, .user = r->user, .addresses = &r->user, .n_addresses = 1,
	    .items = r->items, .event = &r->event };

	r->view = filter_view_new(r->kept, SPAN_NONE);
	job.message = filter_view_message(r->view);
	job.n_items = environment(r);
	r->event = (struct filter_event){ .script = a->script, .name = a->script_name,
		.flags = r->flags, .n_flags = r->n_flags };
	r->run = filter_run_new(a->of->filter, &job, on_ran, r);
	filter_run_start(r->run);
}

/* Its text ---------------------------------------------------------------------- */

static void read_on(struct event_run *r);

static void
take_piece(struct event_run *r, struct span stored)
{
	struct buf raw = { 0 };

	while (stored.len > 0 && kept_is_whole(r->kept) && !r->corrupt) {
		buf_clear(&raw);
		r->corrupt = body_reader_take(r->reader, &stored, RAW_STEP, &raw) != ST_OK;
		kept_feed(r->kept, buf_span(&raw));
	}
	buf_fini(&raw);
}

static void
on_body(void *arg, enum status st, bool more, const void *msg)
{
	struct event_run *r = arg;
	const struct store_body_is *is = msg;
	struct store_body_piece p;
	struct reader rd;

	if (st == ST_OK && is != NULL) {
		reader_init(&rd, is->pieces.p, is->pieces.len);
		while (is->pieces.len > 0 && get_store_body_piece(&rd, &p))
			take_piece(r, p.data);
		r->more = is->resume_uid == r->uid;
		r->offset = is->resume_offset;
	}
	if (more)
		return;
	r->call = NULL;
	if (st == ST_OK && r->corrupt)
		st = ST_CORRUPT;
	if (st != ST_OK) {
		end_by(r, st);
	} else if (r->more && kept_is_whole(r->kept)) {
		read_on(r);
	} else if (kept_size(r->kept) == 0 || (kept_is_whole(r->kept) && kept_size(r->kept) < r->size)) {
		end_by(r, ST_NOT_FOUND);	/* it went meanwhile */
	} else {
		body_reader_free(&r->reader);
		kept_set_size(r->kept, r->size);
		run_script(r);
	}
}

static void
read_on(struct event_run *r)
{
	struct store_body rq = { .mailbox = r->about->mailbox, .uids = buf_span(&r->set),
		.offset = r->offset, .budget = READ_BUDGET };

	r->more = false;
	r->call = store_do_body(r->about->of->store, &rq, on_body, r);
}

static void
on_row(void *arg, enum status st, bool more, const void *msg)
{
	struct event_run *r = arg;
	const struct store_rows_are *are = msg;
	struct kept_limits limits;
	struct store_row row;
	struct reader rd;

	if (st == ST_OK && are != NULL && are->rows.len > 0) {
		reader_init(&rd, are->rows.p, are->rows.len);
		if (get_store_row(&rd, &row, ROW_SIZE))
			r->size = row.size;
	}
	if (more)
		return;
	r->call = NULL;
	if (st != ST_OK || r->size == 0) {
		end_by(r, st != ST_OK ? st : ST_NOT_FOUND);
		return;
	}
	limits = filter_kept_limits(r->about->of->filter);
	r->kept = kept_new(&limits);
	r->reader = body_reader_new(0, 0);
	read_on(r);
}

struct event_run *
event_run_new(const struct event_about *a, unsigned slot, uint32_t uid, struct flags flags,
    struct flags changed, event_run_done_fn done, void *arg)
{
	struct event_run *r = mem_zalloc(sizeof(*r));
	struct store_rows rq = { .mailbox = a->mailbox, .fields = ROW_SIZE };
	struct uidset one = { 0 };

	r->about = a;
	r->slot = slot;
	r->uid = uid;
	r->done = done;
	r->arg = arg;
	r->user = span_str(a->of->user);
	r->task = loop_task_new(a->of->loop, on_task, r);
	r->flags = names_of(r, flags, &r->n_flags);
	r->changed = names_of(r, changed, &r->n_changed);
	uidset_add(&one, uid);
	uidset_encode(&one, &r->set);
	uidset_fini(&one);
	rq.uids = buf_span(&r->set);
	r->call = store_do_rows(a->of->store, &rq, on_row, r);
	return r;
}

unsigned
event_run_slot(const struct event_run *r)
{
	return r->slot;
}

void
event_run_free(struct event_run **rp)
{
	struct event_run *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	store_cancel(&r->call);
	plan_free(&r->plan);
	filter_run_free(&r->run);
	filter_view_free(&r->view);
	body_reader_free(&r->reader);
	kept_free(&r->kept);
	loop_task_free(&r->task);
	buf_fini(&r->set);
	arena_fini(&r->mem);
	mem_free(&r);
}
