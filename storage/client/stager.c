#include "storage/client/stager.h"

#include "common/util/mem.h"

#define UNANSWERED_MAX	4		/* chunks on their way */

/* A chunk on its way.  Refusals overtake those that wait for the journal. */
struct chunk {
	struct stager		*stager;
	struct store_call	*call;		/* NULL: free */
};

struct stager {
	struct store		*store;
	uint32_t		stage;
	const struct stager_ops	*ops;
	void			*arg;
	struct buf		out;		/* stored bytes not yet sent */
	struct chunk		chunks[UNANSWERED_MAX];
	unsigned		unanswered;
	bool			staged, finished, told;
	enum status		st;
};

struct stager *
stager_new(struct store *store, uint32_t stage, const struct stager_ops *ops, void *arg)
{
	struct stager *s = mem_zalloc(sizeof(*s));

	s->store = store;
	s->stage = stage;
	s->ops = ops;
	s->arg = arg;
	return s;
}

void
stager_free(struct stager **sp)
{
	struct stager *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	for (size_t i = 0; i < UNANSWERED_MAX; i++)
		store_cancel(&s->chunks[i].call);
	if (s->staged)
		store_stage_free(s->store, s->stage);
	buf_fini(&s->out);
	mem_free(&s);
}

static void on_chunk(void *arg, enum status st, bool more, const void *msg);

static struct chunk *
free_chunk(struct stager *s)
{
	size_t i = 0;

	while (s->chunks[i].call != NULL)
		i++;
	s->chunks[i].stager = s;
	return &s->chunks[i];
}

static void
send_chunks(struct stager *s, size_t keep)
{
	while (s->out.len > keep && s->unanswered < UNANSWERED_MAX && s->st == ST_OK) {
		size_t n = s->out.len < STORE_CHUNK_MAX ? s->out.len : STORE_CHUNK_MAX;
		struct store_stage rq = { s->stage, 0, span(s->out.data, n) };
		struct chunk *k = free_chunk(s);

		s->staged = true;
		s->unanswered++;
		k->call = store_do_stage(s->store, &rq, on_chunk, k);
		buf_drop(&s->out, n);
	}
}

/* What comes behind the last chunk finds all of them, answered or not. */
static bool
is_settled(const struct stager *s)
{
	return s->st == ST_OK ? !s->staged || s->out.len == 0 : s->unanswered == 0;
}

static void
on_chunk(void *arg, enum status st, bool more, const void *msg)
{
	struct chunk *k = arg;
	struct stager *s = k->stager;

	k->call = NULL;
	s->unanswered--;
	if (st != ST_OK && s->st == ST_OK)
		s->st = st;
	if (s->st != ST_OK)
		buf_fini(&s->out);
	else
		send_chunks(s, s->finished ? 0 : STORE_INLINE_MAX);
	if (!s->finished) {
		s->ops->room(s->arg);
	} else if (!s->told && is_settled(s)) {
		s->told = true;
		s->ops->done(s->arg, s->st);
	}
}

struct buf *
stager_out(struct stager *s)
{
	return &s->out;
}

void
stager_push(struct stager *s)
{
	if (s->st != ST_OK)
		buf_clear(&s->out);	/* refused: the rest is nobody's */
	else
		send_chunks(s, STORE_INLINE_MAX);
}

bool
stager_busy(const struct stager *s)
{
	return s->unanswered == UNANSWERED_MAX && s->out.len > STORE_CHUNK_MAX;
}

bool
stager_finish(struct stager *s)
{
	s->finished = true;
	if (s->st == ST_OK && (s->staged || s->out.len > STORE_INLINE_MAX))
		send_chunks(s, 0);
	s->told = is_settled(s);
	return s->told;
}

enum status
stager_status(const struct stager *s)
{
	return s->st;
}

void
stager_item(const struct stager *s, struct store_append_item *it)
{
	it->stage = s->staged ? s->stage : 0;
	it->body = s->staged ? SPAN_NONE : buf_span(&s->out);
}
