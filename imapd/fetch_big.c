/* Large messages: each body item is one way through the stored body, or two when the
 * length of what is decoded must be known first. */
#include "imapd/fetch.h"

#include "common/proto/imap_print.h"
#include "common/util/mem.h"

#define PASS_BUDGET (256u << 10)

static void next_item(struct imap_cmd *cmd);
static void ask(struct imap_cmd *cmd);

static void
sink_decoded(struct imap_cmd *cmd, struct span plain)
{
	struct fetch_pass *p = &((struct fetch *)cmd->data)->pass;
	uint64_t skip = p->skip < plain.len ? p->skip : plain.len;
	uint64_t keep;

	p->count += plain.len;
	p->skip -= skip;
	plain = span_sub(plain, (size_t)skip, plain.len);
	keep = p->keep < plain.len ? p->keep : plain.len;
	p->keep -= keep;
	if (p->sink == SINK_DECODED)
		buf_add_span(imap_out(cmd->session), span_sub(plain, 0, (size_t)keep));
}

static void
sink(struct imap_cmd *cmd, struct span raw)
{
	struct fetch *f = cmd->data;
	struct buf plain = { 0 };

	switch (f->pass.sink) {
	case SINK_OUT:
		imap_put_literal_bytes(imap_out(cmd->session), raw);
		break;
	case SINK_RAW:
		buf_add_span(&f->raw, raw);
		break;
	case SINK_DIGEST:
		mime_digest_feed(f->digest, raw.p, raw.len);
		break;
	case SINK_COUNT:
	case SINK_DECODED:
		mime_decoder_feed(&f->pass.decoder, raw, &plain);
		sink_decoded(cmd, buf_span(&plain));
		buf_fini(&plain);
		break;
	}
	f->pass.left -= raw.len < f->pass.left ? raw.len : f->pass.left;
}

static void
pass_done(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;
	struct buf plain = { 0 };

	body_reader_free(&f->pass.reader);
	if (f->pass.sink == SINK_COUNT || f->pass.sink == SINK_DECODED) {
		mime_decoder_done(&f->pass.decoder, &plain);
		sink_decoded(cmd, buf_span(&plain));
		buf_fini(&plain);
	}
	f->pass.done(cmd);
}

static void
on_piece(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct fetch *f = cmd->data;
	const struct store_body_is *is = msg;
	struct store_body_piece p;
	struct buf raw = { 0 };
	struct reader r;
	uint32_t resume = 0;

	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->pieces.p, is->pieces.len);
		while (is->pieces.len > 0 && get_store_body_piece(&r, &p)) {
			if (body_reader_feed(f->pass.reader, p.data, &raw) != ST_OK)
				f->failed = ST_CORRUPT;
		}
		sink(cmd, buf_span(&raw));
		buf_fini(&raw);
		resume = is->resume_uid;
		f->pass.offset = is->resume_offset;
	}
	if (more)
		return;
	if (st != ST_OK)
		f->failed = st;
	if (f->failed == ST_OK && (f->pass.left == 0 || body_reader_done(f->pass.reader))) {
		if (f->pass.left > 0) {
			f->failed = ST_CORRUPT;
			fetch_abort(cmd);
		} else {
			pass_done(cmd);
		}
	} else if (f->failed == ST_OK && resume != 0) {
		ask(cmd);
	} else {
		if (f->failed == ST_OK)
			f->failed = ST_CORRUPT;
		fetch_abort(cmd);
	}
}

static void
ask(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;
	struct store_body rq = {
		.mailbox = cmd->session->view->mailbox, .offset = f->pass.offset,
		.budget = PASS_BUDGET
	};
	struct uidset uids = { 0 };
	struct buf set = { 0 };

	if (conn_full(cmd->session->conn)) {
		cmd->drained = ask;
		return;
	}
	uidset_add(&uids, f->rows[f->at].row.uid);
	uidset_encode(&uids, &set);
	rq.uids = buf_span(&set);
	store_do_body(cmd->session->store, &rq, on_piece, cmd);
	buf_fini(&set);
	uidset_fini(&uids);
}

static void
start_pass(struct imap_cmd *cmd, uint64_t from, uint64_t len, enum fetch_sink to,
    void (*done)(struct imap_cmd *cmd))
{
	struct fetch *f = cmd->data;

	f->pass.sink = to;
	f->pass.done = done;
	f->pass.offset = 0;
	f->pass.left = len;
	f->pass.count = 0;
	if (len == 0) {
		done(cmd);
		return;
	}
	f->pass.reader = body_reader_new(from, len);
	ask(cmd);
}

/* ---- items ---- */

static const struct fetch_item *
item_of(const struct fetch *f)
{
	return &f->items[f->item];
}

static void
item_done(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;

	f->item++;
	next_item(cmd);
}

static void
header_read(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;
	struct buf *out = imap_out(cmd->session);
	struct buf header = { 0 };
	uint64_t from = 0, len;

	fetch_filter_header(buf_span(&f->raw), &item_of(f)->sec, &header);
	buf_fini(&f->raw);
	len = header.len;
	fetch_cut(item_of(f), &from, &len);
	fetch_put_literal(out, len, false);
	imap_put_literal_bytes(out, span_sub(buf_span(&header), (size_t)from, (size_t)len));
	buf_fini(&header);
	item_done(cmd);
}

static void
counted(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;
	const struct fetch_item *it = item_of(f);
	uint64_t from = 0, len = f->pass.count;
	enum mime_coding coding;
	struct mime_range range;

	mime_decoder_fini(&f->pass.decoder);
	if (it->kind == FETCH_BINARY_SIZE) {
		buf_add_u64(imap_out(cmd->session), len);
		item_done(cmd);
		return;
	}
	fetch_cut(it, &from, &len);
	fetch_put_literal(imap_out(cmd->session), len, true);
	if (len == 0 || !fetch_range(f, &f->rows[f->at], it, &range, &coding)) {
		item_done(cmd);
		return;
	}
	mime_decoder_init(&f->pass.decoder, coding);
	f->pass.skip = from;
	f->pass.keep = len;
	start_pass(cmd, range.start, range.len, SINK_DECODED, item_done);
}

static void
body_item(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;
	const struct fetch_item *it = item_of(f);
	struct buf *out = imap_out(cmd->session);
	enum mime_coding coding;
	struct mime_range range;

	fetch_put_label(it, out);
	buf_add_c(out, ' ');
	if (!fetch_range(f, &f->rows[f->at], it, &range, &coding)) {
		buf_add_str(out, it->kind == FETCH_BINARY_SIZE ? "0" : "NIL");
		item_done(cmd);
	} else if (coding == MIME_CODING_UNKNOWN) {
		f->unknown_cte = true;
		buf_add_str(out, it->kind == FETCH_BINARY ? "NIL" : "0");
		item_done(cmd);
	} else if (it->kind != FETCH_BODY) {
		mime_decoder_init(&f->pass.decoder, coding);
		f->pass.skip = UINT64_MAX;
		f->pass.keep = 0;
		start_pass(cmd, range.start, range.len, SINK_COUNT, counted);
	} else if (it->sec.what == IMAP_SECTION_FIELDS || it->sec.what == IMAP_SECTION_FIELDS_NOT) {
		buf_clear(&f->raw);
		start_pass(cmd, range.start, range.len, SINK_RAW, header_read);
	} else {
		fetch_cut(it, &range.start, &range.len);
		fetch_put_literal(out, range.len, false);
		start_pass(cmd, range.start, range.len, SINK_OUT, item_done);
	}
}

static void
message_done(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct fetch *f = cmd->data;
	const struct fetch_row *r = &f->rows[f->at];

	fetch_put_seen(s, f, r, imap_out(s));
	buf_add_str(imap_out(s), ")\r\n");
	f->told++;
	s->n_fetched++;
	f->at = f->group_end;
	fetch_next_group(cmd);
}

static void
next_item(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct fetch *f = cmd->data;
	size_t before;

	while (f->item < f->n_items) {
		if (f->item > 0)
			buf_add_c(imap_out(s), ' ');
		if (item_of(f)->kind >= FETCH_BODY) {
			body_item(cmd);
			return;
		}
		before = imap_out(s)->len;
		fetch_put_item(s, f, &f->rows[f->at], item_of(f), imap_out(s));
		/* Annotations that come to nothing: they are behind the others. */
		if (imap_out(s)->len == before && f->item > 0)
			buf_cut(imap_out(s), before - 1);
		else if (imap_out(s)->len == before)
			buf_addf(imap_out(s), "UID %u", f->rows[f->at].row.uid);
		f->item++;
	}
	message_done(cmd);
}

static void
start_items(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;

	if (f->digest != NULL)
		fetch_keep_digest(f, &f->rows[f->at]);
	f->item = 0;
	fetch_put_head(cmd->session, f->rows[f->at].row.uid, imap_out(cmd->session));
	next_item(cmd);
}

void
fetch_big(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;
	const struct fetch_row *r = &f->rows[f->at];

	if (imap_view_seq(cmd->session->view, r->row.uid) == 0) {
		f->at = f->group_end;
		fetch_next_group(cmd);
	} else if (f->cache != 0 && fetch_lacks_blobs(f, r)) {
		f->digest = mime_digest_new(0);
		start_pass(cmd, 0, r->row.size, SINK_DIGEST, start_items);
	} else {
		start_items(cmd);
	}
}
