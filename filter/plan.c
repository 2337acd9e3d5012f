#include "filter/plan.h"

#include <stdio.h>
#include <string.h>

#include "common/mail/flags.h"
#include "common/mail/mailbox_name.h"
#include "common/mail/object_id.h"
#include "common/proto/smtp_params.h"
#include "common/util/clock.h"
#include "common/util/mem.h"
#include "filter/loops.h"
#include "filter/plan_priv.h"
#include "storage/client/packer.h"
#include "storage/client/stager.h"

#define READ_STEP	65536u
#define NOT_ASCII	"The recipient's mail rules refuse this message"

static struct plan_body *add_body(struct plan *p, enum plan_body_kind kind,
    const struct sieve_message *m);
static void send_request(struct plan *p);
static void on_end(void *arg);

struct plan *
plan_new(const struct plan_of *of)
{
	struct plan *p = mem_zalloc(sizeof(*p));

	p->of = *of;
	p->end = loop_task_new(of->loop, on_end, p);
	/* Body 0 of the request, without an item of its own. */
	if (plan_is_event(p))
		(void)add_body(p, BODY_AS_IT_CAME, NULL);
	return p;
}

void
plan_free(struct plan **pp)
{
	struct plan *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	store_cancel(&p->call);
	loop_task_free(&p->end);
	for (size_t i = 0; i < p->n_bodies; i++) {
		stager_free(&p->bodies[i].stager);
		packer_free(&p->bodies[i].packer);
	}
	buf_fini(&p->keywords);
	buf_fini(&p->places);
	buf_fini(&p->keys);
	buf_fini(&p->queue);
	buf_fini(&p->words);
	mem_free(&p->refusal);
	mem_free(&p);
}

/* Bodies ---------------------------------------------------------------------- */

static struct store *
store_of(const struct plan *p)
{
	return plan_is_event(p) ? p->of.store : copy_store(p->of.copy);
}

static uint32_t
stage_of(const struct plan *p, const struct plan_body *b)
{
	return p->of.first_stage + (uint32_t)(b - p->bodies);
}

static void
on_room(void *arg)
{
	/* all of a body is fed at once */
}

static void
on_staged(void *arg, enum status st)
{
	struct plan *p = arg;

	if (st != ST_OK && p->st == ST_OK)
		p->st = st;
	if (--p->waiting == 0 && p->sending)
		send_request(p);
}

static const struct stager_ops stager_ops = { .room = on_room, .done = on_staged };

static struct plan_body *
add_body(struct plan *p, enum plan_body_kind kind, const struct sieve_message *m)
{
	struct plan_body *b;

	if (p->n_bodies == STORE_DELIVER_BODIES)
		return NULL;
	b = &p->bodies[p->n_bodies++];
	*b = (struct plan_body){ .kind = kind, .message = m };
	if (kind == BODY_AS_IT_CAME)
		return b;
	b->packer = packer_new(0);
	b->stager = stager_new(store_of(p), stage_of(p, b), &stager_ops, p);
	return b;
}

static void
end_body(struct plan *p, struct plan_body *b)
{
	packer_finish(b->packer, stager_out(b->stager), &b->item);
	if (!stager_finish(b->stager))
		p->waiting++;
	else if (stager_status(b->stager) != ST_OK)
		p->st = stager_status(b->stager);
}

/* Our own Return-Path stays here: whoever gets the message next has another one. */
static size_t
return_path_len(struct span s)
{
	size_t n = span_find(s, '\n');

	return n < s.len && span_caseeq(span_sub(s, 0, n < 12 ? n : 12), SPAN_LIT("Return-Path:")) ?
	    n + 1 : 0;
}

static void
feed(struct plan_body *b, struct span s)
{
	if (b->cut)
		s = span_sub(s, return_path_len(s), s.len);
	b->cut = false;
	packer_feed(b->packer, s, stager_out(b->stager));
	stager_push(b->stager);
}

/* Everything up to there is in memory. */
static uint64_t
kept_end(const struct plan *p)
{
	return p->of.prefix + kept_text(p->of.kept).len;
}

static void
feed_range(struct plan *p, struct plan_body *b, uint64_t from, uint64_t len)
{
	char *block = mem_alloc(READ_STEP);

	while (len > 0) {
		size_t n = len < READ_STEP ? (size_t)len : READ_STEP;

		if (!sieve_message_read(p->of.message, from, block, n))
			break;	/* it is in memory: it can be read */
		feed(b, span(block, n));
		from += n;
		len -= n;
	}
	mem_free(&block);
}

/* false: not all of it is in memory. */
static bool
can_feed(struct plan *p, const struct sieve_message *m)
{
	const struct sieve_piece *v;
	size_t n;

	v = sieve_message_pieces(m, &n);
	for (size_t i = 0; i < n; i++)
		if (v[i].p == NULL && v[i].from + v[i].len > kept_end(p))
			return false;
	return true;
}

static void
feed_message(struct plan *p, struct plan_body *b, const struct sieve_message *m)
{
	const struct sieve_piece *v;
	size_t n;

	v = sieve_message_pieces(m, &n);
	for (size_t i = 0; i < n; i++)
		if (v[i].p == NULL)
			feed_range(p, b, v[i].from, v[i].len);
		else
			feed(b, span(v[i].p, (size_t)v[i].len));
}

/* Which body that message is, in that form; UINT8_MAX: there is no room for more. */
static uint8_t
body_of(struct plan *p, enum plan_body_kind kind, const struct sieve_message *m)
{
	struct plan_body *b;

	if (m == p->of.message && kind == BODY_EDITED)
		kind = BODY_AS_IT_CAME;
	if (kind != BODY_AS_IT_CAME && !can_feed(p, m)) {
		LOG(p->of.log, WARN, "sieve.too-long", KV_STR("user", p->of.user),
		    KV_STR("what", kind == BODY_SENT ? "trace of a redirection" : "edited message"));
		kind = BODY_AS_IT_CAME;
	}
	if (kind == BODY_AS_IT_CAME)
		m = NULL;
	for (size_t i = 0; i < p->n_bodies; i++)
		if (p->bodies[i].kind == kind && p->bodies[i].message == m && kind != BODY_OURS)
			return (uint8_t)i;
	b = add_body(p, kind, m);
	if (b == NULL)
		return UINT8_MAX;
	if (kind == BODY_AS_IT_CAME)
		return (uint8_t)(b - p->bodies);
	if (kind == BODY_SENT) {
		struct buf trace = { 0 };

		loops_trace(p->of.user, &trace);
		feed(b, buf_span(&trace));
		b->cut = true;
		buf_fini(&trace);
	}
	feed_message(p, b, m);
	end_body(p, b);
	return (uint8_t)(b - p->bodies);
}

uint8_t
plan_our_body(struct plan *p, struct span raw)
{
	struct plan_body *b = add_body(p, BODY_OURS, NULL);

	if (b == NULL)
		return UINT8_MAX;
	feed(b, raw);
	end_body(p, b);
	return (uint8_t)(b - p->bodies);
}

/* Places ---------------------------------------------------------------------- */

static void
add_keyword(struct plan *p, struct span name, struct flags *f)
{
	struct span known;
	struct reader r;
	unsigned k = 0;

	reader_init(&r, p->keywords.data, p->keywords.len);
	while (get_store_keyword(&r, &known)) {
		if (span_caseeq(known, name)) {
			flags_set_keyword(f, k);
			return;
		}
		k++;
	}
	if (k >= KEYWORD_MAX)
		return;
	put_store_keyword(&p->keywords, name);
	flags_set_keyword(f, k);
}

static struct flags
flags_of(struct plan *p, const struct span *v, size_t n)
{
	struct flags f = flags_system(0);
	unsigned bit;

	for (size_t i = 0; i < n; i++) {
		bit = flag_system_parse(v[i]);
		if (bit != 0)
			f = flags_or(f, flags_system(bit));
		else if (keyword_valid(v[i]))
			add_keyword(p, v[i], &f);
	}
	return f;
}

static void
put_place(struct plan *p, const struct store_deliver_place *at)
{
	if (at->body == UINT8_MAX || p->n_places >= STORE_DELIVER_PLACES) {
		p->st = ST_LIMIT;
		return;
	}
	put_store_deliver_place(&p->places, at);
	p->n_places++;
}

static void
put_inbox(struct plan *p, uint8_t body)
{
	const struct store_deliver_place at = { .body = body, .path = SPAN_LIT("INBOX"),
	    .create = true };

	put_place(p, &at);
}

void
plan_inbox(struct plan *p)
{
	put_inbox(p, body_of(p, BODY_AS_IT_CAME, NULL));
	p->stores++;
	p->fate.ended = true;
}

static void
plan_store(struct plan *p, const struct sieve_action *a)
{
	const struct sieve_store *s = &a->store;
	struct store_deliver_place at = { .flags = flags_of(p, s->flags, s->n_flags),
	    .create = s->create || p->of.conf->sieve.create_mailboxes };
	enum mailbox_role role = MAILBOX_ROLE_NONE;
	struct buf path = { 0 };

	if (s->fcc_of == NULL)
		at.body = body_of(p, BODY_EDITED, a->message);
	else if (!plan_letter(p, s->fcc_of, &at.body))
		return;
	at.subscribe = at.create;
	if (s->mailbox_id.p != NULL)
		(void)object_id_parse(s->mailbox_id, OBJECT_MAILBOX, &at.mailbox);
	if (s->special_use.p != NULL && mailbox_role_parse(s->special_use, &role))
		at.role = (uint8_t)role;
	if (mailbox_name_from_utf8(s->mailbox, &path))
		at.path = buf_span(&path);
	put_place(p, &at);
	p->stores++;
	p->filed |= !s->keep;
	buf_fini(&path);
}

/* Queue ----------------------------------------------------------------------- */

void
plan_queue(struct plan *p, uint8_t kind, uint8_t body, const struct store_envelope *env)
{
	const struct store_queue_new q = { .kind = kind, .body = body, .env = *env };

	if (body == UINT8_MAX || p->n_queue >= STORE_DELIVER_QUEUE) {
		p->st = ST_LIMIT;
		return;
	}
	put_store_queue_new(&p->queue, &q);
	p->n_queue++;
}

/* RFC 6009 §6.1, §7.1: what the recipient asked for is told to the recipient. */
static bool
is_own(const struct plan *p, const struct sieve_redirect *r)
{
	return p->of.from != NULL && p->of.from[0] != '\0' &&
	    (r->notify.p != NULL || r->ret.p != NULL || r->by_mode.p != NULL);
}

static void
set_parameters(const struct sieve_redirect *r, int64_t now, struct store_envelope *e,
    struct store_queue_rcpt *to)
{
	unsigned notify;

	if (r->notify.p != NULL && smtp_notify_parse(r->notify, &notify))
		to->notify = (uint8_t)notify;
	if (r->ret.p != NULL)
		e->ret = span_caseeq_str(r->ret, "FULL") ? QUEUE_RET_FULL : QUEUE_RET_HDRS;
	if (r->by_mode.p != NULL) {
		e->by = span_caseeq_str(r->by_mode, "RETURN") || span_caseeq_str(r->by_mode, "R") ?
		    QUEUE_BY_RETURN : QUEUE_BY_NOTIFY;
		e->by |= r->by_trace ? QUEUE_BY_TRACE : 0;
		e->by_ms = r->by_time > now ? (r->by_time - now) * 1000 : 1000;
	}
}

static const char *
no_redirect(const struct plan *p, const struct sieve_redirect *r)
{
	return loops_redirect(p->of.conf, p->of.message, kept_is_whole(p->of.kept),
	    span_str(p->of.user), r->address);
}

static void
plan_redirect(struct plan *p, const struct sieve_action *a)
{
	const struct sieve_redirect *r = &a->redirect;
	struct store_queue_rcpt to = { .address = r->address };
	struct store_envelope env = { .from = span_str(p->of.from), .utf8 = p->of.utf8 ||
	    kept_has_8bit(p->of.kept, true), .eight_bit = kept_has_8bit(p->of.kept, false) };
	struct buf rcpts = { 0 }, orcpt = { 0 };
	const char *why = no_redirect(p, r);

	if (why != NULL) {
		LOG(p->of.log, WARN, "sieve.no-redirect", KV_STR("user", p->of.user),
		    KV_SPAN("to", r->address), KV_STR("why", why));
		if (plan_is_event(p))
			p->stays = true;
		else
			put_inbox(p, body_of(p, BODY_EDITED, a->message));
		return;
	}
	set_parameters(r, p->env->now, &env, &to);
	if (is_own(p, r))
		env.from = span_str(p->of.user);
	else if (p->of.dsn != NULL && env.ret == 0 && env.by == 0 && to.notify == 0)
		dsn_pass_on(p->of.dsn, &p->fate, clock_wall_ms(), &env, &to, &orcpt);
	put_store_queue_rcpt(&rcpts, &to);
	env.rcpts = buf_span(&rcpts);
	plan_queue(p, QUEUE_REDIRECT, body_of(p, BODY_SENT, a->message), &env);
	p->redirects++;
	buf_fini(&rcpts);
	buf_fini(&orcpt);
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}

/* Told to the MTA, which tells the sender (RFC 5429 §2.5), where it can be told as it stands; else
 * reject is a message, and ereject told with other words (§2.1.1, §2.2). */
static void
plan_reject(struct plan *p, const struct sieve_action *a)
{
	struct span text = a->reject.reason;
	bool tell = p->of.utf8 || is_ascii(text);
	uint8_t body;

	if (!a->reject.ereject && (!tell || p->of.conf->sieve.reject_mode == CONF_REJECT_MESSAGE) &&
	    loops_send(p->of.conf) == NULL) {
		(void)plan_letter(p, a, &body);
		return;
	}
	mem_free(&p->refusal);
	p->refusal = tell ? span_dup(text) : mem_strdup(NOT_ASCII);
}

/* The message of an event ----------------------------------------------------- */

/* Its flags are changed against those that the run saw; what is not kept is marked as deleted
 * (RFC 6785 2.2.4). */
static void
plan_original(struct plan *p, const struct sieve_result *r)
{
	const struct flags deleted = flags_system(FLAG_DELETED);
	struct flags was, is;

	if (r->flagged) {
		was = flags_of(p, p->env->flags, p->env->n_flags);
		is = flags_of(p, r->flags, r->n_flags);
		p->flags_add = flags_without(is, was);
		p->flags_remove = flags_without(was, is);
	}
	if (!sieve_result_keeps(r) && !p->stays) {
		p->flags_add = flags_or(p->flags_add, deleted);
		p->flags_remove = flags_without(p->flags_remove, deleted);
	}
}

/* What reports tell. */
static void
count_fate(struct plan *p, const struct sieve_action *a)
{
	if (a->kind == SIEVE_STORE)
		p->fate.ended |= a->store.fcc_of == NULL;
	else if (a->kind == SIEVE_REDIRECT && !is_own(p, &a->redirect) &&
	    no_redirect(p, &a->redirect) == NULL)
		p->fate.passed++;
	else if (a->kind == SIEVE_REDIRECT)
		p->fate.ended = true;
}

/* All of it ------------------------------------------------------------------- */

static void
put_condition(struct plan *p, const struct sieve_condition *c)
{
	const struct store_deliver_key k = { .key = span(c->key, sizeof(c->key)),
	    .kind = c->ask == SIEVE_ASK_DUPLICATE ? SIEVE_KEY_DUPLICATE : SIEVE_KEY_VACATION,
	    .known = c->present, .remember_s = c->remember_s };

	if (++p->n_keys < STORE_SIEVE_KEYS_ASKED)	/* one is left for the script */
		put_store_deliver_key(&p->keys, &k);
	else
		p->st = ST_LIMIT;
}

void
plan_result(struct plan *p, const struct sieve_result *r, const struct sieve_env *env)
{
	uint8_t body;

	p->env = env;
	p->fate.deaf = p->of.conf->outgoing.relay[0] == '\0';
	for (size_t i = 0; i < r->n_actions && p->of.dsn != NULL; i++)
		count_fate(p, r->actions[i]);
	for (size_t i = 0; i < r->n_actions; i++) {
		const struct sieve_action *a = r->actions[i];

		switch (a->kind) {
		case SIEVE_STORE:
			if (!plan_is_event(p) || !a->store.keep)
				plan_store(p, a);
			break;
		case SIEVE_REDIRECT:
			plan_redirect(p, a);
			break;
		case SIEVE_REJECT:
			plan_reject(p, a);
			break;
		case SIEVE_VACATION:
		case SIEVE_NOTIFY:
			(void)plan_letter(p, a, &body);
		}
	}
	for (size_t i = 0; i < r->n_conditions; i++)
		put_condition(p, &r->conditions[i]);
	if (plan_is_event(p))
		plan_original(p, r);
	p->env = NULL;
}

void
plan_notice(struct plan *p, struct span raw, const unsigned char key[32], uint64_t remember_s)
{
	const struct store_deliver_key k = { .kind = SIEVE_KEY_DUPLICATE, .key = span(key, 32),
	    .remember_s = remember_s };

	if (p->n_keys + 2 > STORE_SIEVE_KEYS_ASKED)
		return;			/* told with the next message */
	put_inbox(p, plan_our_body(p, raw));
	put_store_deliver_key(&p->keys, &k);
	p->n_keys++;
}

void
plan_rests_on(struct plan *p, const unsigned char script[32])
{
	const struct store_deliver_key k = { .kind = SIEVE_KEY_SCRIPT, .key = span(script, 32),
	    .known = true };

	put_store_deliver_key(&p->keys, &k);
	p->n_keys++;
}

const char *
plan_refusal(const struct plan *p)
{
	return p->refusal;
}

static bool
changes_flags(const struct plan *p)
{
	return flags_any(p->flags_add) || flags_any(p->flags_remove);
}

/* There is nothing to ask the store for. */
static bool
is_idle(const struct plan *p)
{
	return (plan_is_event(p) || p->refusal != NULL) && !changes_flags(p) &&
	    p->n_places + p->n_queue + p->n_keys == 0;
}

static const char *
event_words(struct plan *p)
{
	if (p->n_places + p->n_queue > 0 || changes_flags(p))
		buf_addf(&p->words, "store=%u redirect=%u send=%u%s%s", p->stores, p->redirects,
		    p->n_queue - p->redirects, changes_flags(p) ? " flag" : "",
		    flags_get_system(p->flags_add) & FLAG_DELETED ? " delete" : "");
	return buf_cstr(&p->words);
}

const char *
plan_words(struct plan *p)
{
	buf_clear(&p->words);
	if (plan_is_event(p))
		return event_words(p);
	if (p->stores == 1 && p->n_queue == 0 && p->refusal == NULL && !p->filed)
		return "";
	buf_addf(&p->words, "store=%u redirect=%u send=%u%s", p->stores, p->redirects,
	    p->n_queue - p->redirects, p->refusal != NULL ? " refuse" : "");
	return buf_cstr(&p->words);
}

/* Request --------------------------------------------------------------------- */

static void
on_end(void *arg)
{
	struct plan *p = arg;

	p->done(p->arg, p->st);
}

static void
on_delivered(void *arg, enum status st, bool more, const void *msg)
{
	struct plan *p = arg;

	p->call = NULL;
	p->done(p->arg, st);
}

static void
send_request(struct plan *p)
{
	struct store_deliver rq = { .keywords = buf_span(&p->keywords),
	    .places = buf_span(&p->places), .keys = buf_span(&p->keys),
	    .queue = buf_span(&p->queue), .of_mailbox = p->of.of_mailbox, .of_uid = p->of.of_uid,
	    .flags_add = p->flags_add, .flags_remove = p->flags_remove };
	struct buf bodies = { 0 };

	if (p->st != ST_OK || is_idle(p)) {
		loop_task_post(p->end);
		return;
	}
	for (size_t i = plan_is_event(p) ? 1 : 0; i < p->n_bodies; i++) {
		struct plan_body *b = &p->bodies[i];
		struct store_append_item it = b->item;

		if (b->kind == BODY_AS_IT_CAME)
			it = copy_item(p->of.copy);
		else
			stager_item(b->stager, &it);
		put_store_append_item(&bodies, &it);
	}
	rq.bodies = buf_span(&bodies);
	p->call = store_do_deliver(store_of(p), &rq, on_delivered, p);
	buf_fini(&bodies);
}

void
plan_send(struct plan *p, plan_done_fn done, void *arg)
{
	p->done = done;
	p->arg = arg;
	plan_reports(p);
	p->sending = true;
	if (p->waiting == 0)
		send_request(p);
}
