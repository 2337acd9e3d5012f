/* RETR and TOP.  A message that is not large comes out of what was read ahead and goes
 * out in one write; a large one passes through piece by piece, as fast as the client
 * reads.  While a client that fetches one message after the other reads one, the answer
 * to its next RETR is made. */
#include "pop3d/session.h"

#include "common/util/mem.h"
#include "storage/client/body.h"

#define AT_ONCE		(1u << 20)	/* octets of a message that is unpacked as a whole */
#define PIECE		(256u << 10)	/* stored bytes asked for at a time */
#define STEP		(64u << 10)	/* octets unpacked at a time */
#define READY		(64u << 10)	/* octets of a message whose answer is made ahead */
#define READY_SKIP	64u		/* messages marked as deleted that are passed over for it */
#define ANSWER_MORE	128u		/* of an answer, beside the message; dots come on top */
#define REST_MS		10000		/* without RETR: nothing is kept */

static void fetch_on(struct pop3_session *s);
static void make_ready(void *arg);
static void stream_on(struct pop3_session *s);

void
pop3_stream_end(struct pop3_session *s)
{
	body_reader_free(&s->stream.reader);
	buf_fini(&s->stream.stored);
	s->stream = (struct pop3_stream){ 0 };
}

static void
put_first_line(const struct pop3_session *s, uint32_t index, bool top, struct buf *out)
{
	if (top) {
		buf_add_str(out, "+OK The top of the message follows\r\n");
		return;
	}
	buf_add_str(out, "+OK ");
	buf_add_u64(out, s->drop.size[index]);
	buf_add_str(out, " octets\r\n");
}

static void
count(struct pop3_session *s)
{
	uint8_t *mark = &s->drop.marks[s->at];

	s->bad_commands = 0;
	if (s->top) {
		s->n_topped++;
		return;
	}
	s->n_retrieved++;
	s->drop.n_retrieved += (*mark & DROP_RETRIEVED) == 0;
	*mark |= DROP_RETRIEVED;
}

/* RFC 6856 §2.1: what a client that did not say UTF8 gets of a header that needs it.
 * false: refused. */
static bool
suit_header(struct pop3_session *s, struct buf *out, size_t from, bool first)
{
	struct pop3_stream *x = &s->stream;
	struct span raw = span(out->data + from, out->len - from);
	size_t n;

	if (s->utf8 || s->srv->conf->utf8_headers == CONF_POP3_UTF8_SEND || x->header.over)
		return true;
	n = pop3_header_take(&x->header, raw);
	if (pop3_is_utf8(span_sub(raw, 0, n))) {
		if (first && s->srv->conf->utf8_headers == CONF_POP3_UTF8_REFUSE)
			return false;
		x->ascii = true;	/* it has begun: too late to refuse */
	}
	if (x->ascii)
		pop3_make_ascii(out->data + from, n);
	return true;
}

/* Raw octets at the end of the output, from `from` on, made what is sent. */
static bool
suit(struct pop3_session *s, struct buf *out, size_t from, bool top, bool first)
{
	struct pop3_stream *x = &s->stream;

	if (out->len > from && !suit_header(s, out, from, first))
		return false;
	if (top)
		buf_cut(out, from + pop3_top_take(&x->top, span(out->data + from, out->len - from)));
	pop3_stuff(&x->stuffer, out, from);
	return true;
}

static void
refuse_utf8(struct pop3_session *s, size_t mark)
{
	buf_cut(pop3_out(s), mark);
	pop3_stream_end(s);
	pop3_err(s, "[UTF8] The message needs UTF8 mode");
}

static void
begin(struct pop3_session *s)
{
	pop3_stream_end(s);
	s->stream.top.lines = s->top_lines;
}

/* Appends a whole answer.  ST_UNSUPPORTED: it needs UTF8; out is as it was then, and after
 * any failure. */
static enum status
put_answer(struct pop3_session *s, uint32_t index, bool top, struct span stored,
    struct buf *out)
{
	size_t mark = out->len, from;
	enum status st;

	begin(s);
	buf_reserve(out, (size_t)s->drop.size[index] + ANSWER_MORE);
	put_first_line(s, index, top, out);
	from = out->len;
	st = body_unpack(stored, s->drop.size[index], out);
	/* nearly all are ASCII: their headers need not be looked for */
	if (st == ST_OK && pop3_is_ascii(span(out->data + from, out->len - from)))
		s->stream.header.over = true;
	if (st == ST_OK && !suit(s, out, from, top, true))
		st = ST_UNSUPPORTED;
	if (st == ST_OK)
		pop3_stuff_end(&s->stream.stuffer, out);
	else
		buf_cut(out, mark);
	return st;
}

static void
sent(struct pop3_session *s)
{
	count(s);
	if (s->ready.next == s->at && !s->top)
		loop_task_post(s->ready.make);
	if (!s->top)
		s->ready.next = s->at + 1;
	pop3_done(s);
}

static void
send_at_once(struct pop3_session *s, struct span stored)
{
	struct buf *out = pop3_out(s);
	enum status st = put_answer(s, s->at, s->top, stored, out);

	if (st == ST_UNSUPPORTED)
		refuse_utf8(s, out->len);
	else if (st != ST_OK)
		pop3_fail(s, st);
	else
		sent(s);
}

/* ---- the next one ---- */

static void
ready_drop(struct pop3_session *s)
{
	s->srv->ahead_bytes -= s->ready.answer.room;
	buf_fini(&s->ready.answer);
}

/* The message that RETR would want next, as far as it is near. */
static uint32_t
next_wanted(const struct pop3_session *s)
{
	uint32_t i = s->ready.next, end = i + READY_SKIP;

	while (i < s->drop.n && i < end && maildrop_is_deleted(&s->drop, i))
		i++;
	return i < end ? i : s->drop.n;
}

/* Runs when the last answer was written, and nothing is to be done. */
static void
make_ready(void *arg)
{
	struct pop3_session *s = arg;
	const struct ahead_limits lim = { s->srv->conf->read_ahead_bytes,
		s->srv->conf->read_ahead_total_bytes };
	struct pop3_ready *r = &s->ready;
	uint32_t index = next_wanted(s);
	uint64_t stored_size;
	struct span stored;

	if (s->busy || r->answer.len > 0 || conn_in(s->conn)->len > 0 || index >= s->drop.n ||
	    s->drop.size[index] > READY || !ahead_has(&s->ahead, index) ||
	    ahead_find(&s->ahead, &lim, index, &stored, &stored_size) != ST_OK ||
	    stored.len < stored_size)
		return;
	/* what is wrong with it is told when it is asked for */
	if (put_answer(s, index, false, stored, &r->answer) != ST_OK)
		buf_fini(&r->answer);
	s->srv->ahead_bytes += r->answer.room;
	r->index = index;
	r->utf8 = s->utf8;
}

/* false: it is not the one that was made. */
static bool
send_ready(struct pop3_session *s)
{
	struct pop3_ready *r = &s->ready;
	struct buf *out;

	if (r->answer.len == 0)
		return false;
	if (s->top || r->index != s->at || r->utf8 != s->utf8) {
		ready_drop(s);
		return false;
	}
	out = pop3_out(s);
	s->srv->ahead_bytes -= r->answer.room;
	if (out->len == 0) {
		buf_fini(out);
		*out = r->answer;
		buf_init(&r->answer);
	} else {
		buf_add_span(out, buf_span(&r->answer));
		buf_fini(&r->answer);
	}
	r->next = s->at;	/* skipped ones do not end the row */
	sent(s);
	return true;
}

void
pop3_retr_stale(struct pop3_session *s)
{
	ready_drop(s);
	ahead_stale(&s->ahead, s->fetching, s->at);
}

static void
on_rest(void *arg)
{
	struct pop3_session *s = arg;

	if (s->fetching) {
		loop_timer_set(s->rest, REST_MS);
		return;
	}
	ready_drop(s);
	ahead_clear(&s->ahead);
}

void
pop3_retr_end(struct pop3_session *s)
{
	pop3_stream_end(s);
	ready_drop(s);
	ahead_clear(&s->ahead);
	loop_timer_free(&s->rest);
	loop_task_free(&s->ready.make);
}

/* ---- large ones ---- */

/* It stops in the middle: only the end of the connection can tell. */
static void
broken(struct pop3_session *s, enum status st)
{
	LOG(&s->log, ERROR, "pop3.retr", KV_STATUS(st));
	if (s->stream.begun) {
		pop3_session_end(s);
	} else {
		pop3_stream_end(s);
		pop3_fail(s, st);
	}
}

static void
on_piece(void *arg, enum status st, bool more, const void *msg)
{
	struct pop3_session *s = arg;
	struct pop3_stream *x = &s->stream;
	const struct store_body_is *is = msg;
	struct store_body_piece p;
	struct reader r;

	if (is != NULL) {
		reader_init(&r, is->pieces.p, is->pieces.len);
		while (is->pieces.len > 0 && get_store_body_piece(&r, &p)) {
			if (p.offset != x->offset)
				continue;
			buf_add_span(&x->stored, p.data);
			x->offset += p.data.len;
		}
	}
	if (more)
		return;
	if (x->stored.len > 0) {
		s->tried = false;
		stream_on(s);
	} else if (st == ST_UNAVAILABLE && !s->tried) {
		s->tried = true;
		stream_on(s);
	} else {
		broken(s, st != ST_OK ? st : ST_CORRUPT);
	}
}

static void
ask_piece(struct pop3_session *s)
{
	struct store_body rq = { .mailbox = maildrop_box(&s->drop, s->at)->mailbox,
		.offset = s->stream.offset, .budget = PIECE };
	struct uidset uids = { 0 };
	struct buf set = { 0 };

	uidset_add(&uids, s->drop.uid[s->at]);
	uidset_encode(&uids, &set);
	rq.uids = buf_span(&set);
	s->busy = true;
	store_do_body(s->ahead.store, &rq, on_piece, s);
	buf_fini(&set);
	uidset_fini(&uids);
}

/* Unpacks a step of what is there.  false: it was answered. */
static bool
stream_step(struct pop3_session *s)
{
	struct pop3_stream *x = &s->stream;
	struct buf *out = pop3_out(s);
	size_t mark = out->len, from;
	struct span stored = buf_span(&x->stored);
	bool first = !x->begun;

	if (first)
		put_first_line(s, s->at, s->top, out);
	from = out->len;
	if (body_reader_take(x->reader, &stored, STEP, out) != ST_OK) {
		buf_cut(out, mark);
		broken(s, ST_CORRUPT);
		return false;
	}
	buf_drop(&x->stored, x->stored.len - stored.len);
	if (out->len == from) {
		buf_cut(out, mark);
		return true;
	}
	if (!suit(s, out, from, s->top, first)) {
		refuse_utf8(s, mark);
		return false;
	}
	x->begun = true;
	return true;
}

static void
stream_on(struct pop3_session *s)
{
	struct pop3_stream *x = &s->stream;

	for (;;) {
		if (conn_full(s->conn)) {
			s->busy = true;
			s->drained = stream_on;
			return;
		}
		if (x->begun && (x->top.done || body_reader_done(x->reader)))
			break;
		if (x->stored.len == 0) {
			ask_piece(s);
			return;
		}
		if (!stream_step(s))
			return;
	}
	pop3_stuff_end(&x->stuffer, pop3_out(s));
	pop3_stream_end(s);
	sent(s);
}

static void
start_stream(struct pop3_session *s, struct span stored)
{
	begin(s);
	s->stream.reader = body_reader_new(0, 0);
	buf_add_span(&s->stream.stored, stored);
	s->stream.offset = stored.len;
	s->tried = false;
	stream_on(s);
}

/* ---- both ---- */

static void
on_came(void *arg)
{
	struct pop3_session *s = arg;

	/* what was asked ahead may come while another command runs */
	if (s->busy && s->drained == NULL && s->fetching)
		fetch_on(s);
}

static void
fetch_on(struct pop3_session *s)
{
	const struct ahead_limits lim = { s->srv->conf->read_ahead_bytes,
		s->srv->conf->read_ahead_total_bytes };
	uint64_t stored_size = 0;
	struct span stored = SPAN_NONE;
	enum status st = ahead_find(&s->ahead, &lim, s->at, &stored, &stored_size);

	if (st == ST_CONFLICT && !s->tried) {
		s->tried = true;
		st = ahead_find(&s->ahead, &lim, s->at, &stored, &stored_size);
	}
	s->fetching = st == ST_UNAVAILABLE;
	if (st == ST_UNAVAILABLE)
		s->busy = true;
	else if (st != ST_OK)
		pop3_fail(s, st);
	else if (stored.len == stored_size && s->drop.size[s->at] <= AT_ONCE)
		send_at_once(s, stored);
	else
		start_stream(s, stored);
}

static void
fetch(struct pop3_session *s)
{
	if (s->rest == NULL) {
		s->ahead.came = on_came;
		s->ahead.arg = s;
		s->rest = loop_timer_new(s->srv->loop, on_rest, s);
		s->ready.make = loop_task_new(s->srv->loop, make_ready, s);
	}
	loop_timer_set(s->rest, REST_MS);
	s->tried = false;
	if (!send_ready(s))
		fetch_on(s);
}

static void
cmd_retr(struct pop3_session *s, struct span rest)
{
	if (!pop3_message(s, &rest, &s->at))
		return;
	s->top = false;
	s->top_lines = 0;
	if (!pop3_end(rest))
		pop3_bad(s, "Malformed arguments");
	else
		fetch(s);
}

static void
cmd_top(struct pop3_session *s, struct span rest)
{
	if (!pop3_message(s, &rest, &s->at))
		return;
	s->top = true;
	if (!pop3_number(&rest, &s->top_lines) || !pop3_end(rest))
		pop3_bad(s, "A number of lines is needed");
	else
		fetch(s);
}

const struct pop3_command pop3_cmds_retr[] = {
	{ "RETR",	POP3_IN_TRANS,	cmd_retr },
	{ "TOP",	POP3_IN_TRANS,	cmd_top },
	{ 0 }
};
