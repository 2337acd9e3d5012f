/* PushSubscription/get and /set (RFC 8620 §7.2): of the login, and so without accountId and states. */
#include "common/mail/object_id.h"
#include "common/util/mem.h"
#include "jmapd/core/get.h"
#include "jmapd/core/set.h"
#include "jmapd/methods.h"
#include "jmapd/push/subscription.h"
#include "storage/client/store.h"

#define SECRET (UINT64_C(1) << PUSH_P_URL | UINT64_C(1) << PUSH_P_KEYS)

/* ---- get ---- */

struct getting {
	struct jmap_call	*c;
	struct jmap_get		g;
	uint64_t		mask;
	struct store_call	*call;
	struct buf		list;
};

static void
get_ended(struct jmap_call *c)
{
	struct getting *q = c->state;

	store_cancel(&q->call);
	buf_fini(&q->list);
}

static bool
find(struct span list, uint64_t id, struct store_push *p)
{
	struct reader r;

	reader_init(&r, list.p, list.len);
	while (get_store_push(&r, p))
		if (p->id == id)
			return true;
	return false;
}

static void
answer_get(struct getting *q)
{
	struct span list = buf_span(&q->list);
	struct store_push p;
	struct reader r;
	uint64_t id;

	jmap_get_begin(q->c, &q->g, SPAN_NONE);
	reader_init(&r, list.p, list.len);
	while (q->g.all && get_store_push(&r, &p))
		push_put(q->c->out, &p, q->mask);
	for (size_t i = 0; i < q->g.count; i++) {
		if (object_id_parse(q->g.ids[i], OBJECT_PUSH, &id) && find(list, id, &p))
			push_put(q->c->out, &p, q->mask);
		else
			jmap_get_missing(&q->g, q->g.ids[i]);
	}
	jmap_get_end(q->c, &q->g);
}

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct getting *q = arg;

	if (st == ST_OK)
		buf_add_span(&q->list, ((const struct store_pushes_are *)msg)->list);
	if (more)
		return;
	q->call = NULL;
	if (st == ST_OK)
		answer_get(q);
	else
		jmap_call_status(q->c, st, "reading the subscriptions");
}

static void
push_get(struct jmap_call *c)
{
	struct getting *q = arena_zalloc(c->arena, sizeof(*q));

	q->c = c;
	c->state = q;
	c->ended = get_ended;
	if (!jmap_get_ids(c, &q->g, true))
		return;
	q->mask = jmap_get_properties(c, push_properties, PUSH_PROPERTIES);
	if (!jmap_args_end(c))
		return;
	if (q->mask != UINT64_MAX && (q->mask & SECRET) != 0) {
		jmap_call_error(c, "forbidden", "properties: url and keys are told to nobody");
		return;
	}
	q->call = store_do_pushes(jmap_call_login(c)->store, on_list, q);
}

/* ---- set ---- */

struct setting {
	struct jmap_call	*c;
	struct jmap_set		s;
	enum jmap_set_part	part;
	void			*pos;		/* in create, update */
	size_t			next;		/* of destroy */
	struct span		name;		/* of the one under way */
	struct store_push	p;
	uint8_t			what;
	struct store_call	*call;
};

static void go_on(struct setting *q);

static void
set_ended(struct jmap_call *c)
{
	struct setting *q = c->state;

	store_cancel(&q->call);
	jmap_set_fini(&q->s);
}

static void
put_expires(struct json_writer *w, int64_t expires_s)
{
	json_key(w, push_properties[PUSH_P_EXPIRES]);
	jmap_date_put(w, expires_s * 1000);
}

static void
created(struct setting *q, const struct store_push_is *is)
{
	struct json_writer *w = jmap_set_created(&q->s, q->name);
	struct buf id = { 0 };

	object_id_put(&id, OBJECT_PUSH, is->id);
	json_begin_object(w);
	json_kv_string(w, push_properties[PUSH_P_ID], buf_span(&id));
	put_expires(w, is->expires_s);
	if (q->p.auth.len == 0) {
		json_key(w, push_properties[PUSH_P_KEYS]);
		json_null(w);
	}
	if (q->p.types.len == 0) {
		json_key(w, push_properties[PUSH_P_TYPES]);
		json_null(w);
	}
	json_end_object(w);
	jmap_call_created(q->c, q->name, buf_span(&id));
	buf_fini(&id);
}

/* Null, or what came of an expiry that was asked for. */
static void
updated(struct setting *q, const struct store_push_is *is)
{
	struct json_writer *w = jmap_set_updated(&q->s, q->name);

	if (!(q->what & PUSH_EXPIRES) || is->expires_s == q->p.expires_s) {
		json_null(w);
		return;
	}
	json_begin_object(w);
	put_expires(w, is->expires_s);
	json_end_object(w);
}

static void
refused(struct setting *q, enum status st)
{
	if (st == ST_DENIED && (q->what & PUSH_CODE))
		jmap_set_failed(&q->s, q->part, q->name, "invalidProperties", "verificationCode",
		    "it is not the one that was pushed");
	else if (st == ST_LIMIT)
		jmap_set_failed(&q->s, q->part, q->name, "overQuota", NULL,
		    "there are as many subscriptions as an account may have");
	else
		jmap_set_failed_status(&q->s, q->part, q->name, st);
}

static void
on_set(void *arg, enum status st, bool more, const void *msg)
{
	struct setting *q = arg;

	q->call = NULL;
	if (st != ST_OK)
		refused(q, st);
	else if (q->part == JMAP_CREATE)
		created(q, msg);
	else if (q->part == JMAP_UPDATE)
		updated(q, msg);
	else
		jmap_set_destroyed(&q->s, q->name);
	go_on(q);
}

static void
ask(struct setting *q, uint8_t how, uint64_t id)
{
	struct store_push_set rq = { .how = how, .id = id, .what = q->what };
	struct buf b = { 0 };

	if (how != PUSH_DESTROY)
		put_store_push(&b, &q->p);
	rq.push = buf_span(&b);
	q->call = store_do_push_set(jmap_call_login(q->c)->store, &rq, on_set, q);
	buf_fini_secret(&b);
}

static void
fail(struct setting *q, const struct push_wrong *wrong)
{
	jmap_set_failed(&q->s, q->part, q->name, wrong->type, wrong->property, "%s", wrong->why);
}

/* Each returns true when the store was asked. */
static bool
create(struct setting *q, const struct json *object)
{
	struct push_wrong wrong;

	q->what = 0;
	if (!push_read_create(object, q->c->arena, &q->p, &wrong)) {
		fail(q, &wrong);
		return false;
	}
	ask(q, PUSH_CREATE, 0);
	return true;
}

/* false: said so. */
static bool
id_of(struct setting *q, uint64_t *id)
{
	struct span real = jmap_call_resolve(q->c, q->name);

	if (object_id_parse(real.p != NULL ? real : q->name, OBJECT_PUSH, id))
		return true;
	jmap_set_failed_status(&q->s, q->part, q->name, ST_NOT_FOUND);
	return false;
}

static bool
update(struct setting *q, const struct json *patch)
{
	struct push_wrong wrong;
	uint64_t id;

	if (!id_of(q, &id))
		return false;
	if (!push_read_update(patch, q->c->arena, &q->p, &q->what, &wrong)) {
		fail(q, &wrong);
		return false;
	}
	ask(q, PUSH_UPDATE, id);
	return true;
}

static bool
destroy(struct setting *q)
{
	uint64_t id;

	q->what = 0;
	if (!id_of(q, &id))
		return false;
	ask(q, PUSH_DESTROY, id);
	return true;
}

static void
go_on(struct setting *q)
{
	const struct json *v;

	while (q->part == JMAP_CREATE) {
		if (!json_next(q->s.create, &q->pos, &q->name, &v)) {
			q->part = JMAP_UPDATE;
			q->pos = NULL;
		} else if (create(q, v)) {
			return;
		}
	}
	while (q->part == JMAP_UPDATE) {
		if (!json_next(q->s.update, &q->pos, &q->name, &v))
			q->part = JMAP_DESTROY;
		else if (update(q, v))
			return;
	}
	while (q->next < q->s.destroy_count) {
		q->name = q->s.destroy[q->next++];
		if (destroy(q))
			return;
	}
	jmap_set_end(q->c, &q->s, SPAN_NONE, SPAN_NONE);
}

static void
push_set(struct jmap_call *c)
{
	struct setting *q = arena_zalloc(c->arena, sizeof(*q));

	q->c = c;
	c->state = q;
	c->ended = set_ended;
	if (!jmap_set_args(c, &q->s))
		return;
	if (q->s.if_in_state.p != NULL)
		jmap_arg_bad(c, "ifInState", "subscriptions have no state");
	if (jmap_args_end(c))
		go_on(q);
}

const struct jmap_method jmap_push_methods[] = {
	{ "PushSubscription/get", JMAP_CORE, push_get, JMAP_NO_ACCOUNT },
	{ "PushSubscription/set", JMAP_CORE, push_set, JMAP_NO_ACCOUNT | JMAP_WRITES },
	{ 0 }
};
