#include "filter/event_priv.h"

#include "common/util/list.h"
#include "common/util/mem.h"

#define BLOCK	1000u		/* messages that the store is asked about at once */

/* What a command did. */
struct group {
	struct list		in;
	enum event_cause	cause;
	uint64_t		mailbox, modseq;
	struct uidset		uids;
	uint32_t		asked;		/* up to here */
};

struct events {
	struct events_of	of;
	struct log_ctx		log;
	events_done_fn		done;
	void			*arg;
	struct list		groups;		/* the first is at work */
	struct store_call	*call;
	struct loop_task	*task;		/* tells the end */
	/* Of the block at hand. */
	bool			entry;
	struct buf		value, rows, keywords;
	struct reader		left;
	/* The script that was looked for last, and the mailbox. */
	struct buf		script_name, mailbox_name;
	bool			looked, there;
	struct event_about	about;
	struct event_run	*runs[EVENTS_AT_ONCE];
	unsigned		n_runs;
	bool			away;
};

static void go_on(struct events *e);

bool
events_wanted(const struct filter *f, const struct store *s)
{
	const struct mansio_conf *conf = filter_conf(f);

	return conf != NULL && conf->sieve.enabled && conf->sieve.imap_events &&
	    (store_has_events(s) || conf->sieve.event_script[0] != '\0');
}

static void
on_task(void *arg)
{
	struct events *e = arg;

	e->done(e->arg);
}

struct events *
events_new(const struct events_of *of, events_done_fn done, void *arg)
{
	struct events *e = mem_zalloc(sizeof(*e));

	e->of = *of;
	/* The user is named in each line, also where no session is. */
	if (of->log != NULL)
		e->log = (struct log_ctx){ .conn = of->log->conn, .peer = of->log->peer };
	e->of.log = &e->log;
	e->done = done;
	e->arg = arg;
	e->task = loop_task_new(of->loop, on_task, e);
	e->about.of = &e->of;
	list_init(&e->groups);
	return e;
}

static struct group *
first(const struct events *e)
{
	return list_empty(&e->groups) ? NULL : list_entry(e->groups.next, struct group, in);
}

static void
drop_group(struct events *e)
{
	struct group *g = first(e);

	list_remove(&g->in);
	uidset_fini(&g->uids);
	mem_free(&g);
}

void
events_free(struct events **ep)
{
	struct events *e = *ep;

	*ep = NULL;
	if (e == NULL)
		return;
	store_cancel(&e->call);
	for (unsigned i = 0; i < EVENTS_AT_ONCE; i++)
		event_run_free(&e->runs[i]);
	while (!list_empty(&e->groups))
		drop_group(e);
	filter_cache_give_back(&e->about.script);
	loop_task_free(&e->task);
	buf_fini(&e->value);
	buf_fini(&e->rows);
	buf_fini(&e->keywords);
	buf_fini(&e->script_name);
	buf_fini(&e->mailbox_name);
	mem_free(&e);
}

void
events_add(struct events *e, enum event_cause cause, uint64_t mailbox, uint64_t modseq,
    const struct uidset *uids)
{
	struct group *g;

	if (uidset_empty(uids))
		return;
	g = mem_zalloc(sizeof(*g));
	g->cause = cause;
	g->mailbox = mailbox;
	g->modseq = modseq;
	uidset_copy(&g->uids, uids);
	list_push_back(&e->groups, &g->in);
}

static void
give_up(struct events *e, enum status st)
{
	LOG(e->of.log, WARN, "sieve.events-lost", KV_STR("user", e->of.user), KV_STATUS(st));
	e->away = true;
	go_on(e);
}

/* The script ------------------------------------------------------------------ */

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct events *e = arg;
	const struct store_mailboxes *part = msg;
	struct store_mailbox m;
	struct reader r;

	if (st == ST_OK && part != NULL && part->list.len > 0) {
		reader_init(&r, part->list.p, part->list.len);
		while (get_store_mailbox(&r, &m)) {
			if (m.id != e->about.mailbox || m.id == 0)
				continue;
			buf_clear(&e->mailbox_name);
			buf_add_span(&e->mailbox_name, m.path);
		}
	}
	if (more)
		return;
	e->call = NULL;
	if (st != ST_OK)
		give_up(e, st);
	else
		go_on(e);
}

/* What the mailbox is called. */
static void
look_for_mailbox(struct events *e)
{
	struct store_list rq = { .path = SPAN_NONE };

	e->about.mailbox = first(e)->mailbox;
	buf_clear(&e->mailbox_name);
	e->call = store_do_list(e->of.store, &rq, on_list, e);
}

static void
script_known(struct events *e, bool there)
{
	e->looked = true;
	e->there = there;
	if (there && e->about.mailbox != first(e)->mailbox) {
		look_for_mailbox(e);
		return;
	}
	if (!there) {
		reader_init(&e->left, NULL, 0);
		drop_group(e);
	}
	go_on(e);
}

static void
on_script(void *arg, enum status st, bool more, const void *msg)
{
	struct events *e = arg;

	e->call = NULL;
	if (st == ST_OK)
		e->about.script = filter_take_script(e->of.filter, msg, e->about.sha256);
	if (st == ST_OK && e->about.script == NULL)
		st = ST_CORRUPT;
	if (st == ST_OK)
		script_known(e, true);
	else if (st == ST_NOT_FOUND)
		script_known(e, filter_has_global(e->of.filter, buf_span(&e->script_name)));
	else
		give_up(e, st);
}

static void
look_for_script(struct events *e)
{
	struct span name = e->entry ? buf_span(&e->value) :
	    span_str(filter_conf(e->of.filter)->sieve.event_script);
	struct store_script_get rq = { .name = name };

	if (e->looked && span_eq(name, buf_span(&e->script_name))) {
		script_known(e, e->there);
		return;
	}
	filter_cache_give_back(&e->about.script);
	buf_clear(&e->script_name);
	buf_add_span(&e->script_name, name);
	if (script_name_valid(name))
		e->call = store_do_script(e->of.store, &rq, on_script, e);
	else
		script_known(e, false);
}

/* Messages -------------------------------------------------------------------- */

static void
on_run(void *arg, struct event_run *r, bool away)
{
	struct events *e = arg;

	event_run_free(&e->runs[event_run_slot(r)]);
	e->n_runs--;
	if (away && !e->away)
		give_up(e, ST_UNAVAILABLE);
	else
		go_on(e);
}

/* As many as may be at work. */
static void
start_runs(struct events *e)
{
	struct store_event_row row;

	e->about.cause = first(e)->cause;
	e->about.mailbox_name = buf_span(&e->mailbox_name);
	e->about.script_name = buf_span(&e->script_name);
	e->about.keywords = buf_span(&e->keywords);
	for (unsigned i = 0; i < EVENTS_AT_ONCE; i++) {
		if (e->runs[i] != NULL)
			continue;
		if (!get_store_event_row(&e->left, &row))
			return;
		e->runs[i] = event_run_new(&e->about, i, row.uid, row.flags, row.changed, on_run, e);
		e->n_runs++;
	}
}

/* Of flags that were not changed nothing is to be told. */
static void
take_rows(struct events *e, struct span rows)
{
	bool flag = first(e)->cause == EVENT_FLAG;
	struct store_event_row row;
	struct reader r;

	reader_init(&r, rows.p, rows.len);
	while (rows.len > 0 && get_store_event_row(&r, &row))
		if (!flag || flags_any(row.changed))
			put_store_event_row(&e->rows, &row);
}

static void
on_event(void *arg, enum status st, bool more, const void *msg)
{
	struct events *e = arg;
	const struct store_event_are *are = msg;

	if (st == ST_OK && are != NULL) {
		if (are->entry) {
			e->entry = true;
			buf_clear(&e->value);
			buf_add_span(&e->value, are->script);
		}
		if (are->keywords.len > 0) {
			buf_clear(&e->keywords);
			buf_add_span(&e->keywords, are->keywords);
		}
		take_rows(e, are->rows);
	}
	if (more)
		return;
	e->call = NULL;
	reader_init(&e->left, e->rows.data, e->rows.len);
	if (st == ST_NOT_FOUND) {
		drop_group(e);
		go_on(e);
	} else if (st != ST_OK) {
		give_up(e, st);
	} else if (e->rows.len == 0) {
		go_on(e);
	} else {
		look_for_script(e);
	}
}

/* The next messages of a group; false: there are no more. */
static bool
ask_block(struct events *e)
{
	struct group *g = first(e);
	struct store_event_get rq = { .mailbox = g->mailbox, .modseq = g->modseq };
	struct uidset some = { 0 };
	struct buf set = { 0 };
	uint32_t uid;

	for (unsigned n = 0; n < BLOCK && (uid = uidset_next(&g->uids, g->asked)) != 0; n++) {
		uidset_add(&some, uid);
		g->asked = uid;
	}
	if (!uidset_empty(&some)) {
		uidset_encode(&some, &set);
		rq.uids = buf_span(&set);
		e->entry = false;
		buf_clear(&e->value);
		buf_clear(&e->rows);
		buf_clear(&e->keywords);
		e->call = store_do_event(e->of.store, &rq, on_event, e);
	}
	uidset_fini(&some);
	buf_fini(&set);
	return e->call != NULL;
}

static void
go_on(struct events *e)
{
	if (!e->away && reader_left(&e->left) > 0)
		start_runs(e);
	if (e->n_runs > 0)
		return;
	reader_init(&e->left, NULL, 0);
	while (!e->away && !list_empty(&e->groups)) {
		if (ask_block(e))
			return;
		drop_group(e);
	}
	loop_task_post(e->task);
}

void
events_start(struct events *e)
{
	go_on(e);
}
