#include "outd/relay.h"

#include <string.h>

#include "common/util/log.h"
#include "common/util/mem.h"
#include "outd/session.h"

#define SHY_MS	5000u		/* a relay that takes no further connection is left alone so long */

struct relay {
	struct list		 in;
	struct loop		*loop;
	struct mansio_conf	*conf;
	struct session_conf	 sc;
	char			*host;
	struct buf		 password;
	struct loop_task	*task;
	struct list		 waiting;	/* letters */
	struct list		 sessions;	/* struct line */
	unsigned		 n_sessions, n_opening;
	uint64_t		 shy_until_ms;
	bool			 retired;
};

struct line {				/* a session of ours */
	struct list	in;
	struct relay	*r;
	struct session	*s;
	bool		opening;
};

static const struct session_ops ops;
static void relay_free(struct relay *r);

/* Waiting -------------------------------------------------------------------- */

static void
waiting_drop(struct letter *l)
{
	list_remove(&l->in);
}

static const struct carrier waiting_carrier = { NULL, waiting_drop };

static void
wait_for_turn(struct relay *r, struct letter *l, bool first)
{
	l->carrier = &waiting_carrier;
	l->vehicle = r;
	if (first)
		list_push_front(&r->waiting, &l->in);
	else
		list_push_back(&r->waiting, &l->in);
	loop_task_post(r->task);
}

static struct letter *
next_letter(struct relay *r)
{
	struct letter *l;

	if (list_empty(&r->waiting))
		return NULL;
	l = list_entry(r->waiting.next, struct letter, in);
	list_remove(&l->in);
	return l;
}

static void
end_waiting(struct relay *r, const char *why)
{
	struct letter *l;

	while ((l = next_letter(r)) != NULL)
		letter_end(l, OUT_LATER, true, why);
}

/* Sessions --------------------------------------------------------------------- */

static unsigned
n_waiting(const struct relay *r)
{
	unsigned n = 0;

	for (struct list *l = r->waiting.next; l != &r->waiting; l = l->next)
		n++;
	return n;
}

static void
open_line(struct relay *r)
{
	struct line *n = mem_zalloc(sizeof(*n));

	n->r = r;
	n->opening = true;
	list_push_back(&r->sessions, &n->in);
	r->n_sessions++;
	r->n_opening++;
	n->s = session_new(r->loop, &r->sc, &ops, n);
}

static void
run(void *arg)
{
	struct relay *r = arg;
	struct list *n, *tmp;

	list_each(n, tmp, &r->sessions) {
		struct line *line = list_entry(n, struct line, in);

		if (!session_is_ready(line->s))
			continue;
		if (!list_empty(&r->waiting))
			session_send(line->s, next_letter(r));
		else if (r->retired)
			session_quit(line->s);
	}
	if (r->retired && r->n_sessions == 0) {
		relay_free(r);
		return;
	}
	if (r->n_sessions > 0 && loop_now_ms(r->loop) < r->shy_until_ms)
		return;
	while (r->n_sessions < r->conf->outgoing.connections && r->n_opening < n_waiting(r))
		open_line(r);
}

static void
on_ready(struct session *s, void *arg)
{
	struct line *n = arg;

	if (n->opening)
		n->r->n_opening--;
	n->opening = false;
	loop_task_post(n->r->task);
}

static void
on_closed(struct session *s, bool worked, struct letter *back, const char *why, void *arg)
{
	struct line *n = arg;
	struct relay *r = n->r;

	list_remove(&n->in);
	r->n_sessions--;
	if (n->opening)
		r->n_opening--;
	mem_free(&n);
	if (back != NULL)
		wait_for_turn(r, back, true);
	if (!worked)
		LOG(NULL, WARN, "relay.failed", KV_STR("why", why));
	/* with others at work it is only one connection too many */
	if (!worked && r->n_sessions > r->n_opening)
		r->shy_until_ms = loop_now_ms(r->loop) + SHY_MS;
	else if (!worked)
		end_waiting(r, why);
	loop_task_post(r->task);
}

static const struct session_ops ops = { on_ready, on_closed };

void
relay_send(struct relay *r, struct letter *l)
{
	wait_for_turn(r, l, false);
}

/* The whole -------------------------------------------------------------------- */

static bool
make_tls(struct relay *r, struct span ca)
{
	const struct conf_outgoing *c = &r->conf->outgoing;
	char err[TLS_ERROR_MAX];

	if (c->tls == CONF_RELAY_NONE)
		return true;
	r->sc.tls = tls_ctx_new_client(c->tls_name[0] != '\0' ? c->tls_name : r->host, ca, c->verify, err);
	if (r->sc.tls == NULL)
		LOG(NULL, ERROR, "relay.tls", KV_STR("why", err));
	return r->sc.tls != NULL;
}

struct relay *
relay_new(struct loop *l, struct list *home, struct mansio_conf *conf, struct span ca,
    struct span password)
{
	struct relay *r = mem_zalloc(sizeof(*r));
	struct span host = SPAN_NONE;
	bool good = conf_relay(conf->outgoing.relay, &host, &r->sc.port);

	r->loop = l;
	r->conf = conf;
	r->host = mem_strndup(host.p, host.len);
	buf_add_span(&r->password, password);
	if (r->sc.port == 0)
		r->sc.port = conf->outgoing.tls == CONF_RELAY_IMPLICIT ? 465 : 587;
	r->sc.c = &conf->outgoing;
	r->sc.hello = conf->global.hostname;
	r->sc.host = r->host;
	r->sc.password = buf_span(&r->password);
	list_init(&r->waiting);
	list_init(&r->sessions);
	r->task = loop_task_new(l, run, r);
	list_push_back(home, &r->in);
	if (good && make_tls(r, ca))
		return r;
	relay_free(r);
	return NULL;
}

void
relay_retire(struct relay **rp)
{
	struct relay *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	r->retired = true;
	end_waiting(r, "the configuration changed");
	loop_task_post(r->task);
}

static void
relay_free(struct relay *r)
{
	struct list *n, *tmp;

	list_each(n, tmp, &r->sessions) {
		struct line *line = list_entry(n, struct line, in);

		session_free(&line->s);
		mem_free(&line);
	}
	list_remove(&r->in);
	tls_ctx_free(&r->sc.tls);
	loop_task_free(&r->task);
	buf_fini_secret(&r->password);
	mem_free(&r->host);
	conf_free(&r->conf);
	mem_free(&r);
}

void
relays_free(struct list *home)
{
	while (!list_empty(home))
		relay_free(list_entry(home->next, struct relay, in));
}
