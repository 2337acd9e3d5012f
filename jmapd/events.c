/* EventSource (RFC 8620 §7.3): an answer without an end, in which states are told as they change.
 * Its ids are all the states, so that a client that comes back is told at once what it missed. */
#include "common/proto/http.h"
#include "common/util/mem.h"
#include "jmapd/states.h"

#define PING_MIN_S	5u
#define PING_MAX_S	900u

struct events {
	struct jmap_exchange	*x;
	struct jmap_sub		sub;
	struct loop_timer	*ping;
	uint32_t		ping_s;		/* 0: none */
	bool			close_after, greeted;
};

static void
events_ended(struct jmap_exchange *x)
{
	struct events *e = x->state;

	jmap_sub_end(&e->sub);
	loop_timer_free(&e->ping);
	mem_free(&e);
	x->session->pushes--;
}

bool
jmap_push_allowed(struct jmap_exchange *x)
{
	if (x->session->pushes < x->srv->conf->max_push_connections)
		return true;
	jmap_exchange_problem(x, 429, "Too Many Requests",
	    "Too many streams of events and WebSockets of this login are open.");
	return false;
}

static void
ping_later(struct events *e)
{
	if (e->ping_s > 0)
		loop_timer_set(e->ping, (uint64_t)e->ping_s * 1000);
}

static void
on_ping(void *arg)
{
	struct events *e = arg;
	struct buf out = { 0 };

	buf_addf(&out, "event: ping\ndata: {\"interval\":%u}\n\n", (unsigned)e->ping_s);
	/* one that takes nothing has enough to read */
	if (!http_reply_full(e->x->rq))
		http_reply_write(e->x->rq, buf_span(&out));
	buf_fini(&out);
	ping_later(e);
}

static void
put_id(const struct jmap_known *k, struct buf *out)
{
	buf_add_str(out, "id: ");
	jmap_known_put(k, out);
	buf_add_str(out, "\n");
}

/* An id alone is no event, but where the client would go on from (HTML, 9.2.6). */
static void
greet(struct events *e)
{
	struct buf out = { 0 };

	e->greeted = true;
	put_id(&e->sub.known, &out);
	buf_add_str(&out, "\n");
	http_reply_write(e->x->rq, buf_span(&out));
	buf_fini(&out);
}

static void
on_news(struct jmap_sub *sub)
{
	struct events *e = list_entry(sub, struct events, sub);
	struct jmap_exchange *x = e->x;
	struct buf json = { 0 }, out = { 0 };
	bool any = false;

	if (!e->greeted)
		greet(e);
	if (!http_reply_full(x->rq))
		any = jmap_sub_put(sub, false, &json);
	if (any) {
		buf_add_str(&out, "event: state\n");
		put_id(&sub->known, &out);
		buf_add_str(&out, "data: ");
		buf_add_span(&out, buf_span(&json));
		buf_add_str(&out, "\n\n");
		http_reply_write(x->rq, buf_span(&out));
		ping_later(e);
	}
	buf_fini(&json);
	buf_fini(&out);
	if (any && e->close_after) {
		http_reply_end(x->rq);
		jmap_exchange_done(x);
	}
}

/* What changed while the client took nothing. */
static void
on_drained(struct http_request *rq, void *arg)
{
	struct events *e = arg;

	if (e->sub.began)
		on_news(&e->sub);
}

/* ---- the request ---- */

static unsigned
read_types(struct span text)
{
	unsigned bits = 0;

	if (span_eq_str(text, "*") || text.len == 0)
		return PUSH_ALL;
	while (text.len > 0)
		bits |= push_type_bit(span_cut(&text, ','));
	return bits;
}

/* false: a value that is none. */
static bool
read_query(struct events *e)
{
	struct span query = http_query(e->x->rq), value = SPAN_NONE;
	struct buf types = { 0 };
	uint64_t ping = 0;
	bool good;

	if (http_query_get(query, "types", &value))
		http_unescape(value, &types);
	e->sub.types = read_types(buf_span(&types));
	buf_fini(&types);
	value = SPAN_LIT("no");
	(void)http_query_get(query, "closeafter", &value);
	e->close_after = span_eq_str(value, "state");
	good = e->close_after || span_eq_str(value, "no") || value.len == 0;
	if (http_query_get(query, "ping", &value) && value.len > 0)
		good = good && span_u64(value, &ping);
	e->ping_s = ping == 0 ? 0 : ping < PING_MIN_S ? PING_MIN_S : ping > PING_MAX_S ?
	    PING_MAX_S : (uint32_t)ping;
	return good;
}

static void
begin(struct events *e)
{
	struct jmap_exchange *x = e->x;
	struct span last;

	if (http_header(x->rq, "Last-Event-ID", &last))
		e->sub.resumes = jmap_known_parse(last, &e->sub.known);
	e->sub.news = on_news;
	http_field_add_str(x->rq, "Cache-Control", "no-cache, no-store");
	/* proxies that gather answers are told not to */
	http_field_add_str(x->rq, "X-Accel-Buffering", "no");
	http_on_drained(x->rq, on_drained, e);
	http_reply_begin(x->rq, 200, "text/event-stream", HTTP_UNKNOWN);
	http_reply_endless(x->rq);
	e->ping = loop_timer_new(x->srv->loop, on_ping, e);
	ping_later(e);
	jmap_sub_begin(x->session, &e->sub);
}

void
jmap_events(struct jmap_exchange *x)
{
	struct events *e;

	if (!jmap_push_allowed(x))
		return;
	e = mem_zalloc(sizeof(*e));
	e->x = x;
	x->state = e;
	x->ended = events_ended;
	x->session->pushes++;
	if (!read_query(e)) {
		jmap_exchange_problem(x, 400, "Bad Request",
		    "closeafter is \"state\" or \"no\", ping a number of seconds.");
	} else if (http_head_only(x->rq)) {
		http_reply(x->rq, 200, "text/event-stream", SPAN_NONE);
		jmap_exchange_done(x);
	} else {
		begin(e);
	}
}
