#include "outd/session_priv.h"

#include <stdio.h>
#include <string.h>

#include "common/util/log.h"
#include "common/util/mem.h"

#define QUIET_MS	15000u		/* a connection without work is kept so long */

/* The end ---------------------------------------------------------------------- */

void
session_free(struct session **sp)
{
	struct session *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	dial_cancel(&s->dial);
	loop_timer_free(&s->quiet);
	conn_free(&s->conn);
	login_free(&s->login);
	s->ended = true;
	if (!s->reading)
		mem_free(&s);
}

/* Its answer is not waited for: both sides know that nothing is under way. */
void
session_quit(struct session *s)
{
	session_line(s, "QUIT");
	s->stage = LEAVING;
	loop_timer_clear(s->quiet);
	conn_finish(s->conn);
}

static void
on_quiet(void *arg)
{
	struct session *s = arg;

	if (s->stage == READY)
		session_quit(s);
}

static void
close_with(struct session *s, struct letter *back, const char *why)
{
	s->letter = NULL;
	s->ops->closed(s, s->worked, back, why, s->arg);
	session_free(&s);
}

static void
end_letter(struct session *s, enum out_how how, bool unsent, const char *why)
{
	struct letter *l = s->letter;

	s->letter = NULL;
	if (l != NULL)
		letter_end(l, how, unsent, why);
}

static void
lost(struct session *s, const char *why)
{
	struct letter *l = s->letter;

	if (l != NULL && s->used && !s->answered && !l->tried) {
		l->tried = true;
		close_with(s, l, why);
		return;
	}
	end_letter(s, OUT_LATER, s->stage != FINAL, why);
	close_with(s, NULL, why);
}

void
session_lost(struct session *s, const char *why)
{
	char text[OUT_WHY_MAX + 1];

	snprintf(text, sizeof(text), "%.60s: %.180s", s->conf.host, why);
	lost(s, text);
}

void
session_unfit(struct session *s, const char *why)
{
	end_letter(s, OUT_LATER, true, why);
	close_with(s, NULL, why);
}

/* Nothing of the text may arrive as a whole: no end of it was written, and none is now. */
static void
break_off(struct session *s, enum out_how how, const char *why)
{
	end_letter(s, how, true, why);
	close_with(s, NULL, why);
}

/* Commands --------------------------------------------------------------------- */

void
session_line(struct session *s, const char *line)
{
	struct buf *out = conn_out(s->conn);

	buf_add_str(out, line);
	buf_add_str(out, "\r\n");
}

void
session_await(struct session *s, enum stage stage)
{
	uint32_t within = stage == FINAL ? s->conf.c->final_time_s : s->conf.c->reply_time_s;

	s->stage = stage;
	conn_set_idle(s->conn, 0);
	conn_set_deadline(s->conn, (uint64_t)within * 1000);
}

bool
session_is_ready(const struct session *s)
{
	return s->stage == READY;
}

void
session_words(const struct session *s, const struct smtp_reply *r, char why[OUT_WHY_MAX + 1])
{
	snprintf(why, OUT_WHY_MAX + 1, "%.40s: %u %s", s->conf.host, r->code, r->text);
}

/* The connection rests, and may do for a while. */
static void
rest(struct session *s)
{
	s->stage = READY;
	s->used = true;
	conn_set_idle(s->conn, 0);
	conn_set_deadline(s->conn, 0);
	loop_timer_set(s->quiet, QUIET_MS);
	s->ops->ready(s, s->arg);
}

/* The envelope ----------------------------------------------------------------- */

/* What the relay could not take, whatever it answers; NULL: nothing. */
static const char *
unfit(const struct session *s, char why[OUT_WHY_MAX + 1])
{
	const struct out_submit *m = &s->letter->m;
	const struct smtp_offers *o = &s->offers;

	if (m->eight_bit && !o->eight_bit)
		return "the relay takes no 8-bit mail (8BITMIME), and it is not converted";
	if (m->utf8 && !o->utf8)
		return "the relay takes no internationalized mail (SMTPUTF8)";
	if (m->by == OUT_BY_RETURN && !o->deliver_by)
		return "the relay knows no time of delivery (DELIVERBY)";
	if (m->by == OUT_BY_RETURN && (m->by_s <= 0 || m->by_s < o->by_least_s))
		return "the time of delivery is too short for the relay";
	if (o->size_max > 0 && m->size > o->size_max) {
		snprintf(why, OUT_WHY_MAX + 1, "too large: the relay takes %llu bytes",
		    (unsigned long long)o->size_max);
		return why;
	}
	return NULL;
}

static void
put_mail(struct session *s, struct buf *out)
{
	const struct out_submit *m = &s->letter->m;
	const struct smtp_mail mail = { .from = m->from, .envid = m->envid, .size = m->size,
	    .ret = m->ret == OUT_RET_FULL ? SMTP_RET_FULL : m->ret == OUT_RET_HDRS ? SMTP_RET_HDRS :
	    SMTP_RET_NONE, .by_return = m->by == OUT_BY_RETURN, .by_notify = m->by == OUT_BY_NOTIFY,
	    .by_trace = m->by_trace, .by_s = m->by_s, .utf8 = m->utf8 };

	smtp_put_mail(out, &mail, &s->offers);
}

static void
put_rcpt(struct session *s, size_t i, struct buf *out)
{
	const struct out_recipient *to = &s->letter->rcpts[i].to;
	struct smtp_rcpt r = { .address = to->address, .orcpt = to->orcpt, .notify = to->notify };

	/* RFC 2852 §4.1.4.2: to a relay that cannot keep the time itself */
	if (s->letter->m.by == OUT_BY_NOTIFY && !s->offers.deliver_by &&
	    (r.notify & SMTP_NOTIFY_NEVER) == 0)
		r.notify |= r.notify == 0 ? SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY : SMTP_NOTIFY_DELAY;
	smtp_put_rcpt(out, &r, &s->offers);
}

/* Commands of an envelope: RSET where it is needed, MAIL, RCPT... */
static size_t
n_commands(const struct session *s)
{
	return s->letter->n_rcpts + 1 + s->reset;
}

static void
put_commands(struct session *s)
{
	struct buf *out = conn_out(s->conn);

	while (s->sent < n_commands(s) && (s->offers.pipelining || s->sent == s->got)) {
		size_t i = s->sent++;

		if (s->reset && i == 0)
			buf_add_str(out, "RSET\r\n");
		else if (i == s->reset)
			put_mail(s, out);
		else
			put_rcpt(s, i - 1 - s->reset, out);
	}
	session_await(s, ENVELOPE);
}

void
session_send(struct session *s, struct letter *l)
{
	char text[OUT_WHY_MAX + 1];
	const char *why;

	loop_timer_clear(s->quiet);
	s->letter = l;
	l->carrier = &session_carrier;
	l->vehicle = s;
	s->sent = s->got = 0;
	s->answered = s->mailed = false;
	s->text = (struct smtp_send){ 0 };
	s->wanted = 0;
	why = unfit(s, text);
	if (why != NULL) {
		end_letter(s, OUT_REFUSED, true, why);
		rest(s);
		return;
	}
	put_commands(s);
}

static bool
some_open(const struct letter *l)
{
	for (size_t i = 0; i < l->n_rcpts; i++)
		if (l->rcpts[i].how == 0)
			return true;
	return false;
}

/* 552 to RCPT is what 452 is: too many recipients (RFC 5321 §4.5.3.1.10).  That we are not let in is not the letter's fault. */
static enum out_how
how_refused(const struct smtp_reply *r, bool rcpt)
{
	if (r->code < 500 || (rcpt && r->code == 552) || r->code == 530 || r->code == 535 ||
	    r->code == 538)
		return OUT_LATER;
	return OUT_REFUSED;
}

static void
settle_all(struct session *s, const struct smtp_reply *r, bool rcpt)
{
	char why[OUT_WHY_MAX + 1];

	session_words(s, r, why);
	for (size_t i = 0; i < s->letter->n_rcpts; i++)
		letter_settle(&s->letter->rcpts[i], how_refused(r, rcpt), why);
}

static void
envelope_done(struct session *s)
{
	s->reset = true;
	if (some_open(s->letter)) {
		session_line(s, "DATA");
		session_await(s, DATA);
		return;
	}
	end_letter(s, OUT_LATER, true, s->letter->rcpts[0].why);
	rest(s);
}

static void
on_envelope(struct session *s, const struct smtp_reply *r)
{
	size_t i = s->got++;
	bool good = r->code >= 200 && r->code < 300;
	char why[OUT_WHY_MAX + 1];

	s->answered = true;
	if (s->reset && i == 0) {
		if (!good) {
			session_lost(s, "RSET is refused");
			return;
		}
	} else if (i == s->reset) {
		s->mailed = good;
		if (!good)
			settle_all(s, r, false);
	} else if (s->mailed && !good) {
		session_words(s, r, why);
		letter_settle(&s->letter->rcpts[i - 1 - s->reset], how_refused(r, true), why);
	}
	/* behind a refused MAIL nothing else is said that was not said already */
	if (s->got < s->sent)
		return;
	if (s->got == n_commands(s) || (i >= s->reset && !s->mailed))
		envelope_done(s);
	else
		put_commands(s);
}

/* The text --------------------------------------------------------------------- */

static void
want(struct session *s)
{
	uint32_t more = SESSION_WINDOW / 2;

	if (s->letter == NULL || s->stage != TEXT || conn_full(s->conn) || s->wanted > more)
		return;
	s->wanted += more;
	s->letter->wants(s->letter, more);
}

static void
on_data(struct session *s, const struct smtp_reply *r)
{
	char why[OUT_WHY_MAX + 1];

	if (r->code != 354) {
		session_words(s, r, why);
		end_letter(s, how_refused(r, false), true, why);
		rest(s);
		return;
	}
	s->stage = TEXT;
	conn_set_deadline(s->conn, 0);
	conn_set_idle(s->conn, (uint64_t)s->conf.c->data_time_s * 1000);
	want(s);
}

static void
body(struct letter *l, struct span bytes, bool last, bool bad)
{
	struct session *s = l->vehicle;

	if (bad || s->stage != TEXT || bytes.len > s->wanted) {
		break_off(s, OUT_LATER, "its text could not be read whole");
		return;
	}
	s->wanted -= (uint32_t)bytes.len;
	conn_set_idle(s->conn, (uint64_t)s->conf.c->data_time_s * 1000);	/* from now on */
	smtp_send_feed(&s->text, bytes, conn_out(s->conn));
	if (s->text.eight_bit && !s->offers.eight_bit) {
		break_off(s, OUT_REFUSED, "the relay takes no 8-bit mail (8BITMIME), and it is not converted");
		return;
	}
	if (!last) {
		want(s);
		return;
	}
	smtp_send_end(&s->text, conn_out(s->conn));
	session_await(s, FINAL);
}

/* What was written whole stays written. */
static void
drop(struct letter *l)
{
	struct session *s = l->vehicle;

	s->letter = NULL;
	if (s->stage != FINAL)
		close_with(s, NULL, "given up");
}

const struct carrier session_carrier = { body, drop };

static void
on_final(struct session *s, const struct smtp_reply *r)
{
	char why[OUT_WHY_MAX + 1];

	session_words(s, r, why);
	s->reset = false;
	if (r->code >= 200 && r->code < 300)
		end_letter(s, OUT_SENT, false, why);
	else
		end_letter(s, how_refused(r, false), true, why);
	rest(s);
}

/* The relay spoke before the text was over: that is its word, and nobody else gets the rest. */
static void
on_early(struct session *s, const struct smtp_reply *r)
{
	char why[OUT_WHY_MAX + 1];

	session_words(s, r, why);
	break_off(s, r->code < 400 ? OUT_LATER : how_refused(r, false), why);
}

/* Replies ---------------------------------------------------------------------- */

static void
on_reply(struct session *s, const struct smtp_reply *r)
{
	char why[OUT_WHY_MAX + 1];

	if (r->code == 421) {		/* at any time: it closes */
		session_words(s, r, why);
		if (s->stage == FINAL)
			end_letter(s, OUT_LATER, true, why);
		lost(s, why);
		return;
	}
	switch (s->stage) {
	case READY:
		session_lost(s, "it speaks without being asked");
		break;
	case ENVELOPE:
		on_envelope(s, r);
		break;
	case DATA:
		on_data(s, r);
		break;
	case TEXT:
		on_early(s, r);
		break;
	case FINAL:
		on_final(s, r);
		break;
	default:
		session_opening(s, r);
		break;
	}
}

/* One line of the input; false: it is not whole yet, or it was the last that this session takes. */
static bool
take_line(struct session *s, struct buf *in, struct smtp_reply *whole, bool *is_whole)
{
	char *nl = in->len > 0 ? memchr(in->data, '\n', in->len) : NULL;
	struct span line, words;
	enum smtp_reply_is is;

	if (nl == NULL && in->len <= SMTP_REPLY_LINE_MAX)
		return false;
	line = span(in->data, nl != NULL ? (size_t)(nl - in->data) : in->len);
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	is = nl == NULL || line.len > SMTP_REPLY_LINE_MAX ? SMTP_REPLY_BAD :
	    smtp_reply_line(&s->reply, line, &words);
	if (is == SMTP_REPLY_BAD) {
		session_lost(s, "its reply is none");
		return false;
	}
	if (s->stage == HELLO && s->reply.lines > 1)
		smtp_offers_line(&s->offers, words);
	buf_drop(in, (size_t)(nl - in->data) + 1);
	*is_whole = is == SMTP_REPLY_WHOLE;
	if (*is_whole) {
		*whole = s->reply;
		s->reply = (struct smtp_reply){ 0 };
	}
	return true;
}

/* A reply may end the session: its memory stays until the last one was looked at. */
static void
on_data_in(struct conn *c, void *arg)
{
	struct session *s = arg;
	struct smtp_reply r;
	bool whole;

	s->reading = true;
	while (!s->ended && take_line(s, conn_in(c), &r, &whole))
		if (whole)
			on_reply(s, &r);
	s->reading = false;
	if (s->ended)
		mem_free(&s);
}

static void
on_eof(struct conn *c, void *arg)
{
	session_lost(arg, "it closed the connection");
}

static void
on_drained(struct conn *c, void *arg)
{
	want(arg);
}

static void
on_closed(struct conn *c, enum conn_end why, void *arg)
{
	struct session *s = arg;
	char text[OUT_WHY_MAX + 1];

	if (s->stage == LEAVING) {
		close_with(s, NULL, "");
		return;
	}
	switch (why) {
	case CONN_TLS_FAILED:
		snprintf(text, sizeof(text), "TLS: %.150s", conn_tls_error(c));
		break;
	case CONN_DEADLINE:
	case CONN_IDLE:
		snprintf(text, sizeof(text), "it does not answer in time");
		break;
	default:
		snprintf(text, sizeof(text), "the connection is lost");
		break;
	}
	session_lost(s, text);
}

const struct conn_ops session_conn_ops = {
	.data = on_data_in, .eof = on_eof, .drained = on_drained, .secured = session_secured,
	.closed = on_closed
};

struct session *
session_new(struct loop *l, const struct session_conf *conf, const struct session_ops *ops, void *arg)
{
	struct session *s = mem_zalloc(sizeof(*s));

	s->loop = l;
	s->conf = *conf;
	s->ops = ops;
	s->arg = arg;
	s->quiet = loop_timer_new(l, on_quiet, s);
	session_open(s);
	return s;
}
