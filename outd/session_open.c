/* The beginning of a session: the connection, the greeting, EHLO or HELO, TLS, the login. */
#include <stdio.h>
#include <string.h>

#include "common/crypto/encode.h"
#include "common/util/log.h"
#include "outd/session_priv.h"

static void
hello(struct session *s, bool old)
{
	struct buf *out = conn_out(s->conn);

	s->offers = (struct smtp_offers){ 0 };
	buf_addf(out, "%s %s\r\n", old ? "HELO" : "EHLO", s->conf.hello);
	session_await(s, old ? HELLO_OLD : HELLO);
}

static void
on_dialled(void *arg, int fd, const char *why)
{
	struct session *s = arg;
	bool implicit = s->conf.c->tls == CONF_RELAY_IMPLICIT;
	char text[OUT_WHY_MAX + 1];

	s->dial = NULL;
	if (fd < 0) {
		snprintf(text, sizeof(text), "%.60s: %.180s", s->conf.host, why);
		session_unfit(s, text);
		return;
	}
	s->conn = conn_new(s->loop, fd, implicit ? s->conf.tls : NULL, &session_conn_ops, s);
	conn_set_in_max(s->conn, 2 * SMTP_REPLY_LINE_MAX);
	session_await(s, GREETING);
}

void
session_open(struct session *s)
{
	s->stage = DIAL;
	s->dial = dial_start(s->loop, s->conf.host, s->conf.port,
	    (uint64_t)s->conf.c->connect_time_s * 1000, on_dialled, s);
}

static void
opened(struct session *s)
{
	LOG(NULL, DEBUG, "relay.ready", KV_STR("host", s->conf.host),
	    KV_UINT("tls", conn_is_secure(s->conn)),
	    KV_STR("login", s->login != NULL ? login_name(s->login) : "none"));
	login_free(&s->login);
	s->worked = true;
	s->stage = READY;
	conn_set_deadline(s->conn, 0);
	s->ops->ready(s, s->arg);
}

/* Login ------------------------------------------------------------------------ */

static void
put_answer(struct session *s, struct buf *answer)
{
	struct buf *out = conn_out(s->conn);

	base64_encode(buf_span(answer), out);
	buf_add_str(out, "\r\n");
	buf_fini_secret(answer);
	session_await(s, LOGIN);
}

static void
begin_login(struct session *s)
{
	struct buf answer = { 0 };
	struct buf *out;

	s->login = login_new(s->offers.auth, span_str(s->conf.c->user), s->conf.password);
	if (s->login == NULL) {
		session_unfit(s, "the relay offers no login that is known (SCRAM-SHA-256, PLAIN, LOGIN)");
		return;
	}
	out = conn_out(s->conn);
	buf_addf(out, "AUTH %s", login_name(s->login));
	if (login_first(s->login, &answer)) {
		buf_add_c(out, ' ');
		put_answer(s, &answer);
		return;
	}
	buf_add_str(out, "\r\n");
	session_await(s, LOGIN);
}

static void
on_login(struct session *s, const struct smtp_reply *r)
{
	struct buf challenge = { 0 }, answer = { 0 };
	char why[OUT_WHY_MAX + 1];

	if (r->code == 334 && base64_decode(span_str(r->text), SMTP_REPLY_TEXT_MAX, &challenge) &&
	    login_step(s->login, buf_span(&challenge), &answer)) {
		put_answer(s, &answer);
	} else if (r->code == 235 && login_good(s->login)) {
		opened(s);
	} else if (r->code < 400) {
		session_unfit(s, "the relay's login makes no sense");
	} else {
		session_words(s, r, why);
		session_unfit(s, why);
	}
	buf_fini(&challenge);
}

/* EHLO, TLS -------------------------------------------------------------------- */

static void
after_hello(struct session *s)
{
	const struct conf_outgoing *c = s->conf.c;
	bool secure = conn_is_secure(s->conn);

	if (!secure && s->offers.starttls &&
	    (c->tls == CONF_RELAY_STARTTLS || c->tls == CONF_RELAY_MAY)) {
		session_line(s, "STARTTLS");
		session_await(s, STARTTLS);
	} else if (!secure && c->tls == CONF_RELAY_STARTTLS) {
		session_unfit(s, "the relay does not offer STARTTLS");
	} else if (c->user[0] != '\0') {
		begin_login(s);
	} else {
		opened(s);
	}
}

/* Nothing that was told before it holds behind it (RFC 3207 §4.2). */
void
session_secured(struct conn *c, void *arg)
{
	struct session *s = arg;

	if (s->stage == HANDSHAKE)
		hello(s, false);
}

static void
on_starttls(struct session *s, const struct smtp_reply *r)
{
	if (r->code != 220 && s->conf.c->tls == CONF_RELAY_MAY) {
		s->offers.starttls = false;
		after_hello(s);
	} else if (r->code != 220) {
		session_unfit(s, "the relay refuses STARTTLS");
	} else if (!conn_start_tls(s->conn, s->conf.tls)) {
		session_unfit(s, "the relay wrote clear text behind STARTTLS");
	} else {
		s->stage = HANDSHAKE;
	}
}

void
session_opening(struct session *s, const struct smtp_reply *r)
{
	char why[OUT_WHY_MAX + 1];
	bool good = r->code >= 200 && r->code < 300;

	session_words(s, r, why);
	switch (s->stage) {
	case GREETING:
		if (r->code == 220)
			hello(s, false);
		else
			session_unfit(s, why);
		break;
	case HELLO:
		if (good)
			after_hello(s);
		else if (r->code >= 500 && s->conf.c->user[0] == '\0')
			hello(s, true);
		else
			session_unfit(s, why);
		break;
	case HELLO_OLD:
		if (good)
			after_hello(s);
		else
			session_unfit(s, why);
		break;
	case STARTTLS:
		on_starttls(s, r);
		break;
	default:
		on_login(s, r);
		break;
	}
}
