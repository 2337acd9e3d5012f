#include "outd/submit.h"

#include <string.h>

#include "common/ipc/ipc.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "outd/letter.h"
#include "outd/relay.h"
#include "outd/role.h"
#include "outd/sender.h"
#include "outd/taken.h"
#include "outd/unpack.h"

#define STORED_WINDOW	(128u << 10)	/* bytes of a stored body that may be on their way here */
#define STEP		65536u		/* bytes that are handed on at a time */

struct submit {
	struct loop		*loop;
	struct mansio_conf	*conf;		/* NULL: none yet */
	struct buf		 ca, password;
	bool			 has_secrets;	/* those that belong to conf */
	struct list		 relays;	/* that one, and those that end */
	struct relay		*relay;		/* NULL: none, or its secrets are not here yet */
	struct sender		*sender;	/* NULL: no program */
	struct list		 peers;
	unsigned		 n_letters;
	uint64_t		 n_sent, n_later, n_refused;
};

struct peer {
	struct list		in;
	struct submit		*s;
	uint32_t		shard;
	struct ipc		*ipc;
	struct list		jobs;
};

/* A letter that a store waits for. */
struct job {
	struct list		in;
	struct peer		*peer;
	struct ipc_head		head;
	struct letter		letter;
	struct unpack		*unpack;
	struct loop_task	*task;		/* hands on what there is */
	uint32_t		wanted;		/* bytes by the carrier */
	uint32_t		asked;		/* stored bytes of the store that did not come yet */
	bool			fed;		/* all of them came */
};

/* Answers ---------------------------------------------------------------------- */

static void
job_free(struct job *j)
{
	if (j->letter.carrier != NULL)
		j->letter.carrier->drop(&j->letter);
	j->peer->s->n_letters--;
	unpack_free(&j->unpack);
	loop_task_free(&j->task);
	list_remove(&j->in);
	letter_fini(&j->letter);
	mem_free(&j);
}

static void
refuse(struct peer *p, const struct ipc_head *head, enum status st, const char *why)
{
	const struct out_failed f = { span_str(why) };

	ipc_reply(p->ipc, head, st, OUT_FAILED, &f);
}

/* Bodies ----------------------------------------------------------------------- */

static void
on_wants(struct letter *l, uint32_t bytes)
{
	struct job *j = l->owner;

	j->wanted += bytes;
	loop_task_post(j->task);
}

static void
ask_store(struct job *j)
{
	const struct out_submit_wants w = { STORED_WINDOW };

	if (j->asked > 0 || j->fed)
		return;
	j->asked = w.bytes;
	ipc_reply_more(j->peer->ipc, &j->head, OUT_SUBMIT_WANTS, &w);
}

/* A step at a time: the letter, and the job with it, may end below it. */
static void
hand_on(void *arg)
{
	struct job *j = arg;
	const struct carrier *c = j->letter.carrier;
	struct buf part = { 0 };
	enum unpack_is is;

	if (c == NULL || c->body == NULL || j->wanted == 0)
		return;
	is = unpack_take(j->unpack, j->wanted < STEP ? j->wanted : STEP, &part);
	j->wanted -= (uint32_t)part.len;
	if (is == UNPACK_HUNGRY)
		ask_store(j);
	else if (is == UNPACK_FULL)
		loop_task_post(j->task);
	if (is == UNPACK_BAD)
		c->body(&j->letter, SPAN_NONE, true, true);
	else if (part.len > 0 || is == UNPACK_LAST)
		c->body(&j->letter, buf_span(&part), is == UNPACK_LAST, false);
	buf_fini_secret(&part);
}

/* Ends ------------------------------------------------------------------------- */

static void
tell(const struct job *j, enum out_how how, bool unsent, const char *why)
{
	static const char *const names[] = { [OUT_SENT] = "sent", [OUT_LATER] = "later",
	    [OUT_REFUSED] = "refused" };

	LOG(NULL, INFO, "out.letter", KV_UINT("account", j->letter.m.account),
	    KV_UINT("entry", j->letter.m.entry), KV_STR("how", names[how]),
	    KV_UINT("unsent", unsent), KV_STR("why", why));
}

static void
on_done(struct letter *l, enum out_how how, bool unsent, const char *why)
{
	struct job *j = l->owner;
	struct submit *s = j->peer->s;
	struct out_submitted is = { .how = (uint8_t)how, .unsent = unsent && how != OUT_SENT };
	struct buf results = { 0 };

	for (size_t i = 0; i < l->n_rcpts; i++) {
		const struct out_result r = { l->rcpts[i].how, span_str(l->rcpts[i].why) };

		put_out_result(&results, &r);
	}
	is.results = buf_span(&results);
	is.why = span_sub(span_str(why), 0, OUT_WHY_MAX);
	s->n_sent += how == OUT_SENT;
	s->n_later += how == OUT_LATER;
	s->n_refused += how == OUT_REFUSED;
	tell(j, how, is.unsent, why);
	ipc_reply(j->peer->ipc, &j->head, ST_OK, OUT_SUBMITTED, &is);
	buf_fini(&results);
	job_free(j);
}

/* Requests --------------------------------------------------------------------- */

static struct job *
find_job(struct peer *p, uint32_t chan)
{
	for (struct list *n = p->jobs.next; n != &p->jobs; n = n->next)
		if (list_entry(n, struct job, in)->head.chan == chan)
			return list_entry(n, struct job, in);
	return NULL;
}

/* NULL: it can be begun. */
static const char *
not_now(const struct peer *p, const struct ipc_head *head, enum status *st)
{
	const struct submit *s = p->s;

	*st = ST_UNAVAILABLE;
	if (s->conf == NULL || !s->has_secrets)
		return "the configuration is changing";
	if (s->relay == NULL && s->sender == NULL)
		return "neither a relay nor a program is configured, or it is not usable";
	*st = ST_LIMIT;
	if (s->n_letters >= OUT_SUBMITS_MAX)
		return "too many messages at a time";
	*st = ST_SYNTAX;
	return head->chan == 0 || find_job((struct peer *)p, head->chan) != NULL ?
	    "another message has its number" : NULL;
}

static void
take(struct peer *p, const struct ipc_head *head, const struct out_submit *m)
{
	struct submit *s = p->s;
	enum status st;
	const char *why = not_now(p, head, &st);
	struct job *j;

	if (why != NULL) {
		refuse(p, head, st, why);
		return;
	}
	j = mem_zalloc(sizeof(*j));
	j->peer = p;
	j->head = *head;
	j->unpack = unpack_new(m->size, m->sha256);
	j->task = loop_task_new(s->loop, hand_on, j);
	j->letter.wants = on_wants;
	j->letter.done = on_done;
	j->letter.owner = j;
	list_push_back(&p->jobs, &j->in);
	s->n_letters++;
	if (!letter_init(&j->letter, m)) {
		refuse(p, head, ST_SYNTAX, "an address or a parameter that SMTP does not know");
		job_free(j);
	} else if (s->relay != NULL) {
		relay_send(s->relay, &j->letter);
	} else {
		sender_send(s->sender, &j->letter);
	}
}

static void
take_body(struct peer *p, uint32_t chan, const struct out_submit_body *m)
{
	struct job *j = find_job(p, chan);

	/* it has ended already, or was never asked for */
	if (j == NULL || j->letter.carrier == NULL || j->letter.carrier->body == NULL || j->fed)
		return;
	if (m->bad || m->bytes.len > j->asked) {
		j->letter.carrier->body(&j->letter, SPAN_NONE, true, true);
		return;
	}
	j->asked -= (uint32_t)m->bytes.len;
	j->fed = m->last;
	unpack_feed(j->unpack, m->bytes, m->last);
	loop_task_post(j->task);
}

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	if (m->no == OUT_SUBMIT)
		take(arg, h, msg);
	else if (m->no == OUT_SUBMIT_BODY)
		take_body(arg, h->chan, msg);
	else
		ipc_refuse(ipc, h, ST_UNSUPPORTED);
}

/* Peers ------------------------------------------------------------------------ */

static void
peer_free(struct peer *p)
{
	while (!list_empty(&p->jobs))
		job_free(list_entry(p->jobs.next, struct job, in));
	ipc_free(&p->ipc);
	list_remove(&p->in);
	mem_free(&p);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	peer_free(arg);
}

void
submit_connect(struct submit *s, uint32_t shard, int fd)
{
	struct ipc_config cf = { .loop = s->loop, .protocol = &out_protocol, .peer = "stored",
	    .allowed = OUT_PEER_QUEUE, .request = on_request, .closed = on_closed };
	struct peer *p = mem_zalloc(sizeof(*p));

	for (struct list *n = s->peers.next, *next; n != &s->peers; n = next) {
		next = n->next;
		if (list_entry(n, struct peer, in)->shard == shard)
			peer_free(list_entry(n, struct peer, in));
	}
	p->s = s;
	p->shard = shard;
	list_init(&p->jobs);
	list_push_back(&s->peers, &p->in);
	cf.arg = p;
	p->ipc = ipc_new(&cf, fd);
}

/* Configuration ---------------------------------------------------------------- */

static const char *const our_settings[] = { "outgoing", "hostname", NULL };

void
submit_configure(struct submit *s, struct mansio_conf *conf)
{
	if (s->conf != NULL && !taken_differs(s->conf, conf, our_settings)) {
		conf_free(&conf);
		return;
	}
	relay_retire(&s->relay);
	conf_free(&s->conf);
	s->conf = conf;
	s->has_secrets = false;		/* the old ones are for another server, perhaps */
	if (s->sender != NULL)
		sender_configure(s->sender, &conf->outgoing);
}

/* A relay has a configuration of its own, for it may outlive ours. */
static struct mansio_conf *
copy_of(const struct mansio_conf *conf)
{
	struct buf text = { 0 };
	struct mansio_conf *copy;

	conf_effective_encode(conf, &text);
	copy = conf_effective_decode(buf_span(&text));
	buf_fini(&text);
	return copy;
}

void
submit_secrets(struct submit *s, struct span ca, struct span password)
{
	bool fresh = taken_keep(&s->ca, ca);
	struct mansio_conf *copy;

	fresh |= taken_keep(&s->password, password);
	if (fresh)
		relay_retire(&s->relay);
	s->has_secrets = true;
	if (s->relay != NULL || s->conf == NULL || s->conf->outgoing.relay[0] == '\0')
		return;
	copy = copy_of(s->conf);
	if (copy != NULL)
		s->relay = relay_new(s->loop, &s->relays, copy, buf_span(&s->ca), buf_span(&s->password));
}

bool
submit_has_program(const struct submit *s)
{
	return s->conf != NULL && s->conf->outgoing.program[0] != '\0';
}

bool
submit_start_program(struct submit *s)
{
	s->sender = sender_new(s->loop, &s->conf->outgoing);
	return s->sender != NULL;
}

void
submit_status(const struct submit *s, struct buf *out)
{
	buf_addf(out, "under_way=%u\nsent=%llu\nlater=%llu\nrefused=%llu\n", s->n_letters,
	    (unsigned long long)s->n_sent, (unsigned long long)s->n_later,
	    (unsigned long long)s->n_refused);
}

struct submit *
submit_new(struct loop *l)
{
	struct submit *s = mem_zalloc(sizeof(*s));

	s->loop = l;
	list_init(&s->peers);
	list_init(&s->relays);
	return s;
}

void
submit_free(struct submit **sp)
{
	struct submit *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	while (!list_empty(&s->peers))
		peer_free(list_entry(s->peers.next, struct peer, in));
	relays_free(&s->relays);
	sender_free(&s->sender);
	conf_free(&s->conf);
	buf_fini(&s->ca);
	buf_fini_secret(&s->password);
	mem_free(&s);
}
