#include "common/auth/sasl_session.h"

#include "common/crypto/encode.h"
#include "common/proto/sasl.h"

void
sasl_session_init(struct sasl_session *x, const struct sasl_ops *ops, void *arg,
    const struct sasl_client *client)
{
	*x = (struct sasl_session){ .ops = ops, .arg = arg, .client = *client };
}

void
sasl_session_end(struct sasl_session *x)
{
	auth_exchange_cancel(&x->exchange);
	if (x->waits)
		auth_logout(x->client.auth, x->kept.ticket);
	x->waits = false;
	buf_fini_secret(&x->kept_bytes);
}

/* ---- refusals ---- */

const char *
sasl_refusal_text(enum sasl_refusal why)
{
	static const char *const texts[SASL_REFUSALS] = {
		[SASL_FAILED] = "Login failed",
		[SASL_AWAY] = "Logins cannot be checked at the moment",
		[SASL_MALFORMED] = "Malformed authentication data",
		[SASL_NOT_OFFERED] = "This mechanism is not offered",
		[SASL_TOO_MANY] = "Too many attempts, try later",
		[SASL_EXPIRED] = "The password has expired",
		[SASL_DISABLED] = "The account is disabled",
		[SASL_CLEARTEXT] = "Not without encryption",
		[SASL_REFERRED] = "The account is kept on another server",
		[SASL_NOT_ALLOWED] = "Not allowed to act for this user",
	};

	return texts[why];
}

static enum sasl_refusal
refusal_of(enum status st, const struct auth_failure *f)
{
	if (st == ST_UNAVAILABLE)
		return SASL_AWAY;
	if (st == ST_SYNTAX)
		return SASL_MALFORMED;
	if (st == ST_UNSUPPORTED)
		return SASL_NOT_OFFERED;
	if (st == ST_LIMIT)
		return SASL_TOO_MANY;
	switch (f != NULL ? f->reason : AUTH_WHY_CREDENTIALS) {
	case AUTH_WHY_EXPIRED:
		return SASL_EXPIRED;
	case AUTH_WHY_DISABLED:
		return SASL_DISABLED;
	case AUTH_WHY_CLEARTEXT:
		return SASL_CLEARTEXT;
	case AUTH_WHY_THROTTLED:
		return SASL_TOO_MANY;
	case AUTH_WHY_BACKEND:
		return SASL_AWAY;
	case AUTH_WHY_REFERRED:
		return SASL_REFERRED;
	case AUTH_WHY_AUTHZ:
		return SASL_NOT_ALLOWED;
	}
	return SASL_FAILED;
}

/* ---- what authd says ---- */

static void
challenge(struct sasl_session *x, struct span data)
{
	struct buf text = { 0 };

	base64_encode(data, &text);
	x->ops->challenge(x->arg, buf_span(&text));
	buf_fini(&text);
}

/* Until the client has acknowledged the data. */
static void
keep(struct sasl_session *x, const struct auth_granted *g)
{
	struct span rest;

	buf_clear(&x->kept_bytes);
	buf_add_span(&x->kept_bytes, g->ticket);
	buf_add_span(&x->kept_bytes, g->user);
	buf_add_span(&x->kept_bytes, g->referral);
	rest = buf_span(&x->kept_bytes);
	x->kept = *g;
	x->kept.ticket = span_sub(rest, 0, g->ticket.len);
	x->kept.user = span_sub(rest, g->ticket.len, g->user.len);
	x->kept.referral = span_sub(rest, g->ticket.len + g->user.len, g->referral.len);
	x->kept.data = SPAN_NONE;
	x->waits = true;
}

static void
on_auth(void *arg, const struct auth_result *r)
{
	struct sasl_session *x = arg;
	const struct auth_granted *g = r->granted;

	if (r->challenge != NULL) {
		challenge(x, r->challenge->data);
		return;
	}
	x->exchange = NULL;
	if (g == NULL) {
		x->ops->refused(x->arg, refusal_of(r->st, r->failure),
		    r->failure != NULL ? r->failure->data : SPAN_NONE);
	} else if (g->data.len > 0 && !x->command && !x->ops->data_with_success) {
		keep(x, g);
		challenge(x, g->data);
	} else {
		x->ops->granted(x->arg, g);
	}
}

/* ---- what the client says ---- */

bool
sasl_is_exposed(const struct sasl_session *x, struct span mechanism)
{
	return conn_tls(x->client.conn) == NULL && !x->client.clear_ok &&
	    (span_caseeq_str(mechanism, "PLAIN") || span_caseeq_str(mechanism, "LOGIN"));
}

bool
sasl_initial(struct span text, struct buf *out)
{
	return span_eq_str(text, "=") || base64_decode(text, AUTH_DATA_MAX, out);
}

static void
begin(struct sasl_session *x, struct span mechanism, struct span initial, unsigned flags)
{
	const struct sasl_client *c = &x->client;
	struct auth_start start = {
		.mechanism = mechanism, .initial = initial, .flags = (uint8_t)flags,
		.service = x->ops->service, .conn = span_str(c->id), .peer = span_str(c->peer)
	};

	x->command = (flags & AUTH_LOGIN_CMD) != 0;
	x->exchange = login_start(c->auth, c->conn, c->clear_ok, &start, on_auth, x);
}

/* As authd is to have it; borrowed from data or from room. */
static struct span
message(struct sasl_session *x, const struct buf *data, struct buf *room)
{
	if (!x->plain || x->ops->plain == NULL)
		return buf_span(data);
	x->ops->plain(x->arg, buf_span(data), room);
	return buf_span(room);
}

void
sasl_start(struct sasl_session *x, struct span mechanism, const struct buf *initial)
{
	struct buf name = { 0 }, room = { 0 };

	for (size_t i = 0; i < mechanism.len; i++)
		buf_add_c(&name, ascii_upper(mechanism.p[i]));
	x->plain = span_eq_str(buf_span(&name), "PLAIN");
	if (initial != NULL)
		begin(x, buf_span(&name), message(x, initial, &room), AUTH_IR);
	else
		begin(x, buf_span(&name), SPAN_NONE, 0);
	buf_fini(&name);
	buf_fini_secret(&room);
}

bool
sasl_password(struct sasl_session *x, struct span user, struct span password)
{
	struct buf plain = { 0 };

	if (user.len > AUTH_NAME_MAX || password.len > AUTH_DATA_MAX - AUTH_NAME_MAX - 2) {
		x->ops->refused(x->arg, SASL_FAILED, SPAN_NONE);
		return false;
	}
	sasl_plain_put(&plain, &(struct sasl_plain){ .authcid = user, .password = password });
	begin(x, SPAN_LIT("PLAIN"), buf_span(&plain), AUTH_IR | AUTH_LOGIN_CMD);
	buf_fini_secret(&plain);
	return true;
}

static void
grant_kept(struct sasl_session *x)
{
	struct buf bytes = x->kept_bytes;

	/* the session may be gone behind it */
	x->waits = false;
	x->kept_bytes = (struct buf){ 0 };
	x->ops->granted(x->arg, &x->kept);
	buf_fini_secret(&bytes);
}

bool
sasl_answer(struct sasl_session *x, struct span text)
{
	struct buf data = { 0 }, room = { 0 };
	bool asked = false;

	if (span_eq_str(text, "*")) {
		sasl_abandon(x, "Authentication was cancelled");
	} else if (!base64_decode(text, AUTH_DATA_MAX, &data)) {
		sasl_abandon(x, "Malformed base64");
	} else if (x->waits) {
		grant_kept(x);
	} else {
		asked = true;
		auth_exchange_step(x->exchange, message(x, &data, &room));
	}
	buf_fini_secret(&data);
	buf_fini_secret(&room);
	return asked;
}

void
sasl_abandon(struct sasl_session *x, const char *text)
{
	sasl_session_end(x);
	x->ops->abandoned(x->arg, text);
}
