/* mailbox -> size of the message -> where the section lies -> its bytes.  What is decoded is read
 * twice: its length must be known before its first byte. */
#include "imapd/url_source.h"
#include "imapd/names.h"

#include "common/util/mem.h"
#include "common/mail/mailbox_name.h"
#include "common/proto/imap_print.h"
#include "imapd/fetch.h"

#define BUDGET (256u << 10)	/* of stored bytes in one request */

struct url_source {
	struct store			*store;		/* of the mailbox it names */
	struct imap_session		*session;
	const struct imap_url		*url;
	const struct url_source_ops	*ops;
	void				*arg;
	struct store_call		*call;		/* under way */
	struct loop_task		*task;		/* tells the end */
	bool				ended;
	enum status			end;
	uint64_t			mailbox;
	uint64_t			size;		/* of the message; 0: not there */
	struct buf			uids;		/* the one, encoded */
	struct buf			structure;	/* blob */
	struct mime_digest		*digest;	/* the blob is made from the bytes */
	struct mime_range		range;		/* of the section */
	struct buf			header;		/* of which fields are wanted */
	bool				filter;
	struct body_reader		*reader;
	/* of an authorized one */
	struct span			text;		/* the URL, judged with every question */
	struct url_want			want;
	uint32_t			part;		/* of the structure; for decoding and showing it */
	enum mime_coding		coding;
	struct mime_decoder		decoder;
	bool				counting;	/* the first of both ways through */
	bool				shown_decoded, nul;
	struct imap_decoded		decoded;
	uint64_t			skip, keep;	/* of decoded bytes */
	uint64_t			offset, left;
	bool				waiting;	/* for url_source_go_on() */
};

static void read_on(struct url_source *u);
static void on_structure_known(struct url_source *u);

static void
tell_end(void *arg)
{
	struct url_source *u = arg;

	u->ops->done(u->arg, u->end);
}

static void
end(struct url_source *u, enum status st)
{
	u->ended = true;
	u->end = st;
	loop_task_post(u->task);
}

/* ---- bytes ---- */

static void
start_reading(struct url_source *u, struct mime_range range)
{
	u->offset = 0;
	u->left = range.len;
	u->reader = body_reader_new(range.start, range.len);
	read_on(u);
}

/* What comes out of the decoder: counted, or given. */
static void
take_plain(struct url_source *u, struct span plain)
{
	uint64_t skip = u->skip < plain.len ? u->skip : plain.len, keep;
	struct span rest = span_sub(plain, (size_t)skip, plain.len);

	keep = u->keep < rest.len ? u->keep : rest.len;
	rest = span_sub(rest, 0, (size_t)keep);
	u->skip -= skip;
	u->keep -= keep;
	if (!u->counting) {
		if (rest.len > 0)
			u->ops->feed(u->arg, rest);
		return;
	}
	u->decoded.size += plain.len;
	for (size_t i = 0; i < plain.len; i++)
		u->decoded.lines += plain.p[i] == '\n';
	u->nul |= rest.len > 0 && memchr(rest.p, '\0', rest.len) != NULL;
}

static void
start_decoding(struct url_source *u, bool counting)
{
	u->counting = counting;
	u->skip = u->url->partial ? u->url->from : 0;
	u->keep = u->url->partial && u->url->length > 0 ? u->url->length : UINT64_MAX;
	mime_decoder_init(&u->decoder, u->coding);
	start_reading(u, u->range);
}

static void
all_decoded(struct url_source *u)
{
	struct fetch_item cut = { .partial = u->url->partial, .from = u->url->from,
		.length = u->url->length > 0 ? u->url->length : UINT64_MAX };
	uint64_t from = 0, len = u->decoded.size;
	struct buf plain = { 0 };
	bool counted = u->counting;

	mime_decoder_done(&u->decoder, &plain);
	take_plain(u, buf_span(&plain));
	buf_fini(&plain);
	mime_decoder_fini(&u->decoder);
	if (!counted) {
		end(u, ST_OK);
		return;
	}
	len = u->decoded.size;
	fetch_cut(&cut, &from, &len);
	u->ops->size(u->arg, len);
	if (u->want.data && len > 0)
		start_decoding(u, false);
	else
		end(u, ST_OK);
}

static void
give_header(struct url_source *u)
{
	const struct imap_url *url = u->url;
	struct fetch_item cut = { .partial = url->partial, .from = url->from,
		.length = url->length > 0 ? url->length : UINT64_MAX };
	struct buf fields = { 0 };
	uint64_t from = 0, len;

	fetch_filter_header(buf_span(&u->header), &url->section, &fields);
	len = fields.len;
	fetch_cut(&cut, &from, &len);
	u->nul = len > 0 && memchr(fields.data + from, '\0', (size_t)len) != NULL;
	u->ops->size(u->arg, len);
	if (len > 0 && u->want.data)
		u->ops->feed(u->arg, span_sub(buf_span(&fields), (size_t)from, (size_t)len));
	buf_fini(&fields);
	end(u, ST_OK);
}

static void
all_read(struct url_source *u)
{
	struct mime_digest_result d;

	body_reader_free(&u->reader);
	if (u->digest != NULL) {
		mime_digest_finish(u->digest, &d);
		buf_add_span(&u->structure, d.structure);
		mime_digest_free(&u->digest);
		on_structure_known(u);
	} else if (u->filter) {
		give_header(u);
	} else if (u->want.decode) {
		all_decoded(u);
	} else {
		end(u, ST_OK);
	}
}

static void
decode(struct url_source *u, struct span raw)
{
	struct buf plain = { 0 };

	mime_decoder_feed(&u->decoder, raw, &plain);
	take_plain(u, buf_span(&plain));
	buf_fini(&plain);
}

static void
take(struct url_source *u, struct span raw)
{
	if (u->digest != NULL)
		mime_digest_feed(u->digest, raw.p, raw.len);
	else if (u->filter)
		buf_add_span(&u->header, raw);
	else if (u->want.decode)
		decode(u, raw);
	else if (raw.len > 0)
		u->ops->feed(u->arg, raw);
	u->left -= raw.len < u->left ? raw.len : u->left;
}

static void
on_piece(void *arg, enum status st, bool more, const void *msg)
{
	struct url_source *u = arg;
	const struct store_body_is *is = msg;
	struct store_body_piece p;
	struct buf raw = { 0 };
	struct reader r;
	uint32_t resume = 0;

	if (!more)
		u->call = NULL;
	if (u->ended)
		return;
	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->pieces.p, is->pieces.len);
		while (st == ST_OK && is->pieces.len > 0 && get_store_body_piece(&r, &p))
			st = body_reader_feed(u->reader, p.data, &raw);
		if (st == ST_OK)
			take(u, buf_span(&raw));
		buf_fini(&raw);
		resume = is->resume_uid;
		u->offset = is->resume_offset;
	}
	if (st != ST_OK)
		end(u, st);
	else if (more)
		return;
	else if (u->left == 0)
		all_read(u);
	else if (resume == 0)
		end(u, body_reader_done(u->reader) ? ST_CORRUPT : ST_NOT_FOUND);
	else
		read_on(u);
}

static void
read_on(struct url_source *u)
{
	const struct store_body rq = { .mailbox = u->mailbox, .uids = buf_span(&u->uids),
		.offset = u->offset, .budget = BUDGET };
	const struct store_url_body url = { u->text, u->offset, BUDGET };

	u->waiting = u->digest == NULL && !u->counting && u->ops->full(u->arg);
	if (u->waiting)
		return;
	u->call = u->text.len > 0 ? store_do_url_body(u->store, &url, on_piece, u) :
	    store_do_body(u->store, &rq, on_piece, u);
}

void
url_source_go_on(struct url_source *u)
{
	if (u->waiting)
		read_on(u);
}

/* ---- where the section lies ---- */

static void
empty(struct url_source *u)
{
	u->ops->size(u->arg, 0);
	end(u, ST_OK);
}

/* The section's place is known. */
static void
on_range(struct url_source *u)
{
	const struct imap_url *url = u->url;
	struct fetch_item cut = { .partial = url->partial, .from = url->from,
		.length = url->length > 0 ? url->length : UINT64_MAX };

	u->filter = url->section.what == IMAP_SECTION_FIELDS ||
	    url->section.what == IMAP_SECTION_FIELDS_NOT;
	if (u->filter && u->range.len > URL_HEADER_MAX) {
		end(u, ST_LIMIT);
		return;
	}
	if (u->want.decode && !u->filter) {
		if (u->coding == MIME_CODING_UNKNOWN)
			end(u, ST_UNSUPPORTED);
		else if (u->range.len == 0)
			empty(u);
		else
			start_decoding(u, true);
		return;
	}
	if (!u->filter) {
		fetch_cut(&cut, &u->range.start, &u->range.len);
		u->ops->size(u->arg, u->range.len);
	}
	if (u->range.len == 0 || (!u->want.data && !u->filter))
		end(u, ST_OK);
	else
		start_reading(u, u->range);
}

/* Which part the section belongs to, and how its bytes are encoded. */
static void
find_part(struct url_source *u, const struct mime_structure *st)
{
	const struct imap_section *sec = &u->url->section;
	struct mime_part_view part;

	u->coding = MIME_CODING_BINARY;
	if (!mime_structure_find(st, sec->parts, sec->n_parts, &u->part))
		return;
	mime_structure_part(st, u->part, &part);
	if (sec->what == IMAP_SECTION_TEXT && part.at.kind == MIME_MESSAGE)
		mime_structure_part(st, part.at.first, &part);
	if (part.at.kind == MIME_LEAF && (sec->what == IMAP_SECTION_TEXT ||
	    (sec->what == IMAP_SECTION_ALL && sec->n_parts > 0)))
		u->coding = part.coding;
	u->shown_decoded = u->want.decode && sec->what == IMAP_SECTION_ALL &&
	    (u->coding == MIME_CODING_BASE64 || u->coding == MIME_CODING_QP);
}

static void
on_structure_known(struct url_source *u)
{
	struct mime_structure st;
	bool found;

	if (mime_structure_open(buf_span(&u->structure), &st) != ST_OK) {
		end(u, ST_CORRUPT);
		return;
	}
	found = fetch_section_range(&st, &u->url->section, &u->range);
	if (found)
		find_part(u, &st);
	mime_structure_close(&st);
	if (!found || u->range.start > u->size || u->range.len > u->size - u->range.start)
		end(u, ST_NOT_FOUND);
	else
		on_range(u);
}

static void
on_cache(void *arg, enum status st, bool more, const void *msg)
{
	struct url_source *u = arg;
	const struct store_cache_is *is = msg;
	struct store_cache c;
	struct reader r;

	if (st == ST_OK && is != NULL && is->entries.len > 0) {
		reader_init(&r, is->entries.p, is->entries.len);
		if (get_store_cache(&r, &c)) {
			buf_clear(&u->structure);
			buf_add_span(&u->structure, c.structure);
		}
	}
	if (more)
		return;
	u->call = NULL;
	if (st != ST_OK) {
		end(u, st);
	} else if (u->structure.len > 0) {
		on_structure_known(u);
	} else {
		u->digest = mime_digest_new(0);
		start_reading(u, (struct mime_range){ 0, u->size });
	}
}

/* ---- the message ---- */

/* All that the store tells of an authorized one. */
static void
on_found(void *arg, enum status st, bool more, const void *msg)
{
	struct url_source *u = arg;
	const struct store_url_found *is = msg;
	const struct imap_section *sec = &u->url->section;

	if (st == ST_OK && is != NULL) {
		u->size = is->size;
		buf_add_span(&u->structure, is->structure);
	}
	if (more)
		return;
	u->call = NULL;
	u->range = (struct mime_range){ 0, u->size };
	if (st != ST_OK || u->size == 0) {
		end(u, st != ST_OK ? st : ST_NOT_FOUND);
	} else if (sec->what == IMAP_SECTION_ALL && sec->n_parts == 0 && !u->want.structure) {
		u->coding = MIME_CODING_BINARY;
		on_range(u);
	} else if (u->structure.len > 0) {
		on_structure_known(u);
	} else {
		u->digest = mime_digest_new(0);
		start_reading(u, u->range);
	}
}

static void
on_row(void *arg, enum status st, bool more, const void *msg)
{
	struct url_source *u = arg;
	const struct store_rows_are *are = msg;
	const struct imap_section *sec = &u->url->section;
	struct store_cache_get rq = { .mailbox = u->mailbox, .uids = buf_span(&u->uids),
		.want = CACHE_STRUCTURE };
	struct store_row row;
	struct reader r;

	if (st == ST_OK && are != NULL && are->rows.len > 0) {
		reader_init(&r, are->rows.p, are->rows.len);
		if (get_store_row(&r, &row, ROW_SIZE))
			u->size = row.size;
	}
	if (more)
		return;
	u->call = NULL;
	u->range = (struct mime_range){ 0, u->size };
	if (st != ST_OK || u->size == 0)
		end(u, st != ST_OK ? st : ST_NOT_FOUND);
	else if (sec->what == IMAP_SECTION_ALL && sec->n_parts == 0)
		on_range(u);
	else
		u->call = store_do_cache(u->store, &rq, on_cache, u);
}

static void
ask_row(struct url_source *u)
{
	struct store_rows rq = { .mailbox = u->mailbox, .uids = buf_span(&u->uids),
		.fields = ROW_SIZE };

	u->call = store_do_rows(u->store, &rq, on_row, u);
}

static void
on_mailbox(void *arg, enum status st, bool more, const void *msg)
{
	struct url_source *u = arg;
	const struct store_mailboxes *part = msg;
	struct store_mailbox m;
	struct reader r;

	if (st == ST_OK && part != NULL && part->list.len > 0) {
		reader_init(&r, part->list.p, part->list.len);
		if (get_store_mailbox(&r, &m) &&
		    (u->url->uidvalidity == 0 || u->url->uidvalidity == m.uidvalidity))
			u->mailbox = m.id;
	}
	if (more)
		return;
	u->call = NULL;
	if (st != ST_OK || u->mailbox == 0)
		end(u, st != ST_OK ? st : ST_NOT_FOUND);
	else
		ask_row(u);
}

/* The path of a URL that is relative to the selected mailbox (RFC 3986 §5.2.3). */
static void
put_path(const struct url_source *u, struct buf *out)
{
	const struct imap_view *v = u->session->view;

	if (u->url->relative && v != NULL) {
		buf_add_span(out, mailbox_name_parent(buf_span(&v->path)));
		if (out->len > 0)
			buf_add_c(out, MAILBOX_DELIMITER);
	}
	buf_add_span(out, u->url->mailbox);
}

struct url_source *
url_source_new(struct imap_session *s, const struct imap_url *url,
    const struct url_source_ops *ops, void *arg)
{
	struct url_source *u = mem_zalloc(sizeof(*u));
	struct uidset uids = { 0 };
	struct buf path = { 0 };

	*u = (struct url_source){ .session = s, .url = url, .ops = ops, .arg = arg,
		.want.data = true };
	u->task = loop_task_new(s->srv->loop, tell_end, u);
	uidset_add(&uids, url->uid);
	uidset_encode(&uids, &u->uids);
	uidset_fini(&uids);
	put_path(u, &path);
	u->store = s->store;
	if (path.len > 0) {
		struct store_list rq = { .path = buf_span(&path) };

		u->store = imap_route(s, &rq.path);

		if (mailbox_name_valid(rq.path))
			u->call = store_do_list(u->store, &rq, on_mailbox, u);
		else
			end(u, ST_NOT_FOUND);
	} else if (s->view != NULL &&
	    (url->uidvalidity == 0 || url->uidvalidity == s->view->uidvalidity)) {
		u->mailbox = s->view->mailbox;
		ask_row(u);
	} else {
		end(u, ST_NOT_FOUND);
	}
	buf_fini(&path);
	return u;
}

struct url_source *
url_source_new_authorized(struct imap_session *s, struct store *at, const struct imap_url *url,
    struct span text, struct url_want want, const struct url_source_ops *ops, void *arg)
{
	const struct store_url_find rq = { text };
	struct url_source *u = mem_zalloc(sizeof(*u));

	*u = (struct url_source){ .session = s, .url = url, .ops = ops, .arg = arg, .store = at,
		.text = text, .want = want };
	u->task = loop_task_new(s->srv->loop, tell_end, u);
	u->call = store_do_url_find(at, &rq, on_found, u);
	return u;
}

void
url_source_put_structure(const struct url_source *u, struct buf *out)
{
	struct mime_structure st;

	if (mime_structure_open(buf_span(&u->structure), &st) != ST_OK) {
		buf_add_str(out, "NIL");
		return;
	}
	imap_put_part(out, &st, u->part, u->shown_decoded ? &u->decoded : NULL);
	mime_structure_close(&st);
}

bool
url_source_has_nul(const struct url_source *u)
{
	return u->nul;
}

void
url_source_free(struct url_source **up)
{
	struct url_source *u = *up;

	if (u == NULL)
		return;
	store_cancel(&u->call);
	loop_task_free(&u->task);
	mime_digest_free(&u->digest);
	body_reader_free(&u->reader);
	mime_decoder_fini(&u->decoder);
	buf_fini(&u->uids);
	buf_fini(&u->structure);
	buf_fini(&u->header);
	mem_free(up);
}
