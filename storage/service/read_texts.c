/* Which messages hold a needle: their ids are read in parts, then helper threads look through the
 * texts, then the answer goes out in parts.  Some searches run at a time; those of other accounts go
 * before further ones of an account that has one under way. */
#include "storage/service/service_priv.h"

#include <stdlib.h>

#include "common/util/mem.h"

#define FINDS_MAX	16u		/* under way; each may hold some MiB */
#define ROWS_PART	(24u << 10)	/* bytes of rows that are read at once */
#define MESSAGES_MAX	(256u << 10)	/* of one request */

enum find_state { FIND_NEW, FIND_WAITS, FIND_ROWS, FIND_RUNS, FIND_ANSWERS };

struct text_find {
	enum find_state		state;
	struct service		*svc;
	struct text_wanted	*wanted;	/* until the search has it */
	size_t			n, room;
	struct text_needle	needles[STORE_NEEDLES_MAX];
	size_t			n_needles;
	struct buf		bytes;		/* of the needles */
	struct text_search	*search;
	struct texts_search	*running;
	uint8_t			answered;	/* needles */
};

/* Turns ------------------------------------------------------------------------------- */

static bool
has_one_running(const struct request *rq)
{
	struct list *n, *tmp;

	for (n = rq->account->channels.next; n != &rq->account->channels; n = n->next) {
		const struct channel *c = list_entry(n, struct channel, node);

		for (tmp = c->requests.next; tmp != &c->requests; tmp = tmp->next) {
			const struct request *other = list_entry(tmp, struct request, chan_node);

			if (other->find != NULL && other->find->state >= FIND_ROWS)
				return true;
		}
	}
	return false;
}

static void
next_turn(struct service *svc)
{
	struct request *best = NULL;

	for (struct list *n = svc->finds.next; n != &svc->finds; n = n->next) {
		struct request *rq = list_entry(n, struct request, node);

		if (best == NULL)
			best = rq;
		if (!has_one_running(rq)) {
			best = rq;
			break;
		}
	}
	if (best == NULL)
		return;
	list_remove(&best->node);
	best->find->state = FIND_NEW;
	read_begin(best);
}

void
text_find_cancel(struct text_find *f)
{
	if (f->running != NULL)
		texts_cancel(f->running);
}

void
text_find_free(struct text_find **fp)
{
	struct text_find *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	if (f->state >= FIND_ROWS) {
		f->svc->n_finds--;
		next_turn(f->svc);
	}
	mem_free(&f->wanted);
	text_search_free(&f->search);
	buf_fini(&f->bytes);
	mem_free(&f);
}

/* Asking ------------------------------------------------------------------------------ */

static bool
take_needles(struct text_find *f, struct span needles)
{
	struct store_needle n;
	struct reader r;
	size_t at = 0;

	reader_init(&r, needles.p, needles.len);
	while (get_store_needle(&r, &n)) {
		if (f->n_needles == STORE_NEEDLES_MAX)
			return false;
		f->needles[f->n_needles++] = (struct text_needle){ n.body_only, n.text };
		buf_add_span(&f->bytes, n.text);
	}
	for (size_t i = 0; i < f->n_needles; i++) {
		f->needles[i].text = span_sub(buf_span(&f->bytes), at, f->needles[i].text.len);
		at += f->needles[i].text.len;
	}
	return reader_done(&r) && f->n_needles > 0;
}

static bool
take_uids(struct request *rq, struct span uids)
{
	struct reader r;

	reader_init(&r, uids.p, uids.len);
	return uidset_decode(&rq->set, &r, STORE_RANGES_MAX) && reader_done(&r);
}

static enum text_find_step
over(struct request *rq, enum status st)
{
	request_answer(rq, service_judge(rq->svc, st, rq->m->name), 0, NULL);
	return TEXT_FIND_DONE;
}

static bool
keep_rows(struct text_find *f, const struct buf *rows)
{
	struct store_row row;
	struct reader r;

	reader_init(&r, rows->data, rows->len);
	while (get_store_row(&r, &row, ROW_IDS)) {
		if (f->n == MESSAGES_MAX)
			return false;
		if (f->n == f->room) {
			f->room = f->room > 0 ? f->room * 2 : 64;
			f->wanted = mem_realloc_array(f->wanted, f->room, sizeof(*f->wanted));
		}
		f->wanted[f->n++] = (struct text_wanted){ .message = row.message, .uid = row.uid };
	}
	return true;
}

static void
searched(void *arg, bool good)
{
	struct request *rq = arg;
	struct text_find *f = rq->find;

	rq->busy = false;
	f->running = NULL;
	f->state = FIND_ANSWERS;
	if (rq->chan == NULL)
		request_free(rq);
	else
		read_begin(rq);
}

static enum text_find_step
read_ids(struct request *rq, const struct store_text_find *msg)
{
	struct text_find *f = rq->find;
	struct buf out = { 0 };
	enum status st = state_rows(rq->svc->state, rq->account->id, msg->mailbox, &rq->set,
	    ROW_IDS, ROWS_PART, &rq->resume, &out);

	if (st == ST_OK && !keep_rows(f, &out))
		st = ST_LIMIT;
	buf_fini(&out);
	if (st != ST_OK)
		return over(rq, st);
	if (rq->resume != 0)
		return TEXT_FIND_MORE;
	f->search = text_search_new(f->needles, f->n_needles, msg->version, f->wanted, f->n);
	f->wanted = NULL;
	f->state = FIND_RUNS;
	rq->busy = true;
	f->running = texts_search(rq->svc->texts, rq->account->id, f->search, searched, rq);
	return TEXT_FIND_BUSY;
}

/* Answering ----------------------------------------------------------------------------- */

static void
send(struct request *rq, bool more, const struct store_text_found *msg)
{
	if (more)
		ipc_reply_more(rq->chan->peer->ipc, &rq->head, STORE_TEXT_FOUND, msg);
	else
		request_answer(rq, ST_OK, STORE_TEXT_FOUND, msg);
}

static void
encode(struct uidset *set, struct buf *out, struct span *to)
{
	uidset_encode(set, out);
	*to = buf_span(out);
	uidset_fini(set);
}

static void
tell_needle(struct request *rq)
{
	struct text_find *f = rq->find;
	struct store_text_found msg = { .needle = f->answered };
	struct uidset header = { 0 }, body = { 0 };
	struct buf header_bytes = { 0 }, body_bytes = { 0 };
	size_t n;
	const struct text_wanted *w = text_search_wanted(f->search, &n);

	for (size_t i = 0; i < n; i++) {
		if (w[i].known && (w[i].header >> f->answered & 1))
			uidset_add(&header, w[i].uid);
		else if (w[i].known && (w[i].body >> f->answered & 1))
			uidset_add(&body, w[i].uid);
	}
	encode(&header, &header_bytes, &msg.header);
	encode(&body, &body_bytes, &msg.body);
	send(rq, true, &msg);
	buf_fini(&header_bytes);
	buf_fini(&body_bytes);
	f->answered++;
}

static enum text_find_step
tell_missing(struct request *rq, uint64_t mailbox)
{
	struct text_find *f = rq->find;
	struct store_text_found msg = { .needle = f->answered };
	struct uidset missing = { 0 }, none = { 0 };
	struct buf bytes = { 0 };
	size_t n;
	const struct text_wanted *w = text_search_wanted(f->search, &n);

	for (size_t i = 0; i < n; i++) {
		if (!w[i].known)
			uidset_add(&missing, w[i].uid);
		if (!w[i].known && !w[i].there)
			uidset_add(&none, w[i].uid);
	}
	texts_missing(rq->svc->texts, rq->account->id, mailbox, &none);
	uidset_fini(&none);
	encode(&missing, &bytes, &msg.missing);
	send(rq, false, &msg);
	buf_fini(&bytes);
	return TEXT_FIND_DONE;
}

enum text_find_step
text_find_step(struct request *rq, const struct store_text_find *msg)
{
	struct service *svc = rq->svc;
	struct text_find *f = rq->find;

	if (f == NULL) {
		f = rq->find = mem_zalloc(sizeof(*f));
		f->svc = svc;
		if (!take_uids(rq, msg->uids) || !take_needles(f, msg->needles))
			return over(rq, ST_SYNTAX);
	}
	switch (f->state) {
	case FIND_NEW:
		if (svc->n_finds >= FINDS_MAX) {
			f->state = FIND_WAITS;
			list_push_back(&svc->finds, &rq->node);
			return TEXT_FIND_BUSY;
		}
		svc->n_finds++;
		f->state = FIND_ROWS;
		return TEXT_FIND_MORE;
	case FIND_ROWS:
		return read_ids(rq, msg);
	case FIND_ANSWERS:
		if (f->answered < f->n_needles) {
			tell_needle(rq);
			return TEXT_FIND_MORE;
		}
		return tell_missing(rq, msg->mailbox);
	default:
		return over(rq, ST_BUG);
	}
}
