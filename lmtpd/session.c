#include "lmtpd/session.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/conf/settings.h"
#include "common/net/cidr.h"
#include "common/net/conn.h"
#include "common/proto/smtp.h"
#include "common/util/clock.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "lmtpd/delivery.h"
#include "lmtpd/replies.h"

#define ERRORS_MAX	20		/* commands that were refused for their syntax */

enum state { S_GREETED, S_READY, S_MAIL, S_TEXT, S_CHUNK, S_WAIT, S_OVER };

struct session;

struct session {
	struct list			in;
	struct lmtpd			*d;
	struct conn			*conn;
	struct log_ctx			log;
	char				id[24], peer[NET_IP_STR];
	const struct worker_listener	*listener;
	enum state			state;
	bool				busy;		/* a command waits for its answer */
	bool				draining, starttls;
	unsigned			errors;
	char				*helo, *from, *auth, *envid;
	struct dsn			dsn;		/* of the message; envid: above */
	unsigned			offers;		/* enum smtp_may: what LHLO said */
	bool				utf8;
	enum smtp_body			body;
	uint64_t			size_told, size_in;
	struct delivery			**rcpts;
	size_t				n_rcpts, rcpts_room, n_waiting;
	struct delivery			*asking;	/* the RCPT under way */
	struct smtp_text		text;
	uint64_t			chunk_left;
	bool				chunk_last, chunk_cr, chunked, too_big;
	bool				late;		/* the time of delivery is over (RFC 2852) */
	struct buf			clean;
	struct kept			*kept;		/* of the text, for scripts; NULL: there are none */
	uint64_t			messages;
};

static void pump(struct session *s);

static const struct conf_lmtp *
conf_of(struct session *s)
{
	return &worker_conf(s->d->worker)->lmtp;
}

/* Replies ------------------------------------------------------------------- */

/* text: "250 2.1.0 Sender fine" */
static void
reply(struct session *s, const char *text)
{
	struct buf *out = conn_out(s->conn);

	buf_add_str(out, text);
	buf_add(out, "\r\n", 2);
}

static void
reply_about(struct session *s, const char *text, const char *address)
{
	struct buf *out = conn_out(s->conn);

	buf_add_str(out, text);
	buf_addf(out, " <%s>\r\n", address);
}

/* The client's mistake; after too many of them the connection ends. */
static void
mistake(struct session *s, const char *text)
{
	reply(s, text);
	if (++s->errors >= ERRORS_MAX) {
		LOG(&s->log, WARN, "lmtp.errors", KV_UINT("count", s->errors));
		reply(s, "421 4.7.0 Too many errors");
		s->state = S_OVER;
		conn_finish(s->conn);
	}
}

/* Envelope ------------------------------------------------------------------ */

static void
forget_envelope(struct session *s)
{
	for (size_t i = 0; i < s->n_rcpts; i++)
		delivery_free(&s->rcpts[i]);
	s->n_rcpts = s->n_waiting = 0;
	delivery_free(&s->asking);
	kept_free(&s->kept);
	mem_free(&s->from);
	mem_free(&s->auth);
	mem_free(&s->envid);
	s->dsn = (struct dsn){ 0 };
	s->size_told = s->size_in = 0;
	s->text = (struct smtp_text){ 0 };
	s->chunk_left = 0;
	s->chunked = s->chunk_last = s->chunk_cr = s->too_big = s->late = false;
	if (s->state != S_GREETED && s->state != S_OVER)
		s->state = S_READY;
}

static void
session_free(struct session *s)
{
	struct net_ip peer = *conn_peer(s->conn);

	forget_envelope(s);
	mem_free(&s->rcpts);
	list_remove(&s->in);
	conn_free(&s->conn);
	mem_free(&s->helo);
	buf_fini(&s->clean);
	worker_conn_closed(s->d->worker, &peer);
	mem_free(&s);
}

static void
on_answer(struct session *s)
{
	s->busy = false;
	pump(s);
}

static void message_done(struct session *s);

/* The verdict on the RCPT under way is there. */
static void
answer_rcpt(struct session *s)
{
	struct delivery *d = s->asking;
	enum status st = delivery_status(d);

	s->asking = NULL;
	if (st != ST_OK) {
		LOG(&s->log, INFO, "lmtp.refuse", KV_STR("to", delivery_address(d)), KV_STATUS(st));
		reply_about(s, replies_status(conf_of(s), st), delivery_address(d));
		delivery_free(&d);
		return;
	}
	if (s->n_rcpts == s->rcpts_room) {
		s->rcpts_room = s->rcpts_room * 2 + 4;
		s->rcpts = mem_realloc(s->rcpts, s->rcpts_room * sizeof(struct delivery *));
	}
	s->rcpts[s->n_rcpts++] = d;
	reply(s, "250 2.1.5 Recipient fine");
}

static void
on_checked(struct delivery *d, void *arg)
{
	answer_rcpt(arg);
	on_answer(arg);
}

static void
on_done(struct delivery *d, void *arg)
{
	struct session *s = arg;

	if (--s->n_waiting == 0)
		message_done(s);
}

static void
on_room(void *arg)
{
	struct session *s = arg;

	if (s->state == S_TEXT || s->state == S_CHUNK)
		pump(s);
}

static const struct delivery_ops delivery_ops = {
	.checked = on_checked, .room = on_room, .done = on_done
};

static void
cmd_rcpt(struct session *s, const struct smtp_command *c)
{
	if (s->n_rcpts >= conf_of(s)->max_recipients) {
		reply(s, "452 4.5.3 Too many recipients");
		return;
	}
	s->asking = delivery_new(s->d, c->path, s->id, &s->log, &delivery_ops, s);
	delivery_wishes(s->asking, (uint8_t)c->notify, c->orcpt);
	if (delivery_check(s->asking, s->size_told))
		answer_rcpt(s);
	else
		s->busy = true;
}

static void
take_by(struct dsn *d, const struct smtp_by *by)
{
	if (!by->by_notify && !by->by_return)
		return;
	d->by = (uint8_t)((by->by_return ? QUEUE_BY_RETURN : QUEUE_BY_NOTIFY) |
	    (by->trace ? QUEUE_BY_TRACE : 0));
	d->by_over = by->seconds <= 0;
	d->by_ms = clock_wall_ms() + (int64_t)by->seconds * 1000;
}

static void
take_wishes(struct session *s, const struct smtp_command *c)
{
	if (c->auth.p != NULL)
		s->auth = span_dup(c->auth);
	if (c->envid.p != NULL)
		s->envid = span_dup(c->envid);
	s->dsn.envid = s->envid != NULL ? span_str(s->envid) : SPAN_NONE;
	s->dsn.ret = (uint8_t)c->ret;
	s->dsn.arrived_s = clock_wall_s();
	take_by(&s->dsn, &c->by);
}

static void
cmd_mail(struct session *s, const struct smtp_command *c)
{
	if (c->size > conf_of(s)->max_message_bytes) {
		reply(s, "552 5.3.4 Message is too big");
		return;
	}
	forget_envelope(s);
	s->from = span_dup(c->path);
	s->size_told = c->size;
	s->body = c->body;
	s->utf8 = c->utf8;
	take_wishes(s, c);
	s->state = S_MAIL;
	reply(s, "250 2.1.0 Sender fine");
}

/* Message ------------------------------------------------------------------- */

static bool
wants_reports(const struct session *s)
{
	for (size_t i = 0; i < s->n_rcpts; i++)
		if (delivery_reports(s->rcpts[i]))
			return true;
	return s->dsn.by != 0;
}

static void
begin_deliveries(struct session *s)
{
	const struct conf_sieve *c = &worker_conf(s->d->worker)->sieve;
	const struct kept_limits l = { c->max_body_bytes, c->body_memory_bytes,
	    &s->d->kept_bytes };

	if (filter_is_on(s->d->filter) || wants_reports(s))
		s->kept = kept_new(&l);
	for (size_t i = 0; i < s->n_rcpts; i++)
		delivery_begin(s->rcpts[i], s->from, s->size_told);
}

static bool
deliveries_busy(struct session *s)
{
	for (size_t i = 0; i < s->n_rcpts; i++)
		if (delivery_busy(s->rcpts[i]))
			return true;
	return false;
}

/* What lies in s->clean goes to every recipient. */
static void
feed_deliveries(struct session *s)
{
	s->size_in += s->clean.len;
	if (s->size_in > conf_of(s)->max_message_bytes)
		s->too_big = true;
	for (size_t i = 0; i < s->n_rcpts && !s->too_big; i++)
		delivery_feed(s->rcpts[i], buf_span(&s->clean));
	if (s->kept != NULL && !s->too_big)
		kept_feed(s->kept, buf_span(&s->clean));
	buf_clear(&s->clean);
	if (s->clean.room > 65536)
		buf_fini(&s->clean);
}

static void
message_done(struct session *s)
{
	for (size_t i = 0; i < s->n_rcpts; i++) {
		struct delivery *d = s->rcpts[i];

		if (s->late)
			reply_about(s, "550 5.4.7 Delivery time expired", delivery_address(d));
		else if (delivery_status(d) == ST_OK && delivery_refusal(d) != NULL)
			replies_refusal(conn_out(s->conn), delivery_refusal(d));
		else
			reply_about(s, replies_status(conf_of(s), delivery_status(d)), delivery_address(d));
		delivery_log(d, s->from);
	}
	s->messages++;
	forget_envelope(s);
	on_answer(s);
}

static void
end_of_message(struct session *s)
{
	const struct letter l = { .from = s->from, .auth = s->auth, .utf8 = s->utf8, .dsn = s->dsn,
	    .kept = s->kept };

	s->state = S_WAIT;
	s->busy = true;
	s->n_waiting = s->n_rcpts;
	s->late = !s->too_big && (s->dsn.by & QUEUE_BY_RETURN) != 0 &&
	    s->dsn.by_ms <= clock_wall_ms();
	for (size_t i = 0; i < s->n_rcpts; i++)
		if (s->too_big || s->late)
			delivery_give_up(s->rcpts[i], s->late ? ST_DENIED : ST_LIMIT);
		else
			delivery_finish(s->rcpts[i], &l);
	if (s->too_big || s->late)
		message_done(s);
}

static void
cmd_data(struct session *s)
{
	if (s->n_rcpts == 0) {
		reply(s, "503 5.5.1 No valid recipients");
		return;
	}
	if (s->body == SMTP_BINARYMIME || s->chunked) {
		reply(s, "503 5.5.1 BDAT is needed for this message");
		return;
	}
	begin_deliveries(s);
	s->state = S_TEXT;
	reply(s, "354 Go on, end with <CRLF>.<CRLF>");
}

static void
cmd_bdat(struct session *s, const struct smtp_command *c)
{
	if (s->n_rcpts == 0 && !s->chunked) {
		/* the octets follow whatever the answer is (RFC 3030 §2) */
		s->too_big = true;
	} else if (!s->chunked) {
		begin_deliveries(s);
	}
	s->chunked = true;
	s->chunk_left = c->size;
	s->chunk_last = c->last;
	s->state = S_CHUNK;
}

static void
end_of_chunk(struct session *s)
{
	if (s->n_rcpts == 0) {
		reply(s, "503 5.5.1 No valid recipients");
		if (s->chunk_last)
			forget_envelope(s);
		else
			s->state = S_MAIL;
		return;
	}
	if (s->chunk_last) {
		end_of_message(s);
		return;
	}
	s->state = S_MAIL;
	if (s->too_big)
		reply(s, "552 5.3.4 Message is too big");
	else
		reply(s, "250 2.0.0 Chunk taken");
}

/* false: wait for more, or for room. */
static bool
take_text(struct session *s)
{
	struct buf *in = conn_in(s->conn);
	struct span part;
	size_t used;

	if (deliveries_busy(s)) {
		conn_pause(s->conn);
		return false;
	}
	if (conn_paused(s->conn))
		conn_resume(s->conn);
	if (s->state == S_TEXT) {
		used = smtp_text_feed(&s->text, buf_span(in), &s->clean);
		buf_drop(in, used);
		feed_deliveries(s);
		if (!s->text.done)
			return false;
		end_of_message(s);
		return true;
	}
	part = span_sub(buf_span(in), 0, s->chunk_left < in->len ? (size_t)s->chunk_left : in->len);
	if (s->body == SMTP_BINARYMIME)
		buf_add_span(&s->clean, part);
	else
		smtp_chunk_feed(&s->chunk_cr, part, &s->clean);
	s->chunk_left -= part.len;
	buf_drop(in, part.len);
	feed_deliveries(s);
	if (s->chunk_left > 0)
		return false;
	end_of_chunk(s);
	return true;
}

/* Commands ------------------------------------------------------------------ */

static void
cmd_lhlo(struct session *s, const struct smtp_command *c)
{
	struct buf *out = conn_out(s->conn);

	forget_envelope(s);
	mem_free(&s->helo);
	s->helo = span_dup(c->arg);
	s->state = S_READY;
	/* reports must be able to leave */
	s->offers = conf_sends(worker_conf(s->d->worker)) ? SMTP_MAY_DSN | SMTP_MAY_BY : 0;
	buf_addf(out, "250-%s\r\n", worker_conf(s->d->worker)->global.hostname);
	buf_add_str(out, "250-PIPELINING\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n"
	    "250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n");
	if (s->offers != 0)
		buf_add_str(out, "250-DSN\r\n250-DELIVERBY\r\n");
	if (s->starttls && !conn_is_secure(s->conn) && worker_tls(s->d->worker) != NULL)
		buf_add_str(out, "250-STARTTLS\r\n");
	buf_addf(out, "250 SIZE %llu\r\n", (unsigned long long)conf_of(s)->max_message_bytes);
}

static void
cmd_starttls(struct session *s)
{
	if (!s->starttls || worker_tls(s->d->worker) == NULL) {
		reply(s, "502 5.5.1 STARTTLS is not offered here");
		return;
	}
	if (conn_is_secure(s->conn)) {
		reply(s, "503 5.5.1 TLS is on already");
		return;
	}
	if (conn_in(s->conn)->len > 0) {
		reply(s, "501 5.5.1 Nothing may follow STARTTLS before the answer");
		s->state = S_OVER;
		conn_finish(s->conn);
		return;
	}
	reply(s, "220 2.0.0 Ready for TLS");
	forget_envelope(s);
	mem_free(&s->helo);
	s->offers = 0;
	s->state = S_GREETED;	/* all that was said before is forgotten (RFC 3207 §4.2) */
	if (!conn_start_tls(s->conn, worker_tls(s->d->worker))) {
		s->state = S_OVER;
		conn_finish(s->conn);
	}
}

/* false: the order of commands forbids it; the answer is given. */
static bool
in_order(struct session *s, enum smtp_verb v)
{
	bool mail = s->state == S_MAIL;

	if (s->chunked && (v == SMTP_RCPT || v == SMTP_DATA || v == SMTP_MAIL)) {
		reply(s, "503 5.5.1 A message is under way; BDAT or RSET");
		return false;
	}
	switch (v) {
	case SMTP_MAIL:
		if (s->state == S_GREETED)
			reply(s, "503 5.5.1 LHLO first");
		else if (mail)
			reply(s, "503 5.5.1 The sender was given already");
		else
			return true;
		return false;
	case SMTP_RCPT:
	case SMTP_DATA:
	case SMTP_BDAT:
		if (!mail && v != SMTP_BDAT)
			reply(s, "503 5.5.1 MAIL first");
		return mail || v == SMTP_BDAT;
	default:
		return true;
	}
}

static void
command(struct session *s, struct span line)
{
	struct smtp_command c;
	char text[REPLIES_MISTAKE];

	smtp_parse(line, s->offers | (s->utf8 ? SMTP_MAY_UTF8 : 0), &c);
	LOG(&s->log, TRACE, "lmtp.command", KV_STR("verb", smtp_verb_name(c.verb)));
	if (c.verb == SMTP_UNKNOWN || c.verb == SMTP_HELO || c.verb == SMTP_EHLO) {
		mistake(s, c.verb == SMTP_UNKNOWN ? "500 5.5.1 Command is not known" :
		    "500 5.5.1 This is LMTP: use LHLO");
		return;
	}
	if (c.error != SMTP_OK) {
		if (c.verb == SMTP_BDAT) {
			/* where the octets end is not known any more */
			reply(s, "501 5.5.4 Syntax error in arguments");
			s->state = S_OVER;
			conn_finish(s->conn);
			return;
		}
		mistake(s, replies_mistake(&c, text));
		return;
	}
	if (!in_order(s, c.verb))
		return;
	switch (c.verb) {
	case SMTP_LHLO:
		cmd_lhlo(s, &c);
		break;
	case SMTP_MAIL:
		cmd_mail(s, &c);
		break;
	case SMTP_RCPT:
		cmd_rcpt(s, &c);
		break;
	case SMTP_DATA:
		cmd_data(s);
		break;
	case SMTP_BDAT:
		cmd_bdat(s, &c);
		break;
	case SMTP_RSET:
		forget_envelope(s);
		reply(s, "250 2.0.0 Forgotten");
		break;
	case SMTP_NOOP:
		reply(s, "250 2.0.0 OK");
		break;
	case SMTP_VRFY:
		reply(s, "252 2.5.0 Send mail to find out");
		break;
	case SMTP_HELP:
		reply(s, "214 2.0.0 LMTP as in RFC 2033");
		break;
	case SMTP_STARTTLS:
		cmd_starttls(s);
		break;
	default:
		reply(s, "221 2.0.0 Bye");
		s->state = S_OVER;
		conn_finish(s->conn);
	}
}

/* false: no whole line yet. */
static bool
take_line(struct session *s)
{
	struct buf *in = conn_in(s->conn);
	size_t n = span_find(buf_span(in), '\n');
	struct span line;
	char copy[SMTP_LINE_MAX + 1];

	if (n > SMTP_LINE_MAX) {
		reply(s, "500 5.5.6 Line is too long");
		s->state = S_OVER;
		conn_finish(s->conn);
		return false;
	}
	if (n == in->len)
		return false;
	line = span_sub(buf_span(in), 0, n);
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	/* the command may look at what follows it (STARTTLS), so it leaves the input first */
	memcpy(copy, line.p, line.len);
	buf_drop(in, n + 1);
	command(s, span(copy, line.len));
	return true;
}

/* Works off what has come, until something must be waited for. */
static void
pump(struct session *s)
{
	bool more = true;

	while (more && !s->busy && s->state != S_OVER) {
		if (conn_full(s->conn)) {
			conn_pause(s->conn);
			return;
		}
		if (s->draining && s->state != S_MAIL && s->state != S_TEXT && s->state != S_CHUNK) {
			reply(s, "421 4.3.2 Server is stopping, come again");
			s->state = S_OVER;
			conn_finish(s->conn);
			return;
		}
		if (s->state == S_TEXT || s->state == S_CHUNK)
			more = take_text(s);
		else
			more = take_line(s);
	}
	if (s->busy && s->state != S_OVER)
		conn_pause(s->conn);
	else if (!s->busy && s->state != S_TEXT && s->state != S_CHUNK && conn_paused(s->conn))
		conn_resume(s->conn);
}

/* Connection ---------------------------------------------------------------- */

static void
on_data(struct conn *c, void *arg)
{
	pump(arg);
}

static void
on_eof(struct conn *c, void *arg)
{
	struct session *s = arg;

	/* a message that was complete is delivered all the same; the answer goes nowhere */
	if (s->state != S_WAIT)
		conn_finish(c);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct session *s = arg;

	if (conn_paused(c) && !s->busy)
		conn_resume(c);
	pump(s);
}

static void
on_closed(struct conn *c, enum conn_end why, void *arg)
{
	struct session *s = arg;

	LOG(&s->log, DEBUG, "lmtp.closed", KV_UINT("messages", s->messages),
	    KV_UINT("in", conn_bytes_in(c)), KV_INT("why", (int)why));
	session_free(s);
}

static const struct conn_ops conn_ops = {
	.data = on_data, .eof = on_eof, .drained = on_drained, .closed = on_closed
};

static bool
may_connect(const struct conf_listener *l, const struct net_ip *ip)
{
	if (ip->family == NET_UNIX)
		return true;
	if (l->allow.n == 0)		/* mail is taken from strangers only when told so */
		return net_ip_is_local(ip);
	for (size_t i = 0; i < l->allow.n; i++)
		if (cidr_match(&l->allow.v[i], ip))
			return true;
	return false;
}

void
session_start(struct lmtpd *d, const struct worker_listener *l, int fd, const char *peer)
{
	struct session *s = mem_zalloc(sizeof(*s));

	s->d = d;
	s->listener = l;
	s->starttls = l->conf->tls == CONF_TLS_STARTTLS;
	snprintf(s->peer, sizeof(s->peer), "%s", peer);
	worker_conn_id(d->worker, s->id);
	s->log = (struct log_ctx){ .conn = s->id, .peer = s->peer };
	s->conn = conn_new(worker_loop(d->worker), fd,
	    l->conf->tls == CONF_TLS_IMPLICIT ? worker_tls(d->worker) : NULL, &conn_ops, s);
	list_push_back(&d->sessions, &s->in);
	worker_conn_opened(d->worker);
	conn_set_idle(s->conn, (uint64_t)conf_of(s)->idle_timeout_s * 1000);
	if (!may_connect(l->conf, conn_peer(s->conn))) {
		LOG(&s->log, WARN, "lmtp.not-allowed", KV_STR("listener", l->conf->head.name));
		reply(s, "554 5.7.1 This address may not deliver here");
		s->state = S_OVER;
		conn_finish(s->conn);
		return;
	}
	buf_addf(conn_out(s->conn), "220 %s Mansio LMTP\r\n",
	    worker_conf(d->worker)->global.hostname);
}

void
session_drain_all(struct lmtpd *d)
{
	struct list *n, *tmp;

	list_each(n, tmp, &d->sessions) {
		struct session *s = list_entry(n, struct session, in);

		s->draining = true;
		pump(s);
	}
}

void
session_free_all(struct lmtpd *d)
{
	struct list *n, *tmp;

	list_each(n, tmp, &d->sessions)
		session_free(list_entry(n, struct session, in));
}
