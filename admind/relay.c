/* An account's mail and scripts for mansioctl's export, import and sieve: what is asked goes to the store under a
 * ticket of our own, what it answers goes back, and none of it is looked into here.
 *   account-open   address
 * ends with a last, empty piece of data, or with its client. */
#include "admind/commands.h"

#include <stdalign.h>

#include "common/util/mem.h"

#define CALLS_MAX 16

struct relay {
	struct access	access;
	struct list	calls;
	unsigned	n;
};

struct call {
	struct list		in;
	struct relay		*relay;
	struct ipc_head		head;
	uint16_t		reply_no;
	struct store_call	*call;
	const char		*change;	/* for the audit line; NULL: it leaves none */
	char			*of;		/* what is changed */
};

/* What may be asked. */
#define RELAY(name, type)							\
	static struct store_call *						\
	ask_##name(struct store *s, const void *msg, store_done_fn fn, void *arg)	\
	{									\
		return store_do_##name(s, (const struct type *)msg, fn, arg);	\
	}
RELAY(list, store_list)
RELAY(create, store_create)
RELAY(subscribe, store_subscribe)
RELAY(open, store_open)
RELAY(rows, store_rows)
RELAY(body, store_body)
RELAY(stage, store_stage)
RELAY(append, store_append)
RELAY(place, store_place)
RELAY(uidvalidity, store_uidvalidity)
RELAY(sums, store_sums)
RELAY(uidls, store_uidls)
RELAY(uidl_put, store_uidl_put)
RELAY(annotations, store_annotations)
RELAY(metadata_get, store_metadata_get)
RELAY(metadata_set, store_metadata_set)
RELAY(script, store_script_get)
RELAY(script_set, store_script_set)

static struct store_call *
ask_scripts(struct store *s, const void *msg, store_done_fn fn, void *arg)
{
	return store_do_scripts(s, fn, arg);
}

/* What has no answer of its own: it is done when it was said. */
static struct store_call *
ask_stage_drop(struct store *s, const void *msg, store_done_fn fn, void *arg)
{
	store_stage_free(s, ((const struct store_stage_drop *)msg)->stage);
	return NULL;
}

static const char *
script_change(const void *msg, struct span *script)
{
	const struct store_script_set *rq = msg;

	*script = rq->name;
	switch (rq->how) {
	case SCRIPT_PUT: return rq->activate ? "put-and-activate" : "put";
	case SCRIPT_DELETE: return "delete";
	case SCRIPT_RENAME: return "rename";
	default: return rq->name.len > 0 ? "activate" : "deactivate";
	}
}

static const struct kind {
	uint16_t		no, reply_no;
	struct store_call	*(*ask)(struct store *s, const void *msg, store_done_fn fn,
				    void *arg);
	/* What leaves a line of its own; NULL: that of account-open is enough. */
	const char		*(*change)(const void *msg, struct span *of);
} kinds[] = {
	{ STORE_LIST, STORE_MAILBOXES, ask_list },
	{ STORE_CREATE, STORE_CREATED, ask_create },
	{ STORE_SUBSCRIBE, 0, ask_subscribe },
	{ STORE_OPEN, STORE_OPENED, ask_open },
	{ STORE_ROWS, STORE_ROWS_ARE, ask_rows },
	{ STORE_BODY, STORE_BODY_IS, ask_body },
	{ STORE_STAGE, 0, ask_stage },
	{ STORE_STAGE_DROP, 0, ask_stage_drop },
	{ STORE_APPEND, STORE_APPENDED, ask_append },
	{ STORE_PLACE, STORE_APPENDED, ask_place },
	{ STORE_UIDVALIDITY, 0, ask_uidvalidity },
	{ STORE_SUMS, STORE_SUMS_ARE, ask_sums },
	{ STORE_UIDLS, STORE_UIDLS_ARE, ask_uidls },
	{ STORE_UIDL_PUT, 0, ask_uidl_put },
	{ STORE_ANNOTATIONS, STORE_ANNOTATIONS_ARE, ask_annotations },
	{ STORE_METADATA_GET, STORE_METADATA_IS, ask_metadata_get },
	{ STORE_METADATA_SET, 0, ask_metadata_set },
	{ STORE_SCRIPTS, STORE_SCRIPTS_ARE, ask_scripts },
	{ STORE_SCRIPT, STORE_SCRIPT_IS, ask_script },
	{ STORE_SCRIPT_SET, STORE_SCRIPT_SET_IS, ask_script_set, script_change },
};

static const struct kind *
kind_find(uint32_t no)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].no == no)
			return &kinds[i];
	return NULL;
}

/* st: how it ended; ST_CANCELLED: nobody knows. */
static void
call_free(struct call *k, enum status st)
{
	if (k->change != NULL)
		request_changed(k->relay->access.rq, k->change, k->of, st);
	mem_free(&k->of);
	store_cancel(&k->call);
	list_remove(&k->in);
	k->relay->n--;
	mem_free(&k);
}

static void
stop(struct request *rq)
{
	struct relay *r = rq->state;
	struct list *n, *tmp;

	list_each(n, tmp, &r->calls)
		call_free(list_entry(n, struct call, in), ST_CANCELLED);
	access_end(&r->access);
	mem_free(&r);
}

static void
answer(struct call *k, enum status st, bool more, const void *msg)
{
	struct request *rq = k->relay->access.rq;
	struct admin_store_is is = { k->reply_no, SPAN_NONE };
	struct buf body = { 0 };

	if (msg == NULL || k->reply_no == 0) {
		request_relayed(rq, &k->head, st, more, NULL);
		return;
	}
	ipc_encode(ipc_find(&store_protocol, k->reply_no), msg, &body);
	is.body = buf_span(&body);
	request_relayed(rq, &k->head, st, more, &is);
	buf_fini(&body);
}

static void
on_answer(void *arg, enum status st, bool more, const void *msg)
{
	struct call *k = arg;
	struct request *rq = k->relay->access.rq;

	request_touch(rq);
	answer(k, st, more, msg);
	if (more)
		return;
	k->call = NULL;
	call_free(k, st);
	if (((struct relay *)rq->state)->n == 0)
		request_patient(rq);
}

static void
relay(struct request *rq, const struct ipc_head *head, const struct admin_store *ask)
{
	alignas(max_align_t) char msg[IPC_STRUCT_MAX];
	const struct kind *kind = kind_find(ask->no);
	struct relay *r = rq->state;
	struct span of = SPAN_NONE;
	struct call *k;

	if (kind == NULL || r->access.store == NULL || r->n >= CALLS_MAX ||
	    ipc_decode(ipc_find(&store_protocol, kind->no), ask->body, msg) != ST_OK) {
		request_relayed(rq, head, kind == NULL ? ST_UNSUPPORTED : ST_SYNTAX, false, NULL);
		return;
	}
	request_touch(rq);
	k = mem_zalloc(sizeof(*k));
	k->relay = r;
	k->head = *head;
	k->reply_no = kind->reply_no;
	if (kind->change != NULL) {
		k->change = kind->change(msg, &of);
		k->of = span_dup(of);
	}
	list_push_back(&r->calls, &k->in);
	r->n++;
	k->call = kind->ask(r->access.store, msg, on_answer, k);
	if (k->call == NULL)
		on_answer(k, ST_OK, false, NULL);
}

static void
take(struct request *rq, struct span data, bool last)
{
	if (last && data.len == 0)
		request_done(rq, ST_OK, SPAN_LIT("{}"));
	else
		request_fail(rq, ST_SYNTAX, "an account that is open takes no file");
}

static void
on_access(struct access *x)
{
	request_progress(x->rq, 0, 0);
	request_patient(x->rq);
}

static void
account_open(struct request *rq)
{
	struct span address;
	struct relay *r;

	if (!need_address(rq, &address))
		return;
	r = mem_zalloc(sizeof(*r));
	list_init(&r->calls);
	rq->state = r;
	rq->stop = stop;
	rq->relay = relay;
	access_start(&r->access, rq, address, on_access);
}

const struct admin_command admin_cmds_relay[] = {
	{ "account-open", account_open, take },
	{ NULL, NULL, NULL }
};
