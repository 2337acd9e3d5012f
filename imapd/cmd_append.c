/* APPEND, with MULTIAPPEND (RFC 3502), BINARY (RFC 3516) and UIDPLUS.
 *
 * A message's literal streams through the digest and the body writer as it comes;
 * what is more than a small body is staged with the store meanwhile.  Nothing is added
 * before the last message is here. */
#include "imapd/sync.h"

#include "common/mime/digest.h"
#include "common/util/mem.h"
#include "storage/client/body.h"

#define STAGE_PENDING_MAX	4		/* chunks that the store has not taken yet */
#define INLINE_ALL_MAX		(1u << 20)	/* bodies of one command inside the request */
#define ITEMS_BYTES_MAX		(3u << 20)	/* of the request's list */
#define ITEMS_MAX		500
#define SKIP_MAX		(16u << 20)	/* a refused literal that is still swallowed */

struct appending {
	struct span		path;
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

	for (unsigned i = 0; i < q->n_stages && cmd->session->store != NULL; i++)
		store_stage_free(cmd->session->store, q->stages[i]);
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
	else
		imap_cmd_done(cmd, q->failed);
}

static bool
refused(const struct appending *q)
{
	return q->refused != NULL || q->failed != ST_OK;
}

/* ---- arguments ---- */

/* [SP flag-list] [SP date-time] SP literal; the literal itself is not in the text. */
static bool
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
	return imap_args_good(a) && imap_args_at_literal(a);
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

/* ---- staging ---- */

static void append_go_on(struct imap_cmd *cmd);

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
		store_do_stage(s->store, &rq, on_staged, cmd);
		q->pending++;
		buf_drop(&q->stored, rq.data.len);
	}
}

/* ---- one message ---- */

static void
message_begin(struct appending *q, uint64_t size)
{
	q->digest = mime_digest_new(0);
	q->writer = body_writer_new(SPAN_NONE, size);
	q->stage = 0;
}

static void
message_feed(struct imap_cmd *cmd, struct span bytes)
{
	struct appending *q = cmd->data;

	if (refused(q))
		return;
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
	size_t n_keys = 0;
	struct store_append_item it = {
		.flags = flags_system(q->flags.system), .received_s = q->received_s,
		.received_zone = q->received_zone, .size = body_writer_size(q->writer),
		.list = d->list, .structure = d->structure, .sort = d->sort,
		.subject_hash = d->sort_data.subject_hash, .stage = q->stage
	};

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
	if (q->stage == 0)
		it.body = buf_span(&q->stored);
	put_store_append_item(&q->items, &it);
}

static void
message_end(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;
	struct mime_digest_result d;

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
	uidset_decode(&uids, &r, SIZE_MAX);
	buf_clear(&cmd->result);
	buf_addf(&cmd->result, "OK [APPENDUID %u ", a->uidvalidity);
	uidset_print(&uids, &cmd->result);
	buf_add_str(&cmd->result, "] APPEND completed");
	uidset_fini(&uids);
	imap_cmd_end_result(cmd);
}

/* All is read: asks when the store has taken every chunk. */
static void
append_commit(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;
	struct store_append rq = {
		.path = q->path, .keywords = buf_span(&q->keywords), .items = buf_span(&q->items)
	};

	if (q->pending > 0)
		return;
	if (refused(q) || q->n_items == 0) {
		if (!refused(q))
			q->refused = "BAD A message is missing";
		append_refuse(cmd);
		return;
	}
	store_do_append(cmd->session->store, &rq, on_appended, cmd);
	buf_fini(&q->items);
}

static void
append_go_on(struct imap_cmd *cmd)
{
	struct appending *q = cmd->data;

	if (q->whole)
		append_commit(cmd);
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
	}
	if (more)
		return;
	q->checking = false;
	if (st != ST_OK)
		q->failed = st;
	else if (!q->checked)
		q->failed = ST_NOT_FOUND;
	if (refused(q))
		reject_literal(cmd);
	else
		accept_literal(cmd);
	if (!s->ending)
		imap_session_kick(s);
}

/* Stands at a message's literal. */
static void
judge(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;
	uint64_t size = s->reader.literal.size;
	struct store_list rq = { .path = q->path };

	if (!refused(q) && size > s->srv->conf->max_append_bytes)
		q->refused = "NO [TOOBIG] The message is too large";
	else if (!refused(q) && size == 0)
		q->refused = "NO [CANNOT] A message must not be empty";
	if (refused(q)) {
		reject_literal(cmd);
		return;
	}
	/* Nobody should send a large message for nothing. */
	if (!q->checked && (s->reader.literal.sync || size > STORE_INLINE_MAX)) {
		q->checking = true;
		store_do_list(s->store, &rq, on_checked, cmd);
		return;
	}
	accept_literal(cmd);
}

/* The arguments in front of the next message's literal. */
static void
next_message(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;
	struct imap_args a;

	imap_args_init(&a, buf_span(&s->reader.text), &cmd->arena);
	if (!refused(q) && !read_message_args(&a, q))
		q->refused = "BAD Malformed arguments";
	judge(cmd);
}

static bool
read_append(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct appending *q = cmd->data;
	struct buf *in = conn_in(s->conn);
	size_t n;

	if (q->checking || q->pending >= STAGE_PENDING_MAX) {
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
		message_end(cmd);
		return true;
	case IMAP_READ_LITERAL:
		next_message(cmd);
		return !s->ending && s->cmd == cmd;
	case IMAP_READ_COMMAND:
		if (s->reader.text.len > 0 && !refused(q))
			q->refused = "BAD Unexpected words after the message";
		q->whole = true;
		cmd->input = NULL;
		append_commit(cmd);
		return false;
	case IMAP_READ_TOO_LONG:
		imap_session_bye(s, "[TOOBIG] The command line is too long");
		return false;
	}
	return false;
}

bool
imap_append_wants(struct imap_cmd *cmd)
{
	struct appending *q = arena_zalloc(&cmd->arena, sizeof(*q));

	imap_args_sp(&cmd->args);
	q->path = imap_args_mailbox(&cmd->args);
	if (!read_message_args(&cmd->args, q))
		return false;
	q->path = arena_span(&cmd->arena, q->path);
	cmd->data = q;
	cmd->release = append_release;
	cmd->input = read_append;
	judge(cmd);
	return true;
}

/* Comes here only without a literal for the message. */
static void
cmd_append(struct imap_cmd *cmd)
{
	imap_args_sp(&cmd->args);
	imap_args_mailbox(&cmd->args);
	imap_args_fail(&cmd->args, "A message is missing");
	imap_cmd_syntax(cmd);
}

const struct imap_command imap_cmds_append[] = {
	/* name		allowed in	flags	capability	run */
	{ "APPEND",	IMAP_IN_LOGIN,	0,	"MULTIAPPEND",	cmd_append },
	{ 0 }
};
