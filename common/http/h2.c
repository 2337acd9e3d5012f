/* HTTP/2 (RFC 9113) by nghttp2, which knows frames, HPACK and flow control; here its streams become
 * requests.  Its callbacks only note what came: requests are shown, and their bodies handed out,
 * when it has returned.
 *
 * What a peer may do much of at little cost (pings, settings, resets) is counted. */
#include "common/http/priv.h"

#include <stdio.h>

#include <nghttp2/nghttp2.h>

#include "common/util/mem.h"

#define COUNT_MS	10000u
#define CONTROLS_MAX	1000u		/* in that time */
#define RESETS_MAX	200u
#define CONN_WINDOW	(1 << 20)	/* a stream's is what is held of it */
#define STREAM_WINDOW	65535u

struct h2 {
	nghttp2_session	*session;
	uint64_t	since_ms;
	unsigned	controls, resets;	/* since then */
	bool		said_goodbye, flooded;
};

static struct http_request *
request_of(struct http_conn *c, int32_t stream)
{
	struct list *n, *tmp;

	list_each(n, tmp, &c->requests) {
		struct http_request *rq = list_entry(n, struct http_request, in);

		if (rq->stream == stream)
			return rq;
	}
	return NULL;
}

/* ---- heads ---- */

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http_conn *c = arg;

	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		http_request_new(c)->stream = frame->hd.stream_id;
	return 0;
}

/* Text first, for it moves as it grows: fields keep lengths alone, one after the other. */
static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	struct http_request *rq = request_of(arg, frame->hd.stream_id);

	if (rq == NULL || rq->shown || rq->head_whole || rq->too_big)
		return 0;
	if (rq->n_fields == HTTP_FIELDS_MAX + 4 ||
	    rq->text.len + name_len + value_len > HTTP_HEAD_MAX) {
		rq->too_big = true;
		return 0;
	}
	if (rq->n_fields % 16 == 0)
		rq->fields = mem_realloc_array(rq->fields, rq->n_fields + 16, sizeof(*rq->fields));
	rq->fields[rq->n_fields++] = (struct http_field){ span(NULL, name_len), span(NULL, value_len) };
	buf_add(&rq->text, name, name_len);
	buf_add(&rq->text, value, value_len);
	return 0;
}

static void
take_pseudo(struct http_request *rq, const struct http_field *f)
{
	if (span_eq_str(f->name, ":method"))
		rq->method = f->value;
	else if (span_eq_str(f->name, ":path"))
		rq->target = f->value;
	else if (span_eq_str(f->name, ":authority"))
		rq->host = f->value;
}

static void
point(struct http_request *rq)
{
	const char *p = rq->text.data;
	size_t kept = 0;
	struct span host;

	for (size_t i = 0; i < rq->n_fields; i++) {
		struct http_field f = rq->fields[i];

		f.name.p = p;
		f.value.p = p + f.name.len;
		p += f.name.len + f.value.len;
		if (span_has_prefix(f.name, ":"))
			take_pseudo(rq, &f);
		else
			rq->fields[kept++] = f;
	}
	rq->n_fields = kept;
	if (rq->host.len == 0 && http_header(rq, "host", &host))
		rq->host = host;
}

static bool
is_visible(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
			return false;
	return s.len > 0;
}

static bool
is_good(const struct http_request *rq)
{
	if (!is_visible(rq->target) || span_eq_str(rq->method, "CONNECT"))
		return false;
	for (size_t i = 0; i < rq->host.len; i++)
		if ((unsigned char)rq->host.p[i] <= ' ' || (unsigned char)rq->host.p[i] >= 0x7f ||
		    strchr("/\\@?#\"<>", rq->host.p[i]) != NULL)
			return false;
	return rq->target.p[0] == '/' ||
	    (span_eq_str(rq->target, "*") && span_eq_str(rq->method, "OPTIONS"));
}

static void
head_came(struct http_conn *c, struct http_request *rq)
{
	struct span length;
	uint64_t n;

	point(rq);
	if (http_header(rq, "content-length", &length) && span_u64(length, &n) && n <= INT64_MAX)
		rq->length = (int64_t)n;
	else if (rq->body_ended)
		rq->length = 0;
	rq->head_whole = rq->too_big || is_good(rq);
	if (!rq->head_whole)
		nghttp2_submit_rst_stream(c->h2->session, NGHTTP2_FLAG_NONE, rq->stream,
		    NGHTTP2_PROTOCOL_ERROR);
}

/* ---- what comes ---- */

static bool
is_flood(struct http_conn *c, const nghttp2_frame *frame)
{
	struct h2 *h = c->h2;
	uint64_t now = loop_now_ms(c->srv->loop);

	if (now - h->since_ms >= COUNT_MS) {
		h->since_ms = now;
		h->controls = h->resets = 0;
	}
	switch (frame->hd.type) {
	case NGHTTP2_RST_STREAM:
		h->resets++;
		break;
	case NGHTTP2_DATA:
		h->controls += frame->hd.length == 0 && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0;
		break;
	case NGHTTP2_HEADERS: case NGHTTP2_WINDOW_UPDATE:
		break;
	default:
		h->controls++;
	}
	return h->controls > CONTROLS_MAX || h->resets > RESETS_MAX;
}

static int
on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http_conn *c = arg;
	struct http_request *rq = request_of(c, frame->hd.stream_id);

	c->h2->flooded |= is_flood(c, frame);
	if (rq == NULL || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		rq->body_ended = true;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		head_came(c, rq);
	return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t len,
    void *arg)
{
	struct http_request *rq = request_of(arg, stream);

	/* The connection's window is not what bounds memory: a stream's is. */
	nghttp2_session_consume_connection(session, len);
	if (rq != NULL && !rq->answered && !rq->body_told)
		buf_add(&rq->incoming, data, len);
	return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *arg)
{
	struct http_request *rq = request_of(arg, stream);

	if (rq == NULL)
		return 0;
	if (rq->answered && code == NGHTTP2_NO_ERROR)
		http_request_done(rq);
	else
		http_request_kill(rq);
	http_kick(arg);
	return 0;
}

/* ---- what goes ---- */

static ssize_t
on_read(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room, uint32_t *flags,
    nghttp2_data_source *source, void *arg)
{
	struct http_request *rq = request_of(arg, stream);
	size_t n;

	if (rq == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = rq->out.len < room ? rq->out.len : room;
	if (n == 0 && !rq->ended)
		return NGHTTP2_ERR_DEFERRED;
	if (n > 0)
		memcpy(to, rq->out.data, n);
	buf_drop(&rq->out, n);
	rq->sent += n;
	if (rq->ended && rq->out.len == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* Answered whole, and the client still sends: it need not. */
static int
on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http_request *rq = request_of(arg, frame->hd.stream_id);

	if (rq != NULL && !rq->body_ended && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
	    (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, rq->stream, NGHTTP2_NO_ERROR);
	return 0;
}

static bool
send_some(struct http_conn *c)
{
	const uint8_t *p;
	bool any = false;

	while (!conn_full(c->net)) {
		ssize_t n = nghttp2_session_mem_send(c->h2->session, &p);

		if (n <= 0)
			break;
		buf_add(conn_out(c->net), p, (size_t)n);
		any = true;
	}
	return any;
}

#define NV(n, v) { (uint8_t *)(n).p, (uint8_t *)(v).p, (n).len, (v).len, NGHTTP2_NV_FLAG_NONE }

static void
h2_head(struct http_request *rq)
{
	nghttp2_nv nv[64];
	nghttp2_data_provider provider = { .read_callback = on_read };
	char code[12];
	size_t n = 1;
	struct span rest = buf_span(&rq->fields_out), line;
	bool empty = rq->body_less || rq->out_length == 0;

	snprintf(code, sizeof(code), "%u", rq->code);
	nv[0] = (nghttp2_nv)NV(SPAN_LIT(":status"), span_str(code));
	for (size_t i = 0, name = 1; i < rq->fields_out.len; i++) {
		char *p = &rq->fields_out.data[i];

		name = *p == ':' ? 0 : *p == '\n' ? 1 : name;
		if (name)
			*p = ascii_lower(*p);
	}
	while (rest.len > 0 && n < ARRAY_LEN(nv)) {
		struct span value = span_trim(span_cut(&rest, '\n'));

		line = span_cut(&value, ':');
		value = span_trim(value);
		nv[n++] = (nghttp2_nv)NV(line, value);
	}
	nghttp2_submit_response(rq->c->h2->session, rq->stream, nv, n, empty ? NULL : &provider);
	http_kick(rq->c);
}

static void
h2_pump(struct http_request *rq)
{
	nghttp2_session_resume_data(rq->c->h2->session, rq->stream);
	http_kick(rq->c);
}

static void
h2_abort(struct http_request *rq)
{
	nghttp2_submit_rst_stream(rq->c->h2->session, NGHTTP2_FLAG_NONE, rq->stream,
	    NGHTTP2_INTERNAL_ERROR);
	http_kick(rq->c);
}

static void
h2_wanted(struct http_request *rq)
{
}

/* ---- the work of a round ---- */

static bool
has_input(const struct http_request *rq)
{
	if (!http_body_wanted(rq))
		return false;
	return rq->incoming.len > 0 || rq->body_ended ||
	    (rq->mode == BODY_WHOLE && rq->length > 0 && (uint64_t)rq->length > rq->max);
}

static void
feed(struct http_request *rq)
{
	struct buf piece = rq->incoming;
	struct http_conn *c = rq->c;
	int32_t stream = rq->stream;

	rq->incoming = (struct buf){ 0 };
	http_body_feed(rq, buf_span(&piece), rq->body_ended);
	if (c->h2 != NULL)
		nghttp2_session_consume_stream(c->h2->session, stream, piece.len);
	buf_fini(&piece);
}

/* true: something was done, look at all of them again: a callback may have changed the list. */
static bool
work_once(struct http_conn *c)
{
	struct list *n, *tmp;

	list_each(n, tmp, &c->requests) {
		struct http_request *rq = list_entry(n, struct http_request, in);

		if (rq->head_whole && !rq->shown) {
			http_request_ready(rq);
			http_request_show(rq);
			return true;
		}
		if (rq->answered)
			continue;
		if (rq->shown && has_input(rq)) {
			feed(rq);
			return true;
		}
		if (rq->was_full && rq->out.len <= HTTP_OUT_LOW && rq->drained != NULL) {
			rq->was_full = false;
			rq->drained(rq, rq->drained_arg);
			return true;
		}
	}
	return false;
}

static void
say_goodbye(struct http_conn *c, uint32_t code)
{
	struct h2 *h = c->h2;

	if (h == NULL || h->said_goodbye)
		return;
	h->said_goodbye = true;
	nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(h->session), code, NULL, 0);
}

static bool
open_session(struct http_conn *c)
{
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;
	nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, c->srv->conf->max_streams },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_MAX },
	};
	struct h2 *h = mem_zalloc(sizeof(*h));

	c->h2 = h;
	h->since_ms = loop_now_ms(c->srv->loop);
	if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&option) != 0)
		abort();		/* for want of memory only */
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	if (nghttp2_session_server_new2(&h->session, cb, c, option) != 0)
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
	nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
	return true;
}

static bool
take_input(struct http_conn *c)
{
	struct buf *in = conn_in(c->net);
	ssize_t n;

	if (in->len == 0)
		return true;
	n = nghttp2_session_mem_recv(c->h2->session, (const uint8_t *)in->data, in->len);
	if (n > 0)
		buf_drop(in, (size_t)n);
	if (c->h2->flooded) {
		LOG(&c->log, WARN, "http.flood", KV_UINT("controls", c->h2->controls),
		    KV_UINT("resets", c->h2->resets));
		say_goodbye(c, NGHTTP2_ENHANCE_YOUR_CALM);
		return false;
	}
	if (n < 0)
		LOG(&c->log, DEBUG, "http.refused", KV_STR("why", nghttp2_strerror((int)n)));
	return n >= 0;
}

static void
h2_run(struct http_conn *c)
{
	if (c->h2 == NULL)
		open_session(c);
	if (conn_paused(c->net))
		conn_resume(c->net);
	/* A client that does not take our answers need not be listened to. */
	if (conn_full(c->net)) {
		conn_pause(c->net);
		return;
	}
	if (!take_input(c)) {
		send_some(c);
		http_end(c);
		return;
	}
	do {
		while (!c->ending && work_once(c))
			;
	} while (!c->ending && send_some(c));
	if (c->ending)
		return;
	if (c->last && !c->h2->said_goodbye) {
		say_goodbye(c, NGHTTP2_NO_ERROR);
		send_some(c);
	}
	if ((c->last && list_empty(&c->requests)) ||
	    (nghttp2_session_want_read(c->h2->session) == 0 &&
	    nghttp2_session_want_write(c->h2->session) == 0))
		http_end(c);
}

static void
h2_drained(struct http_conn *c)
{
	http_kick(c);
}

static void
h2_goodbye(struct http_conn *c, unsigned code)
{
	if (c->h2 == NULL)
		return;
	say_goodbye(c, NGHTTP2_NO_ERROR);
	send_some(c);
}

static void
h2_fini(struct http_conn *c)
{
	if (c->h2 == NULL)
		return;
	nghttp2_session_del(c->h2->session);
	mem_free(&c->h2);
}

const struct http_engine http_engine_2 = {
	.head = h2_head, .pump = h2_pump, .abort = h2_abort, .wanted = h2_wanted, .run = h2_run,
	.drained = h2_drained, .goodbye = h2_goodbye, .fini = h2_fini
};
