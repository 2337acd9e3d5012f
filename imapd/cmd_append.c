/* APPEND, with MULTIAPPEND (RFC 3502), BINARY (RFC 3516), CATENATE (RFC 4469) and UIDPLUS;
 * REPLACE (RFC 8508).
 *
 * A message's literal streams through the digest and the body writer as it comes, and so
 * do the parts of CATENATE; what is more than a small body is staged with the store
 * meanwhile.  Nothing is added before the last message is here.
 *
 * The command's text comes in chunks, each up to a literal that is streamed; a chunk is
 * worked off part by part (work_off()), waiting where a URL's bytes are fetched. */
#include "imapd/limits.h"
#include "imapd/notify.h"
#include "imapd/sync.h"
#include "imapd/names.h"

#include "common/mime/digest.h"
#include "common/proto/imap_columns.h"
#include "common/proto/imap_url.h"
#include "common/util/mem.h"
#include "imapd/url_source.h"
#include "storage/client/body.h"

#define STAGE_PENDING_MAX	4		/* chunks that the store has not taken yet */
#define INLINE_ALL_MAX		(1u << 20)	/* bodies of one command inside the request */
#define ITEMS_BYTES_MAX		(3u << 20)	/* of the request's list */
#define ITEMS_MAX		500
#define NOT_ACROSS		"NO [CANNOT] A message is replaced within its account"
#define SKIP_MAX		(16u << 20)	/* a refused literal that is still swallowed */

/* What the grammar expects next (RFC 4466 §3, RFC 4469 §5). */
enum expect { EXPECT_MESSAGE, EXPECT_FIRST_PART, EXPECT_PART };

/* How far a message's header was looked through. */
enum header_at { HEADER_LINE, HEADER_IN_LINE, HEADER_CR, HEADER_OVER };

/* What stands next in the text. */
enum part {
	PART_LITERAL,		/* a message's, at the end of this chunk */
	PART_CATENATE,		/* "CATENATE (" */
	PART_TEXT,		/* a literal inside of it, at the end of this chunk */
	PART_URL,
	PART_URL_LITERAL,	/* a URL that comes as a literal, not here yet */
	PART_CLOSE,		/* ")" */
	PART_END,		/* of the command */
	PART_BAD
};

/* Messages that come from another account. */
struct across {
	struct buf		rows;
	struct reader		left;		/* of rows */
	struct store_row	row;		/* of the message that comes */
	struct body_reader	*reader;
	struct uidset		uids;		/* that came */
	uint64_t		offset;
	struct span		names[KEYWORD_MAX];	/* of its keywords */
	bool			move, waits;
};
#define ACROSS_FIELDS (ROW_FLAGS | ROW_SIZE | ROW_IDS)

struct appending {
	struct across		*across;	/* NULL: from the client */
	struct span		path;
	struct span		path_there;	/* as its store knows it */
	struct store		*store;		/* NULL: not looked up yet */
	bool			replace, catenate;	/* CATENATE is on */
	uint32_t		replaced;	/* uid */
	struct imap_args	args;		/* of the chunk */
	enum expect		expect;
	bool			final;		/* no literal behind this chunk */
	struct span		url_text;
	struct imap_url		url;
	struct url_source	*source;	/* its bytes are on their way */
	struct imap_flags	flags;		/* of the message that comes */
	int64_t			received_s;
	int16_t			received_zone;
	struct buf		keywords;	/* of all messages, put_store_keyword */
	struct span		names[KEYWORD_MAX];
	unsigned		n_keywords;
	struct buf		items;
	unsigned		n_items;
	size_t			inline_bytes;
	bool			checked, checking;	/* the mailbox is there */
	bool			binary;			/* the message is a literal8 */
	enum header_at		header;			/* of the message */
	struct mime_digest	*digest;
	struct body_writer	*writer;
	struct buf		stored;		/* of the message, not staged yet */
	uint32_t		stage;		/* 0: not begun */
	uint32_t		stages[ITEMS_MAX];
	unsigned		n_stages, pending;
	const char		*refused;	/* what the tagged line will say */
	enum status		failed;
	bool			whole;		/* the command's last line is here */
};

static void
message_release(struct appending *q)
{
	mime_digest_free(&q->digest);
	body_writer_free(&q->writer);
	buf_fini(&q->stored);
}

static void
append_release(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	if (q->across != NULL) {
		body_reader_free(&q->across->reader);
		buf_fini(&q->across->rows);
		uidset_fini(&q->across->uids);
	}
	for (unsigned i = 0; i < q->n_stages && q->store != NULL; i++)
		store_stage_free(q->store, q->stages[i]);
	url_source_free(&q->source);
	message_release(q);
	buf_fini(&q->keywords);
	buf_fini(&q->items);
}

/* Ends a command whose bytes are all here, or that need not be read to the end. */
static void
append_refuse(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	if (q->refused != NULL)
		imap_cmd_end(cmd, q->refused);
	else if (q->failed == ST_NOT_FOUND)
		imap_cmd_end(cmd, "NO [TRYCREATE] No such mailbox");
	else if (q->failed == ST_CONFLICT && q->replace)
		imap_cmd_end(cmd, "NO [EXPUNGEISSUED] The message to be replaced is gone");
	else
		imap_cmd_done(cmd, q->failed);
}

static bool
refused(const struct appending *q)
{
	return q->refused != NULL || q->failed != ST_OK;
}

/* ---- arguments ---- */

/* [SP flag-list] [SP date-time] SP, up to the literal or what stands for it. */
static void
read_message_args(struct imap_args *a, struct appending *q)
{
	imap_args_sp(a);
	q->flags = (struct imap_flags){ 0 };
	q->received_s = INT64_MIN;
	q->received_zone = 0;
	if (imap_args_peek(a, '(')) {
		imap_args_flags(a, false, &q->flags);
		for (size_t i = 0; i < q->flags.n_keywords; i++)
			q->flags.keywords[i] = arena_span(a->arena, q->flags.keywords[i]);
		imap_args_sp(a);
	}
	if (imap_args_peek(a, '"')) {
		imap_args_date_time(a, &q->received_s, &q->received_zone);
		imap_args_sp(a);
	}
}

static enum part
message_part(struct imap_args *a, struct appending *q)
{
	if (imap_args_at_end(a))
		return PART_END;
	read_message_args(a, q);
	if (imap_args_good(a) && imap_args_at_literal(a))
		return PART_LITERAL;
	if (q->catenate && imap_args_word(a, "CATENATE")) {
		imap_args_sp(a);
		imap_args_expect(a, '(');
		q->expect = EXPECT_FIRST_PART;
		return PART_CATENATE;
	}
	imap_args_fail(a, "A message is missing");
	return PART_BAD;
}

/* The next part of the text; moves a and q->expect on, nothing else. */
static enum part
next_part(struct imap_args *a, struct appending *q)
{
	if (!imap_args_good(a))
		return PART_BAD;
	if (q->expect == EXPECT_MESSAGE)
		return message_part(a, q);
	if (q->expect == EXPECT_PART && imap_args_try(a, ')')) {
		q->expect = EXPECT_MESSAGE;
		return PART_CLOSE;
	}
	if (q->expect == EXPECT_PART)
		imap_args_sp(a);
	q->expect = EXPECT_PART;
	if (imap_args_word(a, "TEXT")) {
		imap_args_sp(a);
		if (imap_args_good(a) && imap_args_at_literal(a))
			return PART_TEXT;
	} else if (imap_args_word(a, "URL")) {
		imap_args_sp(a);
		if (imap_args_good(a) && imap_args_at_literal(a))
			return PART_URL_LITERAL;
		q->url_text = imap_args_astring(a);
		return imap_args_good(a) ? PART_URL : PART_BAD;
	}
	imap_args_fail(a, "Malformed list of parts");
	return PART_BAD;
}

/* What a chunk comes to, without doing any of it. */
static enum part
look_through(struct imap_args a, const struct appending *q)
{
	struct appending copy = *q;
	enum part part;

	do {
		part = next_part(&a, &copy);
	} while (part == PART_CATENATE || part == PART_URL || part == PART_CLOSE);
	return imap_args_good(&a) ? part : PART_BAD;
}

static unsigned
keyword_bit(struct imap_cmd *cmd, struct appending *q, struct span name)
{
	unsigned i;

	for (i = 0; i < q->n_keywords; i++) {
		if (span_caseeq(q->names[i], name))
			return i;
	}
	if (i == KEYWORD_MAX)
		return i;
	q->names[i] = arena_span(&cmd->arena, name);
	put_store_keyword(&q->keywords, q->names[i]);
	return q->n_keywords++;
}

/* The store of the mailbox that is named. */
static struct store *
target(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	if (q->store == NULL) {
		q->path_there = q->path;
		q->store = imap_route(cmd->session, &q->path_there);
	}
	return q->store;
}

/* ---- staging ---- */

static void append_go_on(struct imap_cmd *cmd);
static void across_go_on(struct imap_cmd *cmd);
static void across_done(struct imap_cmd *cmd, const struct store_appended *a,
    const struct uidset *made);

static void
on_staged(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct appending *q = cmd->data;

	if (more)
		return;
	q->pending--;
	if (st != ST_OK && q->failed == ST_OK)
		q->failed = st;
	append_go_on(cmd);
}

/* Gives the store what has gathered: full chunks, or all. */
static void
stage_some(struct imap_cmd *cmd, bool all)
{
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;

	if (q->stage == 0) {
		if (q->n_stages == ITEMS_MAX) {
			q->refused = "NO [LIMIT] Too many messages at once";
			return;
		}
		q->stage = ++s->next_stage;
		q->stages[q->n_stages++] = q->stage;
	}
	while (q->stored.len >= STORE_CHUNK_MAX || (all && q->stored.len > 0)) {
		struct store_stage rq = { .stage = q->stage };

		rq.data = span_sub(buf_span(&q->stored), 0, STORE_CHUNK_MAX);
		store_do_stage(target(cmd), &rq, on_staged, cmd);
		q->pending++;
		buf_drop(&q->stored, rq.data.len);
	}
}

/* ---- one message ---- */

static void
message_begin(struct appending *q, uint64_t size)
{
	message_release(q);
	q->digest = mime_digest_new(0);
	q->writer = body_writer_new(SPAN_NONE, size);
	q->stage = 0;
	q->header = HEADER_LINE;
}

/* Room for that much more in the message?  false: refused. */
static bool
message_fits(struct imap_cmd *cmd, uint64_t more)
{
	struct appending *q = cmd->data;
	uint64_t max = cmd->session->srv->conf->max_append_bytes;
	uint64_t size = q->writer != NULL ? body_writer_size(q->writer) : 0;

	if (more > max || size > max - more)
		q->refused = "NO [TOOBIG] The message is too large";
	return !refused(q);
}

/* Goes on through the header; true: it is not ASCII. */
static bool
header_is_8bit(struct appending *q, struct span bytes)
{
	for (size_t i = 0; i < bytes.len && q->header != HEADER_OVER; i++) {
		unsigned char c = (unsigned char)bytes.p[i];

		if (c >= 0x80)
			return true;
		if (c == '\n')
			q->header = q->header == HEADER_IN_LINE ? HEADER_LINE : HEADER_OVER;
		else
			q->header = c == '\r' && q->header == HEADER_LINE ? HEADER_CR : HEADER_IN_LINE;
	}
	return false;
}

/* RFC 9755 §4: who enabled nothing means no UTF-8, and nothing else may stand there. */
static bool
header_must_be_ascii(const struct imap_session *s)
{
	return imap_cap_on(s, CAP_UTF8) && !s->utf8 && !s->srv->conf->append_8bit;
}

static void
message_feed(struct imap_cmd *cmd, struct span bytes)
{
	struct appending *q = cmd->data;

	if (refused(q))
		return;
	if (q->header != HEADER_OVER && header_must_be_ascii(cmd->session) &&
	    header_is_8bit(q, bytes)) {
		q->refused = "NO [CANNOT] A header that is not ASCII needs ENABLE UTF8=ACCEPT";
		return;
	}
	/* RFC 3516 §4.2: NUL only in a literal8. */
	if (!q->binary && memchr(bytes.p, '\0', bytes.len) != NULL) {
		q->refused = "NO [CANNOT] A message with NUL needs a literal8";
		return;
	}
	mime_digest_feed(q->digest, bytes.p, bytes.len);
	body_writer_feed(q->writer, bytes.p, bytes.len, &q->stored);
	if (q->stored.len > STORE_INLINE_MAX)
		stage_some(cmd, false);
}

static void
put_item(struct imap_cmd *cmd, const struct mime_digest_result *d)
{
	struct appending *q = cmd->data;
	unsigned char sha256[32], keys[MIME_THREAD_KEYS * 8];
	struct buf columns = { 0 };
	size_t n_keys = 0;
	struct store_append_item it = {
		.flags = flags_system(q->flags.system), .received_s = q->received_s,
		.received_zone = q->received_zone, .size = body_writer_size(q->writer),
		.list = d->list, .structure = d->structure, .subject_hash = d->subject_hash,
	 .stage = q->stage
	};

	if (q->across != NULL) {
		it.message = q->across->row.message;
		it.thread = q->across->row.thread;
	}
	for (size_t i = 0; i < q->flags.n_keywords; i++) {
		unsigned bit = keyword_bit(cmd, q, q->flags.keywords[i]);

		if (bit == KEYWORD_MAX)
			q->refused = "NO [LIMIT] Too many keywords";
		else
			flags_set_keyword(&it.flags, bit);
	}
	body_writer_sha256(q->writer, sha256);
	it.sha256 = span(sha256, sizeof(sha256));
	for (size_t i = 0; i < d->n_thread_keys; i++) {
		if (d->thread_keys[i] != 0)	/* 0: it has no id of its own */
			put_be64(keys + n_keys++ * 8, d->thread_keys[i]);
	}
	it.thread_keys = span(keys, n_keys * 8);
	if (it.list.len > STORE_CACHE_MAX)
		it.list = SPAN_NONE;
	if (it.structure.len > STORE_CACHE_MAX)
		it.structure = SPAN_NONE;
	imap_columns_make(d, &columns);
	it.columns = buf_span(&columns);
	if (q->stage == 0)
		it.body = buf_span(&q->stored);
	put_store_append_item(&q->items, &it);
	buf_fini(&columns);
}

static void
message_end(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;
	struct mime_digest_result d;

	if (!refused(q) && body_writer_size(q->writer) == 0)
		q->refused = "NO [CANNOT] A message must not be empty";
	if (!refused(q) && q->replace && q->n_items == 1)
		q->refused = "BAD One message is replaced by one";
	if (!refused(q)) {
		mime_digest_finish(q->digest, &d);
		body_writer_finish(q->writer, &q->stored);
		q->inline_bytes += q->stored.len;
		if (q->stage != 0 || q->stored.len > STORE_INLINE_MAX ||
		    q->inline_bytes > INLINE_ALL_MAX)
			stage_some(cmd, true);
		if (!refused(q))
			put_item(cmd, &d);
		if (q->items.len > ITEMS_BYTES_MAX || ++q->n_items == ITEMS_MAX)
			q->refused = "NO [LIMIT] Too many messages at once";
	}
	message_release(q);
}

/* ---- the end ---- */

static void
put_appenduid(const struct store_appended *a, const struct uidset *uids, const char *before,
    const char *behind, struct buf *out)
{
	buf_add_str(out, before);
	buf_add_u64(out, a->uidvalidity);
	buf_add_c(out, ' ');
	uidset_print(uids, out);
	buf_add_str(out, behind);
}

static void
on_appended(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;
	const struct store_appended *a = msg;
	struct uidset uids = { 0 };
	struct reader r;

	if (more)
		return;
	if (st != ST_OK || a == NULL) {
		q->failed = st != ST_OK ? st : ST_BUG;
		append_refuse(cmd);
		return;
	}
	s->n_appended += q->n_items;
	if (s->view != NULL && s->view->mailbox == a->mailbox)
		s->view->dirty = true;
	reader_init(&r, a->uids.p, a->uids.len);
	if (a->uids.len > 0 && uidset_decode(&uids, &r, SIZE_MAX))
		imap_notify_own(s, a->mailbox, &uids);
	if (!imap_cap_on(s, CAP_UIDPLUS) && q->across == NULL) {
		uidset_fini(&uids);
		imap_cmd_done(cmd, ST_OK);
		return;
	}
	if (q->across != NULL) {
		across_done(cmd, a, &uids);
	} else if (q->replace) {
		/* Told before the EXPUNGE of the old one (RFC 8508 §4.3). */
		put_appenduid(a, &uids, "* OK [APPENDUID ", "] Replacement ready\r\n", imap_out(s));
		s->view->dirty = true;
		imap_cmd_done(cmd, ST_OK);
	} else {
		buf_clear(&cmd->result);
		put_appenduid(a, &uids, "OK [APPENDUID ", "] APPEND completed", &cmd->result);
		imap_cmd_end_result(cmd);
	}
	uidset_fini(&uids);
}

/* All is read: asks when the store has taken every chunk. */
static void
append_commit(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;
	struct store *to = target(cmd);
	struct store_append rq = {
		.path = q->path_there, .keywords = buf_span(&q->keywords), .items = buf_span(&q->items)
	};

	if (q->replace && to != cmd->session->store) {
		if (!refused(q))
			q->refused = NOT_ACROSS;
	} else if (q->replace) {
		rq.replace_mailbox = cmd->session->view->mailbox;
		rq.replace_uid = q->replaced;
	}

	if (q->pending > 0)
		return;
	if (refused(q) || q->n_items == 0) {
		if (!refused(q))
			q->refused = "BAD A message is missing";
		append_refuse(cmd);
		return;
	}
	if (imap_limit_refuse(cmd, q->across != NULL ? 0 : q->n_items, imap_save_limit(cmd->session), NULL))
		return;
	store_do_append(to, &rq, on_appended, cmd);
	buf_fini(&q->items);
}

static void
append_go_on(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	if (q->whole)
		append_commit(cmd);
	else if (q->source != NULL)
		url_source_go_on(q->source);
	else if (q->across != NULL)
		across_go_on(cmd);
	else
		imap_session_kick(cmd->session);
}

/* ---- reading ---- */

static void
accept_literal(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;

	if (s->reader.literal.sync)
		buf_add_str(imap_out(s), "+ OK\r\n");
	q->binary = s->reader.literal.binary;
	if (q->expect == EXPECT_MESSAGE)
		message_begin(q, s->reader.literal.size);
	imap_reader_stream(&s->reader);
}

/* A literal that is not wanted: one that the client waits with ends the command here. */
static void
reject_literal(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;

	if (s->reader.literal.sync) {
		/* Chunks of the messages before it may still be on their way. */
		q->whole = true;
		cmd->input = NULL;
		append_commit(cmd);
	} else if (s->reader.literal.size > SKIP_MAX) {
		imap_session_bye(s, "[TOOBIG] The message is too large");
	} else {
		imap_reader_skip(&s->reader);
	}
}

/* The mailbox is there: does the message fit the quota? */
static void
on_quota(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;
	const struct store_quota_is *is = msg;
	uint64_t size = s->reader.literal.size;

	q->checking = false;
	if (st != ST_OK || is == NULL)
		q->failed = st != ST_OK ? st : ST_BUG;
	else if ((is->bytes_limit > 0 &&
	    (is->bytes > is->bytes_limit || size > is->bytes_limit - is->bytes)) ||
	    (is->messages_limit > 0 && is->messages >= is->messages_limit))
		q->failed = ST_OVER_QUOTA;
	if (refused(q))
		reject_literal(cmd);
	else
		accept_literal(cmd);
	if (!s->ending)
		imap_session_kick(s);
}

static void
on_checked(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;
	const struct store_mailboxes *part = msg;
	struct store_mailbox m;
	struct reader r;

	if (st == ST_OK && part != NULL && part->list.len > 0) {
		reader_init(&r, part->list.p, part->list.len);
		q->checked |= get_store_mailbox(&r, &m) && m.id != 0;
		if (q->checked && !(m.rights & RIGHT_INSERT))
			q->failed = ST_DENIED;
	}
	if (more)
		return;
	if (st != ST_OK)
		q->failed = st;
	else if (!q->checked)
		q->failed = ST_NOT_FOUND;
	/* What replaces a message is judged with what that one gives back, by the store. */
	if (!refused(q) && !q->replace && target(cmd) == s->home) {
		store_do_quota(s->home, on_quota, cmd);
		return;
	}
	q->checking = false;
	if (refused(q))
		reject_literal(cmd);
	else
		accept_literal(cmd);
	if (!s->ending)
		imap_session_kick(s);
}

/* Stands at a literal of the message, or of a part of it. */
static void
judge(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;
	uint64_t size = s->reader.literal.size;
	struct store_list rq = { .path = q->path };

	if (!refused(q))
		q->refused = imap_literal_refusal(s);
	if (!refused(q) && q->replace && target(cmd) != s->store)
		q->refused = NOT_ACROSS;
	if (!refused(q) && s->reader.literal.binary && !imap_cap_on(s, CAP_BINARY))
		q->refused = "BAD No literal8 here";
	if (!refused(q) && q->n_items > 0 && !imap_cap_on(s, CAP_MULTIAPPEND))
		q->refused = "BAD One message at a time";
	if (!refused(q) && message_fits(cmd, size) && size == 0 && q->expect == EXPECT_MESSAGE)
		q->refused = "NO [CANNOT] A message must not be empty";
	if (refused(q)) {
		reject_literal(cmd);
		return;
	}
	/* Nobody should send a large message for nothing. */
	if (!q->checked && (s->reader.literal.sync || size > STORE_INLINE_MAX)) {
		q->checking = true;
		imap_list(cmd, &rq, on_checked);
		return;
	}
	accept_literal(cmd);
}

/* ---- parts that are URLs ---- */

static void work_off(struct imap_cmd *cmd);

/* What a URL may not hold in a response code is shown encoded. */
static void
refuse_url(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;
	struct buf text = { 0 };

	buf_add_str(&text, "NO [BADURL ");
	for (size_t i = 0; i < q->url_text.len && i < IMAP_URL_MAX; i++) {
		unsigned char c = (unsigned char)q->url_text.p[i];

		if (c == ']' || c == '\r' || c == '\n' || c == 0)
			buf_addf(&text, "%%%02X", c);
		else
			buf_add_c(&text, (char)c);
	}
	buf_add_str(&text, "] There is nothing at this URL");
	q->refused = arena_strndup(&cmd->arena, text.data, text.len);
	buf_fini(&text);
}

static void
on_url_size(void *arg, uint64_t n)
{
	message_fits(arg, n);
}

static void
on_url_bytes(void *arg, struct span bytes)
{
	message_feed(arg, bytes);
}

static bool
on_url_full(void *arg)
{
	const struct appending *q = ((struct imap_cmd *)arg)->data;

	return q->pending >= STAGE_PENDING_MAX;
}

static void
on_url_done(void *arg, enum status st)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;

	url_source_free(&q->source);
	if (!refused(q) && (st == ST_NOT_FOUND || st == ST_LIMIT))
		refuse_url(cmd);
	else if (!refused(q) && st != ST_OK)
		q->failed = st;
	work_off(cmd);
	if (!s->ending)
		imap_session_kick(s);
}

static const struct url_source_ops url_ops = {
	.size = on_url_size, .feed = on_url_bytes, .full = on_url_full, .done = on_url_done
};

/* true: its bytes are on their way. */
static bool
url_part(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	if (refused(q))
		return false;
	/* Only what this login reads itself (RFC 4469 §3). */
	if (!imap_url_parse(q->url_text, &cmd->arena, &q->url) || q->url.absolute ||
	    q->url.access.len > 0 ||
	    (q->url.partial && !imap_cap_on(cmd->session, CAP_URL_PARTIAL))) {
		refuse_url(cmd);
		return false;
	}
	q->binary = true;	/* octets as they are kept */
	q->source = url_source_new(cmd->session, &q->url, &url_ops, cmd);
	return true;
}

/* ---- a chunk of the command's text ---- */

static void
end_chunk(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	if (q->final) {
		q->whole = true;
		cmd->input = NULL;
		append_commit(cmd);
	} else {
		judge(cmd);
	}
}

/* Goes through the chunk; stops at its literal, at a URL, or at the end of the command. */
static void
work_off(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	for (;;) {
		switch (next_part(&q->args, q)) {
		case PART_CATENATE:
			message_begin(q, 0);
			break;
		case PART_URL:
			if (url_part(cmd))
				return;
			break;
		case PART_CLOSE:
			message_end(cmd);
			break;
		case PART_BAD:
			if (!refused(q))
				q->refused = "BAD Malformed arguments";
			end_chunk(cmd);
			return;
		case PART_LITERAL:
		case PART_TEXT:
		case PART_URL_LITERAL:
		case PART_END:
			end_chunk(cmd);
			return;
		}
	}
}

static void
names_known(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;

	q->checking = false;
	if (!refused(q))
		q->failed = s->naming_failed;
	work_off(cmd);
	if (!s->ending)
		imap_session_kick(s);
}

/* The mailbox and those in URLs may be another's. */
static void
look_up_and_work(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	q->checking = imap_names_prepare(cmd, names_known);
	if (!q->checking)
		work_off(cmd);
}

static void
begin_chunk(struct imap_cmd *cmd, bool final)
{
	struct appending *q = cmd->data;
	struct imap_session *s = cmd->session;

	imap_session_args(s, arena_span(&cmd->arena, buf_span(&s->reader.text)), &cmd->arena,
	    &q->args);
	q->final = final;
	/* The text of skipped literals is not cut off: it says nothing any more. */
	if (refused(q))
		end_chunk(cmd);
	else
		look_up_and_work(cmd);
}

/* The text ends in a literal. */
static void
next_chunk(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;
	struct imap_args a;

	imap_session_args(s, buf_span(&s->reader.text), &cmd->arena, &a);
	if (refused(q) || look_through(a, q) != PART_URL_LITERAL) {
		begin_chunk(cmd, false);
		return;
	}
	if (s->reader.literal.size > IMAP_URL_MAX) {
		q->refused = "NO [TOOBIG] A URL is too long";
		reject_literal(cmd);
		return;
	}
	if (s->reader.literal.sync)
		buf_add_str(imap_out(s), "+ OK\r\n");
	imap_reader_keep(&s->reader);
}

static bool
read_append(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;
	struct buf *in = conn_in(s->conn);
	size_t n;

	if (q->checking || q->source != NULL || q->pending >= STAGE_PENDING_MAX) {
		conn_pause(s->conn);
		return false;
	}
	switch (imap_reader_read(&s->reader, in)) {
	case IMAP_READ_MORE:
		return false;
	case IMAP_READ_BYTES:
		n = imap_reader_ready(&s->reader, in);
		message_feed(cmd, span(in->data, n));
		imap_reader_took(&s->reader, in, n);
		if (s->reader.left == 0 && in->len == 0)
			conn_ack_now(s->conn);
		return true;
	case IMAP_READ_STREAMED:
		if (q->expect == EXPECT_MESSAGE)
			message_end(cmd);
		return true;
	case IMAP_READ_LITERAL:
		next_chunk(cmd);
		return !s->ending && s->cmd == cmd;
	case IMAP_READ_COMMAND:
		begin_chunk(cmd, true);
		return false;
	case IMAP_READ_TOO_LONG:
		imap_session_bye(s, "[TOOBIG] The command line is too long");
		return false;
	}
	return false;
}

/* "3 Drafts": which message goes.  false: the arguments say why not. */
static bool
read_replaced(struct imap_cmd *cmd, struct appending *q)
{
	const struct imap_view *v = cmd->session->view;
	struct imap_args *a = &cmd->args;
	uint32_t n = 0;

	q->replace = true;
	imap_args_sp(a);
	if (imap_args_try(a, '*'))
		n = cmd->uid ? imap_view_last_uid(v) : v->count;
	else
		n = imap_args_nz_number(a);
	if (!imap_args_good(a))
		return false;
	q->replaced = cmd->uid ? n : imap_view_uid(v, n);
	if (q->replaced == 0) {
		imap_args_fail(a, "No such message number");
		return false;
	}
	if (v->readonly)
		q->refused = "NO [NOPERM] The mailbox is selected read-only";
	else if (imap_view_seq(v, q->replaced) == 0)
		q->refused = "NO [NONEXISTENT] No such message";
	return true;
}

static const struct imap_command *replace_command(bool uid);

/* Reads what stands before the messages; NULL: the arguments say why not. */
static struct appending *
begin(struct imap_cmd *cmd)
{
	struct appending *q = arena_zalloc(&cmd->arena, sizeof(*q));

	q->catenate = imap_cap_on(cmd->session, CAP_CATENATE);
	if (cmd->def == replace_command(cmd->uid) && !read_replaced(cmd, q))
		return NULL;
	imap_args_sp(&cmd->args);
	q->path = imap_args_mailbox(&cmd->args);
	if (!imap_args_good(&cmd->args))
		return NULL;
	q->path = arena_span(&cmd->arena, q->path);
	return q;
}

static void
take_over(struct imap_cmd *cmd, struct appending *q, bool final)
{
	q->args = cmd->args;
	q->final = final;
	cmd->data = q;
	cmd->release = append_release;
	cmd->input = read_append;
	look_up_and_work(cmd);
}

bool
imap_append_wants(struct imap_cmd *cmd)
{
	struct appending *q = begin(cmd);
	enum part part = q != NULL ? look_through(cmd->args, q) : PART_BAD;
	struct span rest;

	if (part != PART_LITERAL && part != PART_TEXT)
		return false;
	/* The text of the session is used up while the literal streams. */
	rest = arena_span(&cmd->arena, span(cmd->args.p, (size_t)(cmd->args.end - cmd->args.p)));
	cmd->args.p = rest.p;
	cmd->args.end = rest.p + rest.len;
	take_over(cmd, q, false);
	return true;
}

/* Comes here only without a literal that is streamed. */
static void
cmd_append(struct imap_cmd *cmd)
{
	struct appending *q = begin(cmd);

	if (q == NULL || imap_args_at_end(&cmd->args) || look_through(cmd->args, q) != PART_END) {
		imap_args_fail(&cmd->args, "A message is missing");
		imap_cmd_syntax(cmd);
		return;
	}
	take_over(cmd, q, true);
}

/* ---- COPY and MOVE into another account ----
 *
 * Its messages are read here and appended there, all in one operation; a MOVE takes the old
 * ones away afterwards, so that nothing is lost whatever happens in between. */

static void
across_read(struct imap_cmd *cmd);

static void
on_across_body(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct appending *q = cmd->data;
	struct across *x = q->across;
	const struct store_body_is *is = msg;
	struct store_body_piece p;
	struct buf raw = { 0 };
	uint32_t resume = 0;
	struct reader r;

	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->pieces.p, is->pieces.len);
		while (st == ST_OK && is->pieces.len > 0 && get_store_body_piece(&r, &p)) {
			buf_clear(&raw);
			st = body_reader_feed(x->reader, p.data, &raw);
			mime_digest_feed(q->digest, raw.data, raw.len);
			body_writer_feed(q->writer, raw.data, raw.len, &q->stored);
			if (q->stored.len > STORE_INLINE_MAX)
				stage_some(cmd, false);
		}
		resume = is->resume_uid;
		x->offset = is->resume_offset;
	}
	buf_fini(&raw);
	if (st != ST_OK && q->failed == ST_OK)
		q->failed = st;
	if (more)
		return;
	if (q->failed == ST_OK && resume == x->row.uid) {
		across_read(cmd);
		return;
	}
	if (q->failed == ST_OK && !body_reader_done(x->reader))
		q->refused = "NO [EXPUNGEISSUED] Some of the messages are gone";
	body_reader_free(&x->reader);
	message_end(cmd);
	uidset_add(&x->uids, x->row.uid);
	x->waits = true;
	across_go_on(cmd);
}

static void
across_read(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct across *x = ((struct appending *)cmd->data)->across;
	struct store_body rq = { .mailbox = s->view->mailbox, .offset = x->offset,
		.budget = STAGE_PENDING_MAX * STORE_CHUNK_MAX };
	struct uidset one = { 0 };
	struct buf uids = { 0 };

	uidset_add(&one, x->row.uid);
	uidset_encode(&one, &uids);
	rq.uids = buf_span(&uids);
	store_do_body(s->store, &rq, on_across_body, cmd);
	uidset_fini(&one);
	buf_fini(&uids);
}

/* The keywords of the selected mailbox, by name. */
static void
across_keywords(struct imap_cmd *cmd, struct appending *q, struct flags f)
{
	struct reader r;
	struct span name;
	unsigned bit = 0;

	q->flags.n_keywords = 0;
	q->flags.keywords = q->across->names;
	reader_init(&r, cmd->session->view->keywords.data, cmd->session->view->keywords.len);
	while (q->flags.n_keywords < KEYWORD_MAX && get_store_keyword(&r, &name))
		if (flags_has_keyword(f, bit++))
			q->flags.keywords[q->flags.n_keywords++] = arena_span(&cmd->arena, name);
}

static void
across_go_on(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;
	struct across *x = q->across;

	if (!x->waits || q->pending >= STAGE_PENDING_MAX)
		return;
	x->waits = false;
	if (refused(q) || x->rows.len == 0 || !get_store_row(&x->left, &x->row, ACROSS_FIELDS)) {
		q->whole = true;
		if (q->n_items == 0 && !refused(q))
			imap_cmd_done(cmd, ST_OK);
		else
			append_commit(cmd);
		return;
	}
	message_begin(q, x->row.size);
	q->flags = (struct imap_flags){ .system = flags_get_system(x->row.flags) };
	across_keywords(cmd, q, x->row.flags);
	q->received_s = x->row.received_s;
	q->received_zone = x->row.received_zone;
	x->reader = body_reader_new(0, 0);
	x->offset = 0;
	across_read(cmd);
}

static void
on_across_rows(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct appending *q = cmd->data;
	const struct store_rows_are *are = msg;

	if (st == ST_OK && are != NULL) {
		imap_view_learn(cmd->session->view, are->keywords, imap_out(cmd->session));
		buf_add_span(&q->across->rows, are->rows);
	}
	if (more)
		return;
	q->failed = st;
	reader_init(&q->across->left, q->across->rows.data, q->across->rows.len);
	q->across->waits = true;
	across_go_on(cmd);
}

void
imap_append_across(struct imap_cmd *cmd, const struct uidset *uids, struct span to, bool move)
{
	struct imap_session *s = cmd->session;
	struct appending *q = arena_zalloc(&cmd->arena, sizeof(*q));
	struct store_rows rq = { .mailbox = s->view->mailbox, .fields = ACROSS_FIELDS };
	struct buf set = { 0 };

	if (uidset_count(uids) >= ITEMS_MAX) {
		imap_cmd_end(cmd, "NO [LIMIT] Too many messages at once");
		return;
	}
	if (move && (~s->view->rights & (RIGHT_DELETE_MSG | RIGHT_EXPUNGE))) {
		imap_cmd_done(cmd, ST_DENIED);
		return;
	}
	q->across = arena_zalloc(&cmd->arena, sizeof(*q->across));
	q->across->move = move;
	q->path = arena_span(&cmd->arena, to);
	cmd->data = q;
	cmd->release = append_release;
	uidset_encode(uids, &set);
	rq.uids = buf_span(&set);
	store_do_rows(s->store, &rq, on_across_rows, cmd);
	buf_fini(&set);
}

static void
on_across_removed(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;

	if (more)
		return;
	if (st != ST_OK) {
		imap_cmd_done(cmd, st);
		return;
	}
	/* RFC 6851 §4.3: before the EXPUNGEs. */
	buf_add_str(imap_out(s), "* ");
	buf_add_span(imap_out(s), buf_span(&cmd->result));
	buf_add_str(imap_out(s), "Moved\r\n");
	imap_tell_expunged(s, &((struct appending *)cmd->data)->across->uids);
	imap_cmd_done(cmd, ST_OK);
}

static void
across_done(struct imap_cmd *cmd, const struct store_appended *a, const struct uidset *made)
{
	struct imap_session *s = cmd->session;
	struct across *x = ((struct appending *)cmd->data)->across;
	struct store_remove rq = { .how = REMOVE_EXPUNGE };
	struct buf uids = { 0 }, what = { 0 };

	buf_clear(&cmd->result);
	buf_addf(&cmd->result, "OK [COPYUID %u ", a->uidvalidity);
	uidset_print(&x->uids, &cmd->result);
	buf_add_c(&cmd->result, ' ');
	uidset_print(made, &cmd->result);
	buf_add_str(&cmd->result, "] ");
	if (!x->move) {
		buf_add_str(&cmd->result, "COPY completed");
		imap_cmd_end_result(cmd);
		return;
	}
	uidset_encode(&x->uids, &uids);
	put_store_uids(&what, &(struct store_uids){ s->view->mailbox, buf_span(&uids) });
	rq.what = buf_span(&what);
	store_do_remove(s->store, &rq, on_across_removed, cmd);
	buf_fini(&uids);
	buf_fini(&what);
}

const struct imap_command imap_cmds_append[] = {
	/* name		allowed in		flags			cap		run */
	{ "APPEND",	IMAP_IN_LOGIN,		IMAP_CMD_STREAMS,	CAP_NONE,	cmd_append },
	{ "REPLACE",	IMAP_IN_SELECTED,	IMAP_CMD_STREAMS,	CAP_REPLACE,	cmd_append },
	{ "REPLACE",	IMAP_IN_SELECTED,	IMAP_CMD_STREAMS | IMAP_CMD_UID_ONLY, CAP_REPLACE,
	    cmd_append },
	{ 0 }
};

static const struct imap_command *
replace_command(bool uid)
{
	return &imap_cmds_append[uid ? 2 : 1];
}
