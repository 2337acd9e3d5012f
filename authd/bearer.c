#include "authd/bearer.h"

#include <string.h>

#include "authd/introspect.h"
#include "authd/key_file.h"
#include "common/crypto/digest.h"
#include "common/crypto/random.h"
#include "common/ipc/ipc.h"
#include "common/out/out_proto.h"
#include "common/util/clock.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/util/table.h"

#define KEEP_S		3600u		/* keys of a server that says nothing */
#define RETRY_MS	1000u		/* after a failure; doubled with each */
#define RETRY_MAX_MS	60000u
#define GRACE_MS	5000u		/* outd keeps the time itself; this is for one that hangs */

/* The last request of a kind, for the log and mansioctl status. */
struct attempt {
	bool		tried, ok;
	int64_t		tried_s, good_s;	/* wall clock; good_s 0: never */
	uint64_t	tried_ms;
	unsigned	failures;		/* since the last good one */
	struct buf	why;
};

struct fetched_keys {
	struct jwk_set	*set;			/* NULL: none yet */
	uint64_t	fresh_until_ms;
	uint32_t	req;			/* of the fetch under way; 0: none */
	struct loop_timer *patience;
	struct loop_timer *again;		/* while there are none */
	struct list	waiting;
	struct attempt	last;
};

struct bearer {
	struct loop		*loop;
	const struct mansio_conf *conf;
	struct ipc		*outd;		/* NULL: away */
	struct key_file		*file;		/* NULL: not configured, or not used yet */
	char			*file_path, *url;
	struct fetched_keys	keys;
	unsigned char		mac_key[SHA256_LEN];
	struct table		known, asked;	/* by MAC of the token */
	struct list		known_oldest;
	struct attempt		last;		/* introspection */
	uint64_t		n_asked;
	uint32_t		n_waiting;
};

struct known {
	struct list		in;
	unsigned char		mac[SHA256_LEN];
	uint64_t		until_ms;
	enum jwt_verdict	verdict;
	struct buf		user;
};

/* A token that the server is being asked about. */
struct asked {
	struct bearer		*b;
	unsigned char		mac[SHA256_LEN];
	uint32_t		req;
	struct loop_timer	*patience;
	struct list		waiting;
};

struct bearer_ask {
	struct list		in;
	struct bearer		*b;
	struct buf		token;		/* of those that wait for keys */
	bearer_done_fn		fn;
	void			*arg;
};

static const struct bearer_result away = { ST_UNAVAILABLE, JWT_MALFORMED, { NULL, 0 } };

/* Waiting ----------------------------------------------------------------------- */

static struct bearer_ask *
wait_in(struct bearer *b, struct list *waiting, bearer_done_fn fn, void *arg)
{
	struct bearer_ask *q = mem_zalloc(sizeof(*q));

	q->b = b;
	q->fn = fn;
	q->arg = arg;
	list_push_back(waiting, &q->in);
	b->n_waiting++;
	return q;
}

static void
ask_free(struct bearer_ask *q)
{
	list_remove(&q->in);
	q->b->n_waiting--;
	buf_fini_secret(&q->token);
	mem_free(&q);
}

void
bearer_cancel(struct bearer_ask **qp)
{
	if (*qp != NULL)
		ask_free(*qp);
	*qp = NULL;
}

static void
answer(struct bearer_ask *q, const struct bearer_result *r)
{
	bearer_done_fn fn = q->fn;
	void *arg = q->arg;

	ask_free(q);
	fn(arg, r);
}

/* Those that wait now; whoever comes while they are answered waits in the old list. */
static void
take_waiting(struct list *from, struct list *to)
{
	list_init(to);
	while (!list_empty(from)) {
		struct list *n = from->next;

		list_remove(n);
		list_push_back(to, n);
	}
}

static void
answer_all(struct list *waiting, const struct bearer_result *r)
{
	struct list now;

	take_waiting(waiting, &now);
	while (!list_empty(&now))
		answer(list_entry(now.next, struct bearer_ask, in), r);
}

static void
note_good(struct attempt *a)
{
	a->ok = true;
	a->good_s = clock_wall_s();
	a->failures = 0;
	buf_clear(&a->why);
}

static void
note_failed(struct attempt *a, const char *what, struct span why)
{
	a->ok = false;
	a->failures++;
	buf_clear(&a->why);
	buf_add_span(&a->why, span_sub(why, 0, 256));
	LOG(NULL, ERROR, "auth.outward", KV_STR("what", what), KV_SPAN("why", why),
	    KV_UINT("failures", a->failures));
}

static void
note_try(struct attempt *a)
{
	a->tried = true;
	a->tried_s = clock_wall_s();
	a->tried_ms = clock_mono_ms();
}

static uint64_t
patience_ms(const struct bearer *b)
{
	return b->conf->outd.timeout_s * 1000ull + GRACE_MS;
}

/* Keys of a server ---------------------------------------------------------------- */

uint32_t
bearer_keep_s(const struct conf_oauth *c, int64_t max_age_s)
{
	if (max_age_s < 0)
		max_age_s = KEEP_S;
	if (max_age_s > c->jwks_max_time_s)
		return c->jwks_max_time_s;
	return max_age_s < c->jwks_min_time_s ? c->jwks_min_time_s : (uint32_t)max_age_s;
}

/* Not for each login: so long after the last. */
static uint64_t
pause_ms(const struct bearer *b)
{
	const struct attempt *a = &b->keys.last;
	uint64_t ms = RETRY_MS;

	if (a->ok)
		return b->conf->oauth.jwks_refetch_time_s * 1000ull;
	for (unsigned i = 1; i < a->failures && ms < RETRY_MAX_MS; i++)
		ms *= 2;
	return ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}

static struct jwt_rules
rules_of(const struct bearer *b, const char *claim)
{
	const struct conf_oauth *c = &b->conf->oauth;

	return (struct jwt_rules){ c->issuer, &c->audience, &c->scopes, claim, clock_wall_s(),
	    c->leeway_s };
}

/* A fetch is over: those who waited are judged by what there is now. */
static void
judge_waiting(struct bearer *b)
{
	const struct jwt_rules rules = rules_of(b, b->conf->oauth.user_claim);
	struct fetched_keys *k = &b->keys;
	struct list now;

	if (k->set == NULL)
		loop_timer_set(k->again, pause_ms(b));
	take_waiting(&k->waiting, &now);
	while (!list_empty(&now)) {
		struct bearer_ask *q = list_entry(now.next, struct bearer_ask, in);
		struct bearer_result r = away;
		struct buf user = { 0 };

		if (k->set != NULL) {
			r.verdict = jwt_check(k->set, buf_span(&q->token), &rules, &user);
			r.user = buf_span(&user);
			if (k->last.ok || r.verdict != JWT_UNKNOWN_KEY)
				r.st = ST_OK;
		}
		answer(q, &r);
		buf_fini(&user);
	}
}

static void
take_keys(struct bearer *b, const struct out_fetched *m)
{
	struct fetched_keys *k = &b->keys;
	struct jwk_set *fresh = NULL;
	enum status st = jwk_set_parse(m->body, &fresh);
	uint32_t keep = bearer_keep_s(&b->conf->oauth, m->max_age_s);

	if (st != ST_OK) {
		note_failed(&k->last, "keys", st == ST_SYNTAX ? SPAN_LIT("not a JSON Web Key set") :
		    SPAN_LIT("no usable key"));
		return;
	}
	note_good(&k->last);
	jwk_set_free(&k->set);
	k->set = fresh;
	k->fresh_until_ms = clock_mono_ms() + keep * 1000ull;
	LOG(NULL, INFO, "auth.jwks-url.fetched", KV_STR("url", b->conf->oauth.jwks_url),
	    KV_UINT("keys", jwk_set_count(fresh)), KV_UINT("keep_s", keep));
}

static void
on_keys(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct bearer *b = arg;

	b->keys.req = 0;
	loop_timer_clear(b->keys.patience);
	if (h->status == ST_OK && m != NULL && m->no == OUT_FETCHED)
		take_keys(b, msg);
	else
		note_failed(&b->keys.last, "keys", m != NULL && m->no == OUT_FAILED ?
		    ((const struct out_failed *)msg)->why : SPAN_LIT("outd is away"));
	judge_waiting(b);
}

static void
keys_late(void *arg)
{
	struct bearer *b = arg;

	if (b->outd != NULL)
		ipc_cancel(b->outd, b->keys.req);
	b->keys.req = 0;
	note_failed(&b->keys.last, "keys", SPAN_LIT("outd does not answer"));
	judge_waiting(b);
}

/* Sees to it that keys come, when it is time; true: they are on their way. */
static bool
fetch_keys(struct bearer *b)
{
	struct fetched_keys *k = &b->keys;
	struct out_keys rq = { span_str(b->conf->oauth.jwks_url) };

	if (k->req != 0)
		return true;
	if (b->outd == NULL || !ipc_is_open(b->outd) || rq.url.len == 0 ||
	    (k->last.tried && clock_mono_ms() - k->last.tried_ms < pause_ms(b)))
		return false;
	note_try(&k->last);
	k->req = ipc_request(b->outd, 0, OUT_KEYS, &rq, on_keys, b);
	loop_timer_set(k->patience, patience_ms(b));
	return true;
}

static void
fetch_again(void *arg)
{
	(void)fetch_keys(arg);
}

static struct bearer_ask *
ask_keys(struct bearer *b, struct span token, bearer_done_fn fn, void *arg,
    struct bearer_result *now, struct buf *user)
{
	const struct jwt_rules rules = rules_of(b, b->conf->oauth.user_claim);
	struct fetched_keys *k = &b->keys;
	uint64_t t = clock_mono_ms();
	struct bearer_ask *q;
	bool usable = k->set != NULL &&
	    t < k->fresh_until_ms + b->conf->oauth.jwks_stale_time_s * 1000ull;

	*now = away;
	if (usable) {
		if (t >= k->fresh_until_ms)
			(void)fetch_keys(b);
		now->st = ST_OK;
		now->verdict = jwt_check(k->set, token, &rules, user);
		now->user = buf_span(user);
		if (now->verdict != JWT_UNKNOWN_KEY)
			return NULL;
	}
	if (b->n_waiting >= BEARER_WAITING_MAX || !fetch_keys(b)) {
		/* another key may be there, and nobody can tell */
		if (usable && !k->last.ok)
			*now = away;
		return NULL;
	}
	buf_clear(user);
	q = wait_in(b, &k->waiting, fn, arg);
	buf_add_span(&q->token, token);
	return q;
}

/* Answers about tokens ------------------------------------------------------------- */

static void
mac_of(const struct bearer *b, struct span token, unsigned char mac[SHA256_LEN])
{
	hmac_sha256(span(b->mac_key, sizeof(b->mac_key)), token, mac);
}

static void
forget(struct bearer *b, struct known *k)
{
	table_del(&b->known, span(k->mac, sizeof(k->mac)));
	list_remove(&k->in);
	buf_fini(&k->user);
	mem_free(&k);
}

/* NULL: nothing that still holds. */
static struct known *
find_known(struct bearer *b, const unsigned char mac[SHA256_LEN])
{
	struct known *k = table_get(&b->known, span(mac, SHA256_LEN));

	if (k != NULL && clock_mono_ms() >= k->until_ms) {
		forget(b, k);
		k = NULL;
	}
	return k;
}

static void
remember(struct bearer *b, const unsigned char mac[SHA256_LEN], const struct introspection *is,
    struct span user)
{
	const struct conf_oauth *c = &b->conf->oauth;
	bool good = is->verdict == JWT_GOOD;
	int64_t keep = good ? c->introspection_time_s : c->introspection_refused_time_s;
	int64_t now = clock_wall_s();
	struct known *k;

	if (good && is->exp_s < now + keep)
		keep = is->exp_s - now;
	if (keep <= 0)
		return;
	k = table_get(&b->known, span(mac, SHA256_LEN));
	if (k != NULL)
		forget(b, k);
	while (b->known.count >= BEARER_KNOWN_MAX)
		forget(b, list_entry(b->known_oldest.next, struct known, in));
	k = mem_zalloc(sizeof(*k));
	memcpy(k->mac, mac, SHA256_LEN);
	k->until_ms = clock_mono_ms() + (uint64_t)keep * 1000;
	k->verdict = is->verdict;
	buf_add_span(&k->user, user);
	table_put(&b->known, span(k->mac, sizeof(k->mac)), k);
	list_push_back(&b->known_oldest, &k->in);
}

static void
asked_done(struct asked *a, const struct bearer_result *r)
{
	table_del(&a->b->asked, span(a->mac, sizeof(a->mac)));
	answer_all(&a->waiting, r);
	loop_timer_free(&a->patience);
	mem_free(&a);
}

static void
take_introspection(struct asked *a, const struct out_fetched *m)
{
	struct bearer *b = a->b;
	const struct jwt_rules rules = rules_of(b, b->conf->oauth.introspection_claim);
	struct bearer_result r = away;
	struct introspection is;
	struct buf user = { 0 };

	if (introspection_read(m->body, &rules, &is, &user) == ST_OK) {
		note_good(&b->last);
		remember(b, a->mac, &is, buf_span(&user));
		r = (struct bearer_result){ ST_OK, is.verdict, buf_span(&user) };
	} else {
		note_failed(&b->last, "introspection", SPAN_LIT("the answer is no JSON object with \"active\""));
	}
	asked_done(a, &r);
	buf_fini(&user);
}

static void
on_introspected(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct asked *a = arg;

	if (h->status == ST_OK && m != NULL && m->no == OUT_FETCHED) {
		take_introspection(a, msg);
		return;
	}
	note_failed(&a->b->last, "introspection", m != NULL && m->no == OUT_FAILED ?
	    ((const struct out_failed *)msg)->why : SPAN_LIT("outd is away"));
	asked_done(a, &away);
}

static void
introspection_late(void *arg)
{
	struct asked *a = arg;

	if (a->b->outd != NULL)
		ipc_cancel(a->b->outd, a->req);
	note_failed(&a->b->last, "introspection", SPAN_LIT("outd does not answer"));
	asked_done(a, &away);
}

static struct asked *
start_asking(struct bearer *b, const unsigned char mac[SHA256_LEN], struct span token)
{
	struct out_introspect rq = { span_str(b->conf->oauth.introspection_url), token };
	struct asked *a;

	if (b->outd == NULL || !ipc_is_open(b->outd) || b->asked.count >= BEARER_ASKED_MAX)
		return NULL;
	a = mem_zalloc(sizeof(*a));
	a->b = b;
	memcpy(a->mac, mac, SHA256_LEN);
	list_init(&a->waiting);
	a->patience = loop_timer_new(b->loop, introspection_late, a);
	loop_timer_set(a->patience, patience_ms(b));
	table_put(&b->asked, span(a->mac, sizeof(a->mac)), a);
	b->n_asked++;
	note_try(&b->last);
	a->req = ipc_request(b->outd, 0, OUT_INTROSPECT, &rq, on_introspected, a);
	return a;
}

static struct bearer_ask *
ask_server(struct bearer *b, struct span token, bearer_done_fn fn, void *arg,
    struct bearer_result *now, struct buf *user)
{
	unsigned char mac[SHA256_LEN];
	struct known *k;
	struct asked *a;

	mac_of(b, token, mac);
	k = find_known(b, mac);
	if (k != NULL) {
		buf_add_span(user, buf_span(&k->user));
		*now = (struct bearer_result){ ST_OK, k->verdict, buf_span(user) };
		return NULL;
	}
	*now = away;
	a = table_get(&b->asked, span(mac, sizeof(mac)));
	if (a == NULL && b->n_waiting < BEARER_WAITING_MAX)
		a = start_asking(b, mac, token);
	return a != NULL ? wait_in(b, &a->waiting, fn, arg) : NULL;
}

/* Who judges ------------------------------------------------------------------------ */

enum judge { BY_NOBODY, BY_FILE, BY_URL, BY_SERVER };

static enum judge
judge_of(const struct bearer *b, struct span token)
{
	const struct conf_oauth *c = &b->conf->oauth;
	bool keys = c->jwks_file[0] != '\0' || c->jwks_url[0] != '\0';

	if (c->introspection_url[0] != '\0' && (!keys || !jwt_is_one(token)))
		return BY_SERVER;
	return c->jwks_file[0] != '\0' ? BY_FILE : keys ? BY_URL : BY_NOBODY;
}

static void
judge_by_file(struct bearer *b, struct span token, struct bearer_result *now, struct buf *user)
{
	const struct jwt_rules rules = rules_of(b, b->conf->oauth.user_claim);
	const struct jwk_set *set;

	if (b->file == NULL)
		b->file = key_file_new(b->conf->oauth.jwks_file);
	set = key_file_keys(b->file);
	if (set == NULL)
		return;
	now->verdict = jwt_check(set, token, &rules, user);
	now->user = buf_span(user);
	now->st = ST_OK;
}

struct bearer_ask *
bearer_ask(struct bearer *b, struct span token, bearer_done_fn fn, void *arg,
    struct bearer_result *now, struct buf *user)
{
	enum judge j = judge_of(b, token);

	*now = away;
	if (j == BY_URL)
		return ask_keys(b, token, fn, arg, now, user);
	if (j == BY_SERVER)
		return ask_server(b, token, fn, arg, now, user);
	if (j == BY_FILE)
		judge_by_file(b, token, now, user);
	return NULL;
}

bool
bearer_asks_server(struct bearer *b, struct span token)
{
	unsigned char mac[SHA256_LEN];

	if (judge_of(b, token) != BY_SERVER)
		return false;
	mac_of(b, token, mac);
	return find_known(b, mac) == NULL;
}

/* The whole --------------------------------------------------------------------------- */

/* Whoever waits hears that it is away. */
static void
hang_up(struct bearer *b)
{
	size_t pos = 0;
	void *a;

	if (b->keys.req != 0 && b->outd != NULL)
		ipc_cancel(b->outd, b->keys.req);
	b->keys.req = 0;
	loop_timer_clear(b->keys.patience);
	while (table_next(&b->asked, &pos, NULL, &a)) {
		if (b->outd != NULL)
			ipc_cancel(b->outd, ((struct asked *)a)->req);
		asked_done(a, &away);
		pos = 0;	/* an answer may have changed the table */
	}
	answer_all(&b->keys.waiting, &away);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct bearer *b = arg;

	ipc_free(&b->outd);
	hang_up(b);
}

void
bearer_connect(struct bearer *b, int fd)
{
	struct ipc_config cf = { .loop = b->loop, .protocol = &out_protocol, .peer = "outd",
	    .closed = on_closed, .arg = b };

	hang_up(b);
	ipc_free(&b->outd);
	b->outd = ipc_new(&cf, fd);
	if (b->keys.set == NULL) {
		b->keys.last.tried = false;
		(void)fetch_keys(b);
	}
}

uint32_t
bearer_flush(struct bearer *b)
{
	uint32_t n = 0;

	for (; !list_empty(&b->known_oldest); n++)
		forget(b, list_entry(b->known_oldest.next, struct known, in));
	return n;
}

static void
drop_keys(struct bearer *b)
{
	jwk_set_free(&b->keys.set);
	buf_fini(&b->keys.last.why);
	b->keys.last = (struct attempt){ 0 };
}

void
bearer_configure(struct bearer *b, const struct mansio_conf *conf)
{
	const struct conf_oauth *c = &conf->oauth;
	bool other_file = strcmp(b->file_path, c->jwks_file) != 0;
	bool other_url = strcmp(b->url, c->jwks_url) != 0;

	b->conf = conf;
	hang_up(b);
	(void)bearer_flush(b);
	if (other_file)
		key_file_free(&b->file);
	if (other_url)
		drop_keys(b);
	mem_free(&b->file_path);
	mem_free(&b->url);
	b->file_path = mem_strdup(c->jwks_file);
	b->url = mem_strdup(c->jwks_url);
	if (other_url)
		(void)fetch_keys(b);
}

struct bearer *
bearer_new(struct loop *l, const struct mansio_conf *conf)
{
	struct bearer *b = mem_zalloc(sizeof(*b));

	b->loop = l;
	b->conf = conf;
	b->file_path = mem_strdup(conf->oauth.jwks_file);
	b->url = mem_strdup(conf->oauth.jwks_url);
	b->keys.patience = loop_timer_new(l, keys_late, b);
	b->keys.again = loop_timer_new(l, fetch_again, b);
	list_init(&b->keys.waiting);
	list_init(&b->known_oldest);
	random_bytes(b->mac_key, sizeof(b->mac_key));
	return b;
}

void
bearer_free(struct bearer **bp)
{
	struct bearer *b = *bp;

	*bp = NULL;
	if (b == NULL)
		return;
	hang_up(b);
	ipc_free(&b->outd);
	(void)bearer_flush(b);
	drop_keys(b);
	key_file_free(&b->file);
	table_fini(&b->known, NULL, NULL);
	table_fini(&b->asked, NULL, NULL);
	loop_timer_free(&b->keys.patience);
	loop_timer_free(&b->keys.again);
	buf_fini(&b->last.why);
	mem_wipe(b->mac_key, sizeof(b->mac_key));
	mem_free(&b->file_path);
	mem_free(&b->url);
	mem_free(&b);
}

static void
report(struct json_writer *w, const char *what, const char *url, const struct attempt *a)
{
	json_kv_str(w, "what", what);
	json_kv_str(w, "url", url);
	json_kv_int(w, "tried", a->tried_s);
	json_kv_bool(w, "ok", a->ok);
	json_kv_str(w, "result", a->ok ? "good" : a->tried ? "failed" : "not tried yet");
	if (a->why.len > 0)
		json_kv_string(w, "error", buf_span(&a->why));
	json_kv_int(w, "since", a->good_s);
	if (a->good_s != 0)
		json_kv_int(w, "age", clock_wall_s() - a->good_s);
}

void
bearer_report(const struct bearer *b, struct json_writer *w)
{
	const struct conf_oauth *c = &b->conf->oauth;

	json_begin_array(w);
	if (c->jwks_url[0] != '\0') {
		json_begin_object(w);
		report(w, "keys", c->jwks_url, &b->keys.last);
		json_kv_uint(w, "keys", b->keys.set != NULL ? jwk_set_count(b->keys.set) : 0);
		json_end_object(w);
	}
	if (c->introspection_url[0] != '\0') {
		json_begin_object(w);
		report(w, "introspection", c->introspection_url, &b->last);
		json_kv_uint(w, "asked", b->n_asked);
		json_end_object(w);
	}
	json_end_array(w);
}
