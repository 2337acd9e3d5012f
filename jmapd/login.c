/* Who asks: HTTP has no logins, every request brings credentials (RFC 8620 §1.7).  Authd is asked
 * once for them; while the account that it granted lives, whoever shows the same ones from the same
 * address is let in.  They are known by a hash under a key of this process: neither passwords nor
 * tokens are kept.  An account that ends, because its login was taken back, takes this with it. */
#include "jmapd/states.h"

#include <stdio.h>

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/proto/sasl.h"
#include "common/util/mem.h"

/* ---- refusals ---- */

static bool
has_bearer(struct jmap_server *srv, struct http_request *rq)
{
	const struct jmap_conn *jc = http_conn_data(http_request_conn(rq));
	struct span names = login_mechanisms_for(&srv->mechanisms,
	    http_conn_net(http_request_conn(rq)), jc->clear_ok);

	while (names.len > 0)
		if (span_eq_str(span_cut(&names, ' '), "OAUTHBEARER"))
			return true;
	return false;
}

static void
unauthorized(struct jmap_server *srv, struct http_request *rq, const char *why)
{
	http_field_add_str(rq, "WWW-Authenticate", "Basic realm=\"Mansio\", charset=\"UTF-8\"");
	if (has_bearer(srv, rq))
		http_field_add_str(rq, "WWW-Authenticate", "Bearer realm=\"Mansio\"");
	http_field_add_str(rq, "Cache-Control", "no-store");
	http_reply_text(rq, 401, "%s", why);
}

static void
try_later(struct http_request *rq, unsigned code, const char *why)
{
	http_field_add_str(rq, "Retry-After", code == 429 ? "30" : "5");
	http_reply_text(rq, code, "%s", why);
}

static void
refuse(struct jmap_server *srv, struct http_request *rq, enum status st, uint8_t reason)
{
	struct jmap_conn *jc = http_conn_data(http_request_conn(rq));

	if (st == ST_LIMIT || reason == AUTH_WHY_THROTTLED) {
		try_later(rq, 429, "Too many attempts to log in, try later");
		return;
	}
	if (st == ST_UNAVAILABLE || reason == AUTH_WHY_BACKEND) {
		try_later(rq, 503, "Logins cannot be checked at the moment");
		return;
	}
	if (++jc->failed >= srv->conf->max_logins) {
		LOG(http_request_log(rq), INFO, "jmap.login-limit", KV_UINT("failed", jc->failed));
		http_conn_last(http_request_conn(rq));
	}
	switch (reason) {
	case AUTH_WHY_CLEARTEXT:
		http_reply_text(rq, 403, "Logins need an encrypted connection (https)");
		break;
	case AUTH_WHY_DISABLED:
		http_reply_text(rq, 403, "The account is disabled");
		break;
	case AUTH_WHY_REFERRED:
		http_reply_text(rq, 403, "The account is kept on another server");
		break;
	case AUTH_WHY_EXPIRED:
		unauthorized(srv, rq, "The password has expired");
		break;
	default:
		unauthorized(srv, rq, "The login failed");
	}
}

/* ---- sessions ---- */

static void
unlist(struct jmap_session *s)
{
	if (s->listed)
		table_del(&s->srv->logins, span(s->key, sizeof(s->key)));
	s->listed = false;
}

static void
session_free(struct jmap_session *s)
{
	unlist(s);
	list_remove(&s->in);
	auth_exchange_cancel(&s->exchange);
	jmap_states_free(s);
	jmap_account_unwatch(&s->watch);
	mem_free(&s);
}

static void
on_gone(struct jmap_account *a, void *arg)
{
	struct jmap_session *s = arg;

	LOG(&s->log, INFO, "jmap.logout", KV_UINT("requests", s->served));
	session_free(s);
}

static void
on_event(void *arg, enum jmap_account_event ev, uint64_t modseq)
{
	struct jmap_session *s = arg;

	if (ev != JMAP_ACCOUNT_OVER)
		return;
	unlist(s);
	/* What is under way would wait for ever. */
	while (!list_empty(&s->exchanges))
		jmap_exchange_cut(list_entry(s->exchanges.next, struct jmap_exchange, in_session));
}

/* Each of them gets a hold of the account. */
static void
wake(struct jmap_session *s)
{
	while (!list_empty(&s->waiting)) {
		struct jmap_login_wait *w = list_entry(s->waiting.next, struct jmap_login_wait, in);

		list_remove(&w->in);
		jmap_account_hold(s->account);
		w->done(w->arg, s);
	}
}

static void
granted(struct jmap_session *s, const struct auth_granted *g)
{
	struct jmap_server *srv = s->srv;
	struct jmap_account *first;

	s->account = first = jmap_account_new(srv->loop, srv->auth, srv->stores, g, on_gone, s);
	s->log = (struct log_ctx){ .conn = s->conn, .peer = s->peer, .user = s->account->user };
	s->watch = (struct jmap_watch){ .event = on_event, .arg = s };
	jmap_account_watch(s->account, &s->watch);
	LOG(&s->log, INFO, "jmap.login");
	wake(s);
	jmap_account_release(&first);
}

static void
failed(struct jmap_session *s, enum status st, uint8_t reason)
{
	struct list waiting;

	list_init(&waiting);
	while (!list_empty(&s->waiting)) {
		struct list *n = s->waiting.next;

		list_remove(n);
		list_push_back(&waiting, n);
	}
	unlist(s);
	while (!list_empty(&waiting)) {
		struct jmap_login_wait *w = list_entry(waiting.next, struct jmap_login_wait, in);

		list_remove(&w->in);
		refuse(s->srv, w->rq, st, reason);
		w->done(w->arg, NULL);
	}
	session_free(s);
}

static void
on_auth(void *arg, const struct auth_result *r)
{
	struct jmap_session *s = arg;
	uint8_t reason = r->failure != NULL ? r->failure->reason : AUTH_WHY_CREDENTIALS;

	if (r->challenge != NULL) {
		/* What OAUTHBEARER says of a bad token has to be acknowledged (RFC 7628 §3.2.3). */
		auth_exchange_step(s->exchange, SPAN_LIT("\001"));
		return;
	}
	s->exchange = NULL;
	if (r->granted != NULL)
		granted(s, r->granted);
	else
		failed(s, r->st, r->st == ST_DENIED || r->failure != NULL ? reason : 0);
}

/* ---- credentials ---- */

struct credentials {
	const char	*mechanism;
	struct buf	initial;	/* secret */
};

static bool
read_basic(struct span text, struct credentials *cr)
{
	struct buf raw = { 0 };
	struct sasl_plain p = { .authzid = SPAN_NONE };
	struct span rest;
	bool good = base64_decode(span_trim(text), AUTH_DATA_MAX, &raw);

	if (good) {
		rest = buf_span(&raw);
		p.authcid = span_cut(&rest, ':');
		p.password = rest;
		good = rest.p != NULL && p.authcid.len > 0 &&
		    memchr(raw.data, '\0', raw.len) == NULL;
	}
	if (good)
		sasl_plain_put(&cr->initial, &p);
	cr->mechanism = "PLAIN";
	buf_fini_secret(&raw);
	return good;
}

static bool
read_bearer(struct span token, struct credentials *cr)
{
	token = span_trim(token);
	for (size_t i = 0; i < token.len; i++)
		if (!ascii_isalnum(token.p[i]) && (token.p[i] == '\0' ||
		    strchr("-._~+/=", token.p[i]) == NULL))
			return false;
	if (token.len == 0 || token.len > AUTH_DATA_MAX - 64)
		return false;
	buf_add_str(&cr->initial, "n,,\001auth=Bearer ");
	buf_add_span(&cr->initial, token);
	buf_add_str(&cr->initial, "\001\001");
	cr->mechanism = "OAUTHBEARER";
	return true;
}

static bool
read_credentials(struct http_request *rq, struct credentials *cr, bool *any)
{
	struct span value, scheme;

	*any = http_header(rq, "Authorization", &value);
	if (!*any)
		return false;
	scheme = span_cut(&value, ' ');
	if (span_caseeq_str(scheme, "Basic"))
		return read_basic(value, cr);
	return span_caseeq_str(scheme, "Bearer") && read_bearer(value, cr);
}

/* What makes two requests be of one login. */
static void
key_of(const struct jmap_server *srv, const struct http_request *rq, const struct credentials *cr,
    unsigned char key[32])
{
	struct buf text = { 0 };

	buf_add_str(&text, http_encrypted(rq) ? "s " : "c ");
	buf_add_str(&text, http_peer(rq));
	buf_add_c(&text, '\0');
	buf_add_str(&text, cr->mechanism);
	buf_add_c(&text, '\0');
	buf_add_span(&text, buf_span(&cr->initial));
	hmac_sha256(span(srv->key, sizeof(srv->key)), buf_span(&text), key);
	buf_fini_secret(&text);
}

static struct jmap_session *
session_new(struct jmap_server *srv, struct http_request *rq, const unsigned char key[32])
{
	struct jmap_session *s = mem_zalloc(sizeof(*s));

	s->srv = srv;
	memcpy(s->key, key, sizeof(s->key));
	snprintf(s->peer, sizeof(s->peer), "%s", http_peer(rq));
	snprintf(s->conn, sizeof(s->conn), "%s", http_request_log(rq)->conn);
	list_init(&s->waiting);
	list_init(&s->exchanges);
	list_push_back(&srv->all_sessions, &s->in);
	table_put(&srv->logins, span(key, 32), s);
	s->listed = true;
	return s;
}

static void
ask(struct jmap_session *s, struct http_request *rq, const struct credentials *cr)
{
	const struct jmap_conn *jc = http_conn_data(http_request_conn(rq));
	struct auth_start start = {
		.mechanism = span_str(cr->mechanism), .initial = buf_span(&cr->initial),
		.flags = AUTH_IR | AUTH_LOGIN_CMD, .service = AUTH_JMAP,
		.conn = span_str(s->conn), .peer = span_str(s->peer)
	};

	if (http_encrypted(rq))
		start.flags |= AUTH_TLS;
	s->exchange = login_start(s->srv->auth, http_conn_net(http_request_conn(rq)), jc->clear_ok,
	    &start, on_auth, s);
}

static void
find(struct jmap_server *srv, struct http_request *rq, const struct credentials *cr,
    struct jmap_login_wait *wait)
{
	unsigned char key[32];
	struct jmap_session *s;

	key_of(srv, rq, cr, key);
	s = table_get(&srv->logins, span(key, sizeof(key)));
	if (s != NULL && s->account != NULL && s->account->over) {
		unlist(s);
		s = NULL;
	}
	if (s != NULL && s->account != NULL) {
		jmap_account_hold(s->account);
		wait->done(wait->arg, s);
		return;
	}
	if (s == NULL) {
		s = session_new(srv, rq, key);
		list_push_back(&s->waiting, &wait->in);
		ask(s, rq, cr);
	} else {
		list_push_back(&s->waiting, &wait->in);
	}
}

void
jmap_login(struct jmap_server *srv, struct http_request *rq, struct jmap_login_wait *wait)
{
	const struct jmap_conn *jc = http_conn_data(http_request_conn(rq));
	struct credentials cr = { 0 };
	bool any, good = read_credentials(rq, &cr, &any);

	wait->rq = rq;
	if (!http_encrypted(rq) && !jc->clear_ok) {
		http_reply_text(rq, 403, "Logins need an encrypted connection (https)");
		wait->done(wait->arg, NULL);
	} else if (!good) {
		unauthorized(srv, rq, any ? "These credentials cannot be read" :
		    "Log in with Basic or Bearer credentials");
		wait->done(wait->arg, NULL);
	} else {
		find(srv, rq, &cr, wait);
	}
	buf_fini_secret(&cr.initial);
}

void
jmap_login_cancel(struct jmap_login_wait *wait)
{
	list_remove(&wait->in);
}

/* ---- all of them ---- */

/* The id of a ticket is opaque here: the store tells the one channel.  Without an id all of the
 * account's are meant. */
void
jmap_sessions_revoked(struct jmap_server *srv, const struct auth_revoked *r)
{
	struct list *n, *tmp;

	if (r->id.len > 0)
		return;
	list_each(n, tmp, &srv->all_sessions) {
		struct jmap_session *s = list_entry(n, struct jmap_session, in);

		if (s->account != NULL && s->account->number == r->account)
			jmap_account_end(s->account);
	}
}

void
jmap_sessions_renew(struct jmap_server *srv)
{
	struct list *n, *tmp;
	uint64_t nth = 0;

	list_each(n, tmp, &srv->all_sessions) {
		struct jmap_session *s = list_entry(n, struct jmap_session, in);

		if (s->account != NULL)
			jmap_account_renew(s->account, nth++);
	}
}

void
jmap_sessions_fini(struct jmap_server *srv)
{
	struct list *n, *tmp;

	/* Those with an account go with it, when it ends. */
	list_each(n, tmp, &srv->all_sessions) {
		struct jmap_session *s = list_entry(n, struct jmap_session, in);

		if (s->account != NULL)
			jmap_account_end(s->account);
		else
			session_free(s);
	}
	table_fini(&srv->logins, NULL, NULL);
}
