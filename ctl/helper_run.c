/* The helper's own side: reads what it is sent to its end, again and again, and says what it
 * finds.  All that it meets may be hostile. */
#include "ctl/helper.h"

#include <unistd.h>

#include "common/transfer/archive.h"
#include "common/transfer/mbox.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "ctl/helper_priv.h"
#include "storage/client/body.h"
#include "storage/client/packer.h"

struct run {
	int			in, out;
	enum helper_mode	mode;
	size_t			left;		/* of the record being read */
	bool			end, gone;	/* of the input at hand; for ever */
	struct buf		record;
	/* the message at hand */
	struct packer		*packer;
	struct buf		stored;
	struct transfer_crlf	crlf;
	struct buf		clean;
};

static void
say(struct run *h, enum helper_kind kind, struct span data)
{
	buf_clear(&h->record);
	helper_put(&h->record, (char)kind, data);
	if (!h->gone && !fd_write_full(h->out, h->record.data, h->record.len))
		h->gone = true;
}

/* Bytes of the input at hand; transfer_source. */
static ssize_t
take(void *arg, void *p, size_t n)
{
	struct run *h = arg;
	char head[HELPER_HEAD];
	ssize_t r;

	while (h->left == 0) {
		if (h->end || h->gone)
			return 0;
		if (!fd_read_full(h->in, head, sizeof(head))) {
			h->gone = h->end = true;
			return 0;
		}
		h->left = get_be32(head + 1);
		h->end = head[0] == HELPER_IN_END;
	}
	r = read(h->in, p, n < h->left ? n : h->left);
	if (r <= 0) {
		h->gone = h->end = true;
		return 0;
	}
	h->left -= (size_t)r;
	return r;
}

/* Into the store ---------------------------------------------------------------------- */

static void
tell_stored(struct run *h)
{
	if (h->stored.len > 0)
		say(h, HELPER_STORED, buf_span(&h->stored));
	buf_clear(&h->stored);
}

static void
on_folder(void *arg, const struct transfer_folder *f)
{
	struct run *h = arg;
	struct buf b = { 0 };

	put_transfer_folder(&b, f);
	say(h, HELPER_FOLDER, buf_span(&b));
	buf_fini(&b);
}

static void
on_begin(void *arg)
{
	struct run *h = arg;

	packer_free(&h->packer);
	h->packer = packer_new(0);
	buf_clear(&h->stored);
	say(h, HELPER_BEGIN, SPAN_NONE);
}

static void
on_data(void *arg, struct span raw)
{
	struct run *h = arg;

	packer_feed(h->packer, raw, &h->stored);
	if (h->stored.len >= HELPER_PIECE)
		tell_stored(h);
}

static void
on_drop(void *arg, const char *why)
{
	struct run *h = arg;

	packer_free(&h->packer);
	say(h, HELPER_DROP, span_str(why));
}

static void
on_end(void *arg, const struct transfer_message *m)
{
	struct run *h = arg;
	struct store_append_item it;
	struct buf b = { 0 };

	packer_finish(h->packer, &h->stored, &it);
	if (it.size == 0) {
		on_drop(h, "an empty message");
	} else if (it.size > STORE_SIZE_MAX) {
		on_drop(h, "a message too large to be kept");
	} else if (m->summed && !span_eq(it.sha256, span(m->sha256, sizeof(m->sha256)))) {
		on_drop(h, "a message that is not what it was: its SHA-256 differs");
	} else {
		tell_stored(h);
		it.stage = 1;		/* the body is elsewhere; where is not ours to say */
		put_transfer_message(&b, m);
		put_store_append_item(&b, &it);
		say(h, HELPER_MESSAGE, buf_span(&b));
	}
	packer_free(&h->packer);
	buf_fini(&b);
}

static const struct transfer_ops ops = { on_folder, on_begin, on_data, on_end, on_drop };

/* A file with one message. */
static bool
one_message(struct run *h, const struct transfer_source *source)
{
	struct transfer_message m = { 0 };
	char some[32768];
	ssize_t n;

	transfer_message_clear(&m);
	h->crlf = (struct transfer_crlf){ 0 };
	on_begin(h);
	while ((n = source->read(source->arg, some, sizeof(some))) > 0) {
		buf_clear(&h->clean);
		transfer_crlf_feed(&h->crlf, span(some, (size_t)n), &h->clean);
		on_data(h, buf_span(&h->clean));
	}
	on_end(h, &m);
	transfer_message_fini(&m);
	return true;
}

/* Out of the store ----------------------------------------------------------------- */

static bool
unpack(struct run *h, const struct transfer_source *source)
{
	struct body_reader *r = body_reader_new(0, 0);
	struct buf raw = { 0 };
	char some[32768];
	enum status st = ST_OK;
	ssize_t n;

	while ((n = source->read(source->arg, some, sizeof(some))) > 0) {
		struct span stored = span(some, (size_t)n);

		while (st == ST_OK && stored.len > 0) {
			st = body_reader_take(r, &stored, HELPER_PIECE, &raw);
			if (raw.len > 0)
				say(h, HELPER_RAW, buf_span(&raw));
			buf_clear(&raw);
			if (body_reader_done(r))
				break;
		}
	}
	if (st == ST_OK && !body_reader_done(r))
		st = ST_CORRUPT;
	body_reader_free(&r);
	buf_fini(&raw);
	return st == ST_OK;
}

static bool
one_input(struct run *h)
{
	const struct transfer_source source = { take, h };

	switch (h->mode) {
	case HELPER_MBOX:
		return mbox_read(&source, &ops, h);
	case HELPER_ARCHIVE:
		return archive_read(&source, &ops, h);
	case HELPER_UNPACK:
		return unpack(h, &source);
	default:
		return one_message(h, &source);
	}
}

int
helper_run(enum helper_mode mode, int in, int out)
{
	struct run h = { .in = in, .out = out, .mode = mode };
	char rest[8192];

	while (!h.gone) {
		char good;

		h.end = false;
		good = one_input(&h);
		while (take(&h, rest, sizeof(rest)) > 0)
			;			/* what nobody wanted to read */
		if (!h.gone)
			say(&h, HELPER_DONE, span(&good, 1));
	}
	packer_free(&h.packer);
	buf_fini(&h.record);
	buf_fini(&h.stored);
	buf_fini(&h.clean);
	return 0;
}
