/* APPEND, with MULTIAPPEND (RFC 3502), BINARY (RFC 3516), CATENATE (RFC 4469) and UIDPLUS;
 * REPLACE (RFC 8508).
 *
 * The command's text comes in chunks, each up to a literal that is streamed, and so are the
 * parts of CATENATE; a chunk is worked off part by part (work_off()), waiting where a URL's
 * bytes are fetched. */
#include "imapd/appending.h"

#include <string.h>

#include "common/proto/imap_url.h"
#include "imapd/names.h"
#include "imapd/sync.h"
#include "imapd/url_source.h"
#include "storage/client/packer.h"

#define NOT_ACROSS	"NO [CANNOT] A message is replaced within its account"
#define SKIP_MAX	(16u << 20)	/* a refused literal that is still swallowed */

/* What the grammar expects next (RFC 4466 §3, RFC 4469 §5). */
enum expect { EXPECT_MESSAGE, EXPECT_FIRST_PART, EXPECT_PART, EXPECT_UTF8, EXPECT_UTF8_END };

/* How far a message's header was looked through. */
enum header_at { HEADER_LINE, HEADER_IN_LINE, HEADER_CR, HEADER_OVER };

/* What stands next in the text. */
enum part {
	PART_LITERAL,		/* a message's, at the end of this chunk */
	PART_CATENATE,		/* "CATENATE (", "UTF8 (" */
	PART_TEXT,		/* a literal inside of it, at the end of this chunk */
	PART_URL,
	PART_URL_LITERAL,	/* a URL that comes as a literal, not here yet */
	PART_VALUE_LITERAL,	/* the same of an annotation's value */
	PART_CLOSE,		/* ")" */
	PART_END,		/* of the command */
	PART_BAD
};

struct append {
	struct appending	to;
	bool			catenate;	/* CATENATE is on */
	bool			utf8;		/* UTF8=ACCEPT was enabled */
	bool			annotate;	/* ANNOTATE-EXPERIMENT-1 is */
	struct imap_args	args;		/* of the chunk */
	enum expect		expect;
	bool			final;		/* no literal behind this chunk */
	struct span		url_text;
	struct imap_url		url;
	struct url_source	*source;	/* its bytes are on their way */
	bool			checked, checking;	/* the mailbox is there */
	bool			bad_url;
	bool			binary;		/* the message is a literal8 */
	enum header_at		header;		/* of the message */
};

static inline bool
is_replace(const struct append *q)
{
	return q->to.replace_uid != 0;
}

static void
append_release(struct imap_cmd *cmd)
{
	struct append *q = cmd->data;

	url_source_free(&q->source);
	appending_free(&q->to);
}

/* ---- arguments ---- */

/* [SP flag-list] [SP date-time] SP, up to the literal or what stands for it. */
static void
read_message_args(struct imap_args *a, struct append *q)
{
	imap_args_sp(a);
	q->to.flags = (struct imap_flags){ 0 };
	q->to.received_s = INT64_MIN;
	q->to.received_zone = 0;
	if (imap_args_peek(a, '(')) {
		imap_args_flags(a, false, &q->to.flags);
		for (size_t i = 0; i < q->to.flags.n_keywords; i++)
			q->to.flags.keywords[i] = arena_span(a->arena, q->to.flags.keywords[i]);
		imap_args_sp(a);
	}
	if (imap_args_peek(a, '"')) {
		imap_args_date_time(a, &q->to.received_s, &q->to.received_zone);
		imap_args_sp(a);
	}
}

static enum part
message_part(struct imap_args *a, struct append *q)
{
	if (imap_args_at_end(a))
		return PART_END;
	read_message_args(a, q);
	/* append-ext (RFC 5257 §4.7) */
	q->to.notes = (struct imap_annotations){ 0 };
	if (q->annotate && imap_args_word(a, "ANNOTATION")) {
		imap_args_sp(a);
		if (imap_args_annotation_literal(*a))
			return PART_VALUE_LITERAL;
		imap_args_annotations(a, &q->to.notes);
		imap_args_sp(a);
	}
	if (imap_args_good(a) && imap_args_at_literal(a))
		return PART_LITERAL;
	if (q->catenate && imap_args_word(a, "CATENATE")) {
		imap_args_sp(a);
		imap_args_expect(a, '(');
		q->expect = EXPECT_FIRST_PART;
		return PART_CATENATE;
	}
	/* "UTF8" SP "(" literal8 ")" of RFC 6855 §4, which RFC 9755 has no longer and Thunderbird
	 * still sends. */
	if (q->utf8 && imap_args_word(a, "UTF8")) {
		imap_args_sp(a);
		imap_args_expect(a, '(');
		q->expect = EXPECT_UTF8;
		return PART_CATENATE;
	}
	imap_args_fail(a, "A message is missing");
	return PART_BAD;
}

/* The next part of the text; moves a and q->expect on, nothing else. */
static enum part
next_part(struct imap_args *a, struct append *q)
{
	if (!imap_args_good(a))
		return PART_BAD;
	if (q->expect == EXPECT_MESSAGE)
		return message_part(a, q);
	if (q->expect == EXPECT_UTF8 && imap_args_at_literal(a)) {
		q->expect = EXPECT_UTF8_END;
		return PART_TEXT;
	}
	if ((q->expect == EXPECT_PART || q->expect == EXPECT_UTF8_END) && imap_args_try(a, ')')) {
		q->expect = EXPECT_MESSAGE;
		return PART_CLOSE;
	}
	if (q->expect == EXPECT_UTF8 || q->expect == EXPECT_UTF8_END) {
		imap_args_fail(a, "Malformed message in UTF-8");
		return PART_BAD;
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
look_through(struct imap_args a, const struct append *q)
{
	struct append copy = *q;
	enum part part;

	do {
		part = next_part(&a, &copy);
	} while (part == PART_CATENATE || part == PART_URL || part == PART_CLOSE);
	return imap_args_good(&a) ? part : PART_BAD;
}

/* ---- one message ---- */

static void
message_begin(struct append *q, uint64_t size)
{
	appending_message_begin(&q->to, size);
	q->header = HEADER_LINE;
}

/* Room for that much more in the message?  false: refused. */
static bool
message_fits(struct imap_cmd *cmd, uint64_t more)
{
	struct append *q = cmd->data;
	uint64_t max = cmd->session->srv->conf->max_append_bytes;
	uint64_t size = q->to.packer != NULL ? packer_size(q->to.packer) : 0;

	if (more > max || size > max - more)
		q->to.refused = "NO [TOOBIG] The message is too large";
	return !appending_refused(&q->to);
}

/* Goes on through the header; true: it is not ASCII. */
static bool
header_is_8bit(struct append *q, struct span bytes)
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
	struct append *q = cmd->data;

	if (appending_refused(&q->to))
		return;
	if (q->header != HEADER_OVER && header_must_be_ascii(cmd->session) &&
	    header_is_8bit(q, bytes)) {
		q->to.refused = "NO [CANNOT] A header that is not ASCII needs ENABLE UTF8=ACCEPT";
		return;
	}
	/* RFC 3516 §4.2: NUL only in a literal8. */
	if (!q->binary && memchr(bytes.p, '\0', bytes.len) != NULL) {
		q->to.refused = "NO [CANNOT] A message with NUL needs a literal8";
		return;
	}
	appending_message_feed(cmd, bytes);
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
append_done(struct imap_cmd *cmd, const struct store_appended *a, const struct uidset *uids)
{
	struct imap_session *s = cmd->session;
	bool replaces = is_replace(cmd->data);

	if (replaces)
		s->view->dirty = true;
	if (!imap_cap_on(s, CAP_UIDPLUS)) {
		imap_cmd_done(cmd, ST_OK);
	} else if (replaces) {
		/* Told before the EXPUNGE of the old one (RFC 8508 §4.3). */
		put_appenduid(a, uids, "* OK [APPENDUID ", "] Replacement ready\r\n", imap_out(s));
		imap_cmd_done(cmd, ST_OK);
	} else {
		buf_clear(&cmd->result);
		put_appenduid(a, uids, "OK [APPENDUID ", "] APPEND completed", &cmd->result);
		imap_cmd_end_result(cmd);
	}
}

static void
append_go_on(struct imap_cmd *cmd)
{
	struct append *q = cmd->data;

	if (q->source != NULL)
		url_source_go_on(q->source);
	else
		imap_session_kick(cmd->session);
}

/* ---- reading ---- */

static void
accept_literal(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct append *q = cmd->data;

	if (s->reader.literal.sync)
		buf_add_str(imap_out(s), "+ OK\r\n");
	q->binary = s->reader.literal.binary;
	if (q->expect == EXPECT_MESSAGE)
		message_begin(q, s->reader.literal.size);
	imap_reader_stream(&s->reader);
}

/* What the store says of the mailbox: it is there, and whether it takes messages. */
static void
take_answer(struct append *q, enum status st, const struct store_mailboxes *part)
{
	struct store_mailbox m;
	struct reader r;

	if (st != ST_OK || part == NULL || part->list.len == 0)
		return;
	reader_init(&r, part->list.p, part->list.len);
	q->checked |= get_store_mailbox(&r, &m) && m.id != 0;
	if (q->checked && !(m.rights & RIGHT_INSERT))
		q->to.failed = ST_DENIED;
}

/* Is the mailbox there at all?  Then it is the URL that is wrong. */
static void
on_there(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct append *q = cmd->data;

	take_answer(q, st, msg);
	if (more)
		return;
	if (st != ST_OK || !q->checked) {
		q->to.refused = NULL;
		q->to.failed = st != ST_OK ? st : ST_NOT_FOUND;
	}
	q->to.whole = true;
	appending_commit(cmd);
}

/* All is read that will be. */
static void
commit(struct imap_cmd *cmd)
{
	struct append *q = cmd->data;
	struct store_list rq = { .path = q->to.path };

	cmd->input = NULL;
	if (q->bad_url && !q->checked) {
		imap_list(cmd, &rq, on_there);
		return;
	}
	q->to.whole = true;
	appending_commit(cmd);
}

/* A literal that is not wanted: one that the client waits with ends the command here. */
static void
reject_literal(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;

	if (s->reader.literal.sync) {
		/* Chunks of the messages before it may still be on their way. */
		commit(cmd);
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
	struct append *q = cmd->data;
	const struct store_quota_is *is = msg;
	uint64_t size = s->reader.literal.size;

	q->checking = false;
	if (st != ST_OK || is == NULL)
		q->to.failed = st != ST_OK ? st : ST_BUG;
	else if ((is->bytes_limit > 0 &&
	    (is->bytes > is->bytes_limit || size > is->bytes_limit - is->bytes)) ||
	    (is->messages_limit > 0 && is->messages >= is->messages_limit))
		q->to.failed = ST_OVER_QUOTA;
	if (appending_refused(&q->to))
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
	struct append *q = cmd->data;

	take_answer(q, st, msg);
	if (more)
		return;
	if (st != ST_OK)
		q->to.failed = st;
	else if (!q->checked)
		q->to.failed = ST_NOT_FOUND;
	/* What replaces a message is judged with what that one gives back, by the store. */
	if (!appending_refused(&q->to) && !is_replace(q) && appending_target(cmd) == s->home) {
		store_do_quota(s->home, on_quota, cmd);
		return;
	}
	q->checking = false;
	if (appending_refused(&q->to))
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
	struct append *q = cmd->data;
	uint64_t size = s->reader.literal.size;
	struct store_list rq = { .path = q->to.path };

	if (!appending_refused(&q->to))
		q->to.refused = imap_literal_refusal(s);
	if (!appending_refused(&q->to) && is_replace(q) && appending_target(cmd) != s->store)
		q->to.refused = NOT_ACROSS;
	if (!appending_refused(&q->to))
		q->to.refused = imap_annotations_refusal(&q->to.notes);
	if (!appending_refused(&q->to) && s->reader.literal.binary && !imap_cap_on(s, CAP_BINARY))
		q->to.refused = "BAD No literal8 here";
	if (!appending_refused(&q->to) && q->to.n_items > 0 && !imap_cap_on(s, CAP_MULTIAPPEND))
		q->to.refused = "BAD One message at a time";
	if (!appending_refused(&q->to) && message_fits(cmd, size) && size == 0 && q->expect == EXPECT_MESSAGE)
		q->to.refused = "NO [CANNOT] A message must not be empty";
	if (appending_refused(&q->to)) {
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
	struct append *q = cmd->data;
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
	q->to.refused = arena_strndup(&cmd->arena, text.data, text.len);
	q->bad_url = true;
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
	const struct append *q = ((struct imap_cmd *)arg)->data;

	return appending_full(&q->to);
}

static void
on_url_done(void *arg, enum status st)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	struct append *q = cmd->data;

	url_source_free(&q->source);
	if (!appending_refused(&q->to) && (st == ST_NOT_FOUND || st == ST_LIMIT))
		refuse_url(cmd);
	else if (!appending_refused(&q->to) && st != ST_OK)
		q->to.failed = st;
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
	struct append *q = cmd->data;

	if (appending_refused(&q->to))
		return false;
	/* Only what this login reads itself (RFC 4469 §3). */
	if (!imap_url_parse(q->url_text, &cmd->arena, &q->url) || q->url.absolute ||
	    q->url.access != URL_ACCESS_NONE ||
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
	struct append *q = cmd->data;

	if (q->final) {
		if (!appending_refused(&q->to) && is_replace(q) &&
		    appending_target(cmd) != cmd->session->store)
			q->to.refused = NOT_ACROSS;
		commit(cmd);
	} else {
		judge(cmd);
	}
}

/* Goes through the chunk; stops at its literal, at a URL, or at the end of the command. */
static void
work_off(struct imap_cmd *cmd)
{
	struct append *q = cmd->data;

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
			appending_message_end(cmd);
			break;
		case PART_BAD:
			if (!appending_refused(&q->to))
				q->to.refused = "BAD Malformed arguments";
			end_chunk(cmd);
			return;
		case PART_LITERAL:
		case PART_TEXT:
		case PART_URL_LITERAL:
		case PART_VALUE_LITERAL:
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
	struct append *q = cmd->data;

	q->checking = false;
	if (!appending_refused(&q->to))
		q->to.failed = s->naming_failed;
	work_off(cmd);
	if (!s->ending)
		imap_session_kick(s);
}

/* The mailbox and those in URLs may be another's. */
static void
look_up_and_work(struct imap_cmd *cmd)
{
	struct append *q = cmd->data;

	q->checking = imap_names_prepare(cmd, names_known);
	if (!q->checking)
		work_off(cmd);
}

static void
begin_chunk(struct imap_cmd *cmd, bool final)
{
	struct append *q = cmd->data;
	struct imap_session *s = cmd->session;

	imap_session_args(s, arena_span(&cmd->arena, buf_span(&s->reader.text)), &cmd->arena,
	    &q->args);
	q->final = final;
	/* The text of skipped literals is not cut off: it says nothing any more. */
	if (appending_refused(&q->to))
		end_chunk(cmd);
	else
		look_up_and_work(cmd);
}

/* Why a literal that is part of the text is not kept; NULL: it is. */
static const char *
kept_refusal(const struct imap_session *s, enum part part)
{
	uint64_t size = s->reader.literal.size;

	if (part == PART_URL_LITERAL)
		return size > IMAP_URL_MAX ? "NO [TOOBIG] A URL is too long" : NULL;
	if (size > STORE_ANNOTATION_VALUE_MAX)
		return "NO [ANNOTATE TOOBIG] A value is too large";
	return s->reader.text.len + size > s->srv->conf->max_literal_bytes ?
	    "NO [TOOBIG] Literals were too large" : imap_literal_refusal(s);
}

/* The text ends in a literal. */
static void
next_chunk(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct append *q = cmd->data;
	struct imap_args a;
	enum part part;

	imap_session_args(s, buf_span(&s->reader.text), &cmd->arena, &a);
	part = appending_refused(&q->to) ? PART_BAD : look_through(a, q);
	if (part != PART_URL_LITERAL && part != PART_VALUE_LITERAL) {
		begin_chunk(cmd, false);
		return;
	}
	q->to.refused = kept_refusal(s, part);
	if (q->to.refused != NULL) {
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
	struct append *q = cmd->data;
	struct buf *in = conn_in(s->conn);
	size_t n;

	if (q->checking || q->source != NULL || appending_full(&q->to)) {
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
			appending_message_end(cmd);
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
read_replaced(struct imap_cmd *cmd, struct append *q)
{
	const struct imap_view *v = cmd->session->view;
	struct imap_args *a = &cmd->args;
	uint32_t n = 0;

	imap_args_sp(a);
	if (imap_args_try(a, '*'))
		n = cmd->uid ? imap_view_last_uid(v) : v->count;
	else
		n = imap_args_nz_number(a);
	if (!imap_args_good(a))
		return false;
	q->to.replace_mailbox = v->mailbox;
	q->to.replace_uid = cmd->uid ? n : imap_view_uid(v, n);
	if (q->to.replace_uid == 0) {
		imap_args_fail(a, "No such message number");
		return false;
	}
	if (v->readonly)
		q->to.refused = "NO [NOPERM] The mailbox is selected read-only";
	else if (imap_view_seq(v, q->to.replace_uid) == 0)
		q->to.refused = "NO [NONEXISTENT] No such message";
	return true;
}

static const struct imap_command *replace_command(bool uid);

/* Reads what stands before the messages; NULL: the arguments say why not. */
static struct append *
begin(struct imap_cmd *cmd)
{
	struct append *q = arena_zalloc(&cmd->arena, sizeof(*q));

	q->to.limited = true;
	q->to.go_on = append_go_on;
	q->to.done = append_done;
	q->catenate = imap_cap_on(cmd->session, CAP_CATENATE);
	q->utf8 = cmd->session->utf8_accept;
	q->annotate = imap_cap_on(cmd->session, CAP_ANNOTATE);
	if (cmd->def == replace_command(cmd->uid) && !read_replaced(cmd, q))
		return NULL;
	imap_args_sp(&cmd->args);
	q->to.path = imap_args_mailbox(&cmd->args);
	if (!imap_args_good(&cmd->args))
		return NULL;
	q->to.path = arena_span(&cmd->arena, q->to.path);
	return q;
}

static void
take_over(struct imap_cmd *cmd, struct append *q, bool final)
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
	struct append *q = begin(cmd);
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
	struct append *q = begin(cmd);

	if (q == NULL || imap_args_at_end(&cmd->args) || look_through(cmd->args, q) != PART_END) {
		imap_args_fail(&cmd->args, "A message is missing");
		imap_cmd_syntax(cmd);
		return;
	}
	take_over(cmd, q, true);
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
