/* BODY and TEXT by the texts that the store keeps of messages (doc/search.md).  Messages whose text
 * it has not are looked at as if nobody had asked: by their bytes. */
#include "storage/client/searcher_priv.h"

#include "common/mime/text.h"
#include "common/util/clock.h"
#include "common/util/mem.h"

#define JUDGED 256u	/* messages between two looks at the clock */

/* Texts are mapped by i;unicode-casemap; an empty needle is in every message, with or without. */
static bool
usable(const struct searcher *s)
{
	unsigned n = 0;

	if (!(s->p->needs & SEARCH_HAS_TEXT) || s->p->collation != SEARCH_UNICODE_CASEMAP)
		return false;
	for (unsigned i = 0; i < s->p->n_slots; i++) {
		const struct search_node *node = s->p->slots[i];

		if (node->op == SEARCH_HEADER)
			continue;
		if (node->text.len == 0 || node->text.len > STORE_NEEDLE_MAX)
			return false;
		n++;
	}
	return n > 0 && n <= STORE_NEEDLES_MAX;
}

static void
clear(struct searcher_texts *t)
{
	uidset_clear(&t->wanted);
	uidset_clear(&t->known);
	uidset_clear(&t->settled);
	for (unsigned i = 0; i < STORE_NEEDLES_MAX; i++) {
		uidset_clear(&t->header[i]);
		uidset_clear(&t->body[i]);
	}
	t->asked = false;
}

void
searcher_texts_begin(struct searcher *s)
{
	clear(&s->texts);
	if (!usable(s))
		s->texts.asked = true;
}

bool
searcher_texts_first(const struct searcher *s)
{
	return !s->texts.asked && !s->job.modseqs && s->p->columns == 0 &&
	    !(s->p->needs & SEARCH_HAS_ROW);
}

void
searcher_texts_hits(struct searcher *s, uint32_t uid, struct search_message *m)
{
	struct searcher_texts *t = &s->texts;

	if (m->hits != NULL || !uidset_has(&t->known, uid))
		return;
	memset(t->hits, 0, s->p->n_slots);
	for (unsigned i = 0; i < t->n; i++) {
		if (uidset_has(&t->header[i], uid))
			t->hits[t->slot[i]] = SEARCH_HIT_HEADER;
		else if (uidset_has(&t->body[i], uid))
			t->hits[t->slot[i]] = SEARCH_HIT_BODY;
	}
	m->hits = t->hits;
	m->has |= SEARCH_HAS_PLAIN;
}

static void
take_set(struct span encoded, struct uidset *set)
{
	struct reader r;

	reader_init(&r, encoded.p, encoded.len);
	if (encoded.len > 0)
		(void)uidset_decode(set, &r, SIZE_MAX);
}

/* Those of uids that are known and settled go into t->settled. */
static void
judge_known(struct searcher *s)
{
	struct searcher_texts *t = &s->texts;
	uint64_t until_us = clock_mono_us() + SEARCH_SLICE_US;
	uint32_t n = 0;

	while ((t->at = uidset_next(&t->known, t->at)) != 0) {
		struct search_message m = { 0 };

		if (searcher_judge(s, searcher_row(s, t->at), t->at, &m) != SEARCH_UNKNOWN)
			uidset_add(&t->settled, t->at);
		if (++n % JUDGED == 0 && clock_mono_us() >= until_us) {
			searcher_later(s, judge_known);
			return;
		}
	}
	t->then(s);
}

static void
on_found(void *arg, enum status st, bool more, const void *msg)
{
	struct searcher *s = arg;
	struct searcher_texts *t = &s->texts;
	const struct store_text_found *is = msg;

	if (!more)
		s->call = NULL;
	if (is != NULL && more && is->needle < t->n) {
		take_set(is->header, &t->header[is->needle]);
		take_set(is->body, &t->body[is->needle]);
	}
	if (more)
		return;
	/* Whatever is wrong: the bytes tell. */
	if (st == ST_OK && is != NULL) {
		struct uidset missing = { 0 };

		take_set(is->missing, &missing);
		uidset_copy(&t->known, &t->wanted);
		uidset_remove_set(&t->known, &missing);
		uidset_fini(&missing);
	}
	t->at = 0;
	searcher_later(s, judge_known);
}

static void
ask(struct searcher *s, void (*then)(struct searcher *s))
{
	struct searcher_texts *t = &s->texts;
	struct store_text_find rq = { .mailbox = s->job.mailbox, .version = MIME_TEXT_VERSION };
	struct buf set = { 0 }, needles = { 0 };

	t->asked = true;
	t->then = then;
	t->n = 0;
	if (t->hits == NULL)
		t->hits = mem_zalloc(s->p->n_slots);
	for (unsigned i = 0; i < s->p->n_slots; i++) {
		const struct search_node *node = s->p->slots[i];

		if (node->op == SEARCH_HEADER)
			continue;
		put_store_needle(&needles,
		    &(struct store_needle){ node->op == SEARCH_BODY, node->text });
		t->slot[t->n++] = i;
	}
	uidset_encode(&t->wanted, &set);
	rq.uids = buf_span(&set);
	rq.needles = buf_span(&needles);
	s->call = store_do_text_find(s->job.store, &rq, on_found, s);
	buf_fini(&set);
	buf_fini(&needles);
}

static void
first_known(struct searcher *s)
{
	uidset_remove_set(&s->chunk, &s->texts.settled);
	s->chunk_asked = false;
	s->texts.rest(s);
}

void
searcher_texts_ask_first(struct searcher *s, void (*rest)(struct searcher *s))
{
	s->texts.rest = rest;
	s->chunk_asked = true;
	uidset_copy(&s->texts.wanted, &s->chunk);
	ask(s, first_known);
}

/* Of what is known and not settled the columns may settle more. */
static void
open_known(struct searcher *s)
{
	struct searcher_texts *t = &s->texts;

	uidset_remove_set(&s->open, &t->settled);
	uidset_remove_set(&s->listed, &t->settled);
	uidset_copy(&s->chunk, &t->known);
	uidset_remove_set(&s->chunk, &t->settled);
	if (s->p->columns == 0 || uidset_empty(&s->chunk)) {
		searcher_next_group(s);
		return;
	}
	uidset_remove_set(&s->open, &s->chunk);
	uidset_remove_set(&s->listed, &s->chunk);
	s->chunk_asked = true;
	s->resume_uid = 0;
	searcher_ask_columns(s);
}

void
searcher_texts_ask_open(struct searcher *s)
{
	struct searcher_texts *t = &s->texts;

	uidset_copy(&t->wanted, &s->open);
	uidset_add_set(&t->wanted, &s->listed);
	if (uidset_empty(&t->wanted))
		searcher_next_group(s);
	else
		ask(s, open_known);
}

void
searcher_texts_fini(struct searcher *s)
{
	struct searcher_texts *t = &s->texts;

	uidset_fini(&t->wanted);
	uidset_fini(&t->known);
	uidset_fini(&t->settled);
	for (unsigned i = 0; i < STORE_NEEDLES_MAX; i++) {
		uidset_fini(&t->header[i]);
		uidset_fini(&t->body[i]);
	}
	mem_free(&t->hits);
}
