/* What only the bytes of messages tell: they are asked for in order, and looked at in slices. */
#include "storage/client/searcher_priv.h"

#include "common/util/clock.h"
#include "common/util/mem.h"

#define BODY_BUDGET	(256u << 10)
#define FEED		1024u		/* stored bytes unpacked at once: some frames at most */

/* A piece in the queue, in front of its bytes. */
struct queued {
	uint32_t	uid;
	bool		last;
	size_t		len, at;
};

static void
end_reading(struct searcher *s)
{
	search_scan_free(&s->scan);
	body_reader_free(&s->reader);
	buf_clear(&s->raw);
	s->raw_at = 0;
	s->over = s->reading;
	s->reading = 0;
	s->finishing = false;
}

/* All that matters of it was seen. */
static void
judge_scan(struct searcher *s)
{
	struct search_message m = { .has = SEARCH_HAS_TEXT, .hits = search_scan_hits(s->scan) };
	struct mime_list list;

	if (search_scan_list(s->scan, &list)) {
		m.has |= SEARCH_HAS_LIST;
		m.list = &list;
	}
	searcher_judge(s, searcher_row(s, s->reading), s->reading, &m);
	end_reading(s);
}

static void
begin_reading(struct searcher *s, uint32_t uid)
{
	const struct store_row *row = searcher_row(s, uid);

	s->reading = uid;
	/* no more than was counted when it came, whatever it unpacks to */
	s->reader = body_reader_new(0, row != NULL ? row->size : STORE_SIZE_MAX);
	s->scan = search_scan_new(s->p, (s->p->needs & SEARCH_HAS_LIST) != 0);
}

/* Raw bytes that are there go to the scan; whole: there are no others.  false: the slice is
 * over. */
static bool
scan_raw(struct searcher *s, bool whole, uint64_t until_us)
{
	while (s->reading != 0) {
		if (clock_mono_us() >= until_us)
			return false;
		if (!search_scan_look(s->scan))
			continue;
		if (s->finishing || search_scan_enough(s->scan)) {
			judge_scan(s);
			break;
		}
		if (s->raw_at < s->raw.len) {
			struct span piece = span_sub(buf_span(&s->raw), s->raw_at, SEARCH_SCAN_PIECE);

			s->raw_at += piece.len;
			search_scan_feed(s->scan, piece);
		} else if (whole) {
			s->finishing = true;
			search_scan_finish(s->scan);
		} else {
			break;
		}
	}
	buf_clear(&s->raw);
	s->raw_at = 0;
	return true;
}

/* The head of the queue, until q->at is its end.  false: the slice is over. */
static bool
look_at_piece(struct searcher *s, struct queued *q, struct span data, uint64_t until_us)
{
	if (s->reading != 0 && s->reading != q->uid)	/* it ended before its time */
		end_reading(s);
	if (s->reading == 0 && s->over != q->uid && q->at == 0)
		begin_reading(s, q->uid);
	while (s->reading == q->uid) {
		struct span part = span_sub(data, q->at, FEED);

		if (!scan_raw(s, q->last && part.len == 0, until_us))
			return false;
		if (s->reading != q->uid || part.len == 0)
			break;
		q->at += part.len;
		if (body_reader_feed(s->reader, part, &s->raw) != ST_OK) {
			s->failed = ST_CORRUPT;
			break;
		}
	}
	q->at = q->len;
	return true;
}

static void
bodies_over(struct searcher *s)
{
	if (s->resume_uid != 0) {
		if (s->resume_uid == s->over) {
			uidset_remove_range(&s->bodies, 1, s->over);
			s->resume_uid = 0;
			s->resume_offset = 0;
		}
		searcher_ask_bodies(s);
		return;
	}
	uidset_clear(&s->bodies);
	searcher_next_group(s);
}

static void
look_on(struct searcher *s)
{
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;

	while (s->failed == ST_OK && s->queued_at < s->queue.len) {
		struct queued q;
		char *head = s->queue.data + s->queued_at;
		bool on;

		memcpy(&q, head, sizeof(q));
		on = look_at_piece(s, &q, span(head + sizeof(q), q.len), until_us);
		memcpy(head, &q, sizeof(q));
		if (!on) {
			searcher_later(s, look_on);
			return;
		}
		s->queued_at += sizeof(q) + q.len;
	}
	if (s->failed == ST_OK && s->more)
		return;		/* the next part wakes us */
	if (s->failed != ST_OK) {
		store_cancel(&s->call);
		searcher_finish(s);
		return;
	}
	buf_clear(&s->queue);
	s->queued_at = 0;
	bodies_over(s);
}

static void
queue_piece(struct searcher *s, const struct store_body_piece *p)
{
	struct queued q = { .uid = p->uid, .len = p->data.len,
	    .last = p->offset + p->data.len >= p->stored_size };

	if (s->queued_at == s->queue.len) {
		buf_clear(&s->queue);
		s->queued_at = 0;
	}
	buf_add(&s->queue, &q, sizeof(q));
	buf_add_span(&s->queue, p->data);
}

static void
on_bodies(void *arg, enum status st, bool more, const void *msg)
{
	struct searcher *s = arg;
	const struct store_body_is *is = msg;
	struct store_body_piece p;
	struct reader r;

	if (!more)
		s->call = NULL;
	s->more = more;
	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->pieces.p, is->pieces.len);
		while (is->pieces.len > 0 && get_store_body_piece(&r, &p))
			queue_piece(s, &p);
		s->resume_uid = is->resume_uid;
		s->resume_offset = is->resume_offset;
	} else if (st != ST_OK) {
		s->failed = st;
	}
	searcher_later(s, look_on);
}

void
searcher_ask_bodies(struct searcher *s)
{
	struct store_body rq = {
		.mailbox = s->job.mailbox, .offset = s->resume_offset, .budget = BODY_BUDGET
	};
	struct buf set = { 0 };

	if (s->resume_uid > 1)
		uidset_remove_range(&s->bodies, 1, s->resume_uid - 1);
	s->resume_uid = 0;
	if (uidset_empty(&s->bodies)) {
		searcher_next_group(s);
		return;
	}
	uidset_encode(&s->bodies, &set);
	rq.uids = buf_span(&set);
	s->call = store_do_body(s->job.store, &rq, on_bodies, s);
	buf_fini(&set);
}
