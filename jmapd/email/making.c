#include "jmapd/email/making.h"

#include "common/mail/blob_id.h"
#include "common/mail/object_id.h"
#include "common/mime/date.h"
#include "common/mime/field.h"
#include "common/net/loop.h"
#include "common/util/clock.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "jmapd/blob/blob_reader.h"
#include "jmapd/core/ids.h"
#include "jmapd/email/asked.h"
#include "jmapd/email/compose.h"

#define HEAD_MAX	(64u << 10)	/* of an import, looked at for Received */

struct making {
	struct jmap_call	*c;
	const struct json	*asked;
	bool			import;
	uint64_t		if_email;
	making_fn		done;
	void			*arg;
	struct loop_task	*start;

	struct asked_keywords	keywords;
	struct flags		flags;
	struct buf		mailboxes;
	int64_t			received_s;

	struct compose		compose;
	size_t			at;		/* the blob, then the piece, at hand */
	uint64_t		blob_bytes;
	struct compose_encoder	encoder;
	struct buf		encoded;
	struct blob_id		blob;		/* of an import */
	struct buf		head;
	struct blob_reader	*reader;
	struct adding		*adding;

	enum status		status;
	struct added		added;
	const char		*error;		/* a SetError's type, when it is known here */
	struct buf		bad, why;
	bool			missing;	/* blobs are */
};

void
making_free(struct making **mp)
{
	struct making *m = *mp;

	if (m == NULL)
		return;
	loop_task_free(&m->start);
	blob_reader_free(&m->reader);
	adding_free(&m->adding);
	asked_keywords_fini(&m->keywords);
	compose_fini(&m->compose);
	buf_fini(&m->encoder.held);
	buf_fini(&m->encoded);
	buf_fini(&m->mailboxes);
	buf_fini(&m->head);
	buf_fini(&m->bad);
	buf_fini(&m->why);
	mem_free(mp);
}

static void
end(struct making *m, enum status st)
{
	blob_reader_free(&m->reader);
	m->status = st;
	m->done(m->arg, st, st == ST_OK ? &m->added : NULL);
}

/* A SetError that is known here. */
static void
end_error(struct making *m, const char *type)
{
	m->error = type;
	end(m, ST_SYNTAX);
}

static void
complain(struct making *m, const char *property, const char *why)
{
	buf_addf(&m->bad, "%s ", property);
	if (m->why.len == 0)
		buf_addf(&m->why, "%s: %s", property, why);
}

/* --- the end of both --- */

static void
on_added(void *arg, enum status st, const struct added *a)
{
	struct making *m = arg;

	if (st == ST_OK)
		m->added = *a;
	end(m, st);
}

static void
finish(struct making *m)
{
	const struct adding_to to = { .mailboxes = buf_span(&m->mailboxes),
	    .keywords = buf_span(&m->keywords.text), .flags = m->flags,
	    .received_s = m->received_s, .if_email = m->if_email };

	blob_reader_free(&m->reader);
	adding_finish(m->adding, &to);
}

static void
on_drained(void *arg)
{
	struct making *m = arg;

	if (m->reader != NULL)
		blob_reader_resume(m->reader);
}

static const struct adding_ops adding_ops = { on_drained, on_added };

static void
feed(struct making *m, struct span raw)
{
	adding_feed(m->adding, raw);
	if (adding_full(m->adding) && m->reader != NULL)
		blob_reader_pause(m->reader);
}

/* --- what both are asked --- */

static void
read_common(struct making *m)
{
	const struct json *received = json_member(m->asked, "receivedAt");
	enum asked mailboxes;
	struct span text;
	int64_t ms;

	m->received_s = INT64_MIN;
	mailboxes = asked_mailboxes(m->c, json_member(m->asked, "mailboxIds"), &m->mailboxes);
	if (mailboxes == ASKED_BAD)
		complain(m, "mailboxIds", "it must name at least one mailbox that is there");
	if (mailboxes == ASKED_TOO_MANY) {
		m->error = "tooManyMailboxes";
		buf_addf(&m->why, "an Email may be in %u mailboxes", JMAP_MAILBOXES_MAX);
	}
	switch (asked_keywords(&m->keywords, m->c->arena, json_member(m->asked, "keywords"),
	    &m->flags)) {
	case ASKED_BAD:
		complain(m, "keywords", "it must be a set of keywords that may be set");
		break;
	case ASKED_TOO_MANY:
		m->error = "tooManyKeywords";
		buf_addf(&m->why, "an account may have %u keywords", KEYWORD_MAX);
		break;
	default:
		break;
	}
	if (received == NULL)
		return;
	if (json_as_string(received, &text) && jmap_date_parse(text, &ms))
		m->received_s = ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
	else
		complain(m, "receivedAt", "it is not a UTCDate");
}

/* true: it ended. */
static bool
is_refused(struct making *m)
{
	if (m->bad.len > 0)
		m->error = "invalidProperties";
	if (m->error == NULL)
		return false;
	end(m, ST_SYNTAX);
	return true;
}

/* --- composing --- */

static void next_piece(struct making *m);

static void
on_piece_data(void *arg, struct span piece)
{
	struct making *m = arg;

	compose_encode(&m->encoder, piece, &m->encoded);
	feed(m, buf_span(&m->encoded));
	buf_clear(&m->encoded);
}

static void
on_piece_done(void *arg, enum status st)
{
	struct making *m = arg;

	blob_reader_free(&m->reader);
	if (st != ST_OK) {
		end(m, st);
		return;
	}
	compose_encode_end(&m->encoder, &m->encoded);
	feed(m, buf_span(&m->encoded));
	buf_clear(&m->encoded);
	next_piece(m);
}

static const struct blob_reader_ops piece_ops = { NULL, on_piece_data, on_piece_done };

static void
next_piece(struct making *m)
{
	const struct compose *c = &m->compose;
	const struct compose_piece *p = &c->pieces[m->at];

	feed(m, span(c->text.data + p->text, p->text_len));
	if (++m->at == c->n_pieces) {
		finish(m);
		return;
	}
	m->encoder = (struct compose_encoder){ .base64 = p->base64 };
	m->reader = blob_reader_start(m->c->host, m->c->account, &p->blob->id, 0, 0, &piece_ops, m);
	if (adding_full(m->adding))
		blob_reader_pause(m->reader);
}

static void
write_message(struct making *m)
{
	struct span user = span_str(m->c->account->user), domain = user;

	if (span_find(user, '@') < user.len)
		domain = span_sub(user, span_find(user, '@') + 1, user.len);
	compose_write(&m->compose, clock_wall_s(), domain);
	m->adding = adding_new(m->c->account, &adding_ops, m);
	m->at = 0;
	next_piece(m);
}

/* --- blobs of a composed message --- */

static void next_blob(struct making *m);

static void
on_blob_begin(void *arg, uint64_t size)
{
	struct making *m = arg;
	const struct blob_id *id = &m->compose.blobs[m->at].id;

	/* What a transfer encoding hides is less than it. */
	if (size == BLOB_SIZE_UNKNOWN)
		size = id->place[id->n_places - 1].len;
	m->blob_bytes += size < JMAP_ATTACHMENTS_MAX ? size : JMAP_ATTACHMENTS_MAX + 1;
}

static void
on_blob_data(void *arg, struct span piece)
{
	struct making *m = arg;

	compose_look(&m->compose.blobs[m->at].seen, piece);
}

static void
on_blob_done(void *arg, enum status st)
{
	struct making *m = arg;
	struct compose_blob *b = &m->compose.blobs[m->at];

	blob_reader_free(&m->reader);
	if (st != ST_OK && st != ST_NOT_FOUND) {
		end(m, st);
		return;
	}
	b->missing = st == ST_NOT_FOUND;
	m->missing |= b->missing;
	compose_look_end(&b->seen);
	m->at++;
	next_blob(m);
}

static const struct blob_reader_ops look_ops = { on_blob_begin, on_blob_data, on_blob_done };

static void
next_blob(struct making *m)
{
	for (; m->at < m->compose.n_blobs; m->at++) {
		struct compose_blob *b = &m->compose.blobs[m->at];

		b->missing = !b->valid;
		m->missing |= b->missing;
		if (!b->valid)
			continue;
		/* One that will be base64 need only be there. */
		m->reader = blob_reader_start(m->c->host, m->c->account, &b->id, 0, b->look ? 0 : 1,
		    &look_ops, m);
		return;
	}
	if (m->missing) {
		end_error(m, "blobNotFound");
	} else if (m->blob_bytes > JMAP_ATTACHMENTS_MAX) {
		buf_addf(&m->why, "the attachments are more than maxSizeAttachmentsPerEmail");
		end_error(m, "tooLarge");
	} else
		write_message(m);
}

static struct span
resolve(void *arg, struct span text)
{
	return jmap_call_resolve(arg, text);
}

static void
start_create(void *arg)
{
	struct making *m = arg;

	read_common(m);
	m->compose.resolve = resolve;
	m->compose.arg = m->c;
	if (!compose_read(&m->compose, m->c->arena, m->asked)) {
		buf_add_span(&m->bad, buf_span(&m->compose.bad));
		if (m->why.len == 0)
			buf_add_span(&m->why, buf_span(&m->compose.why));
		m->error = "invalidProperties";
	}
	if (!is_refused(m))
		next_blob(m);
}

/* --- importing --- */

static void
on_import_data(void *arg, struct span piece)
{
	struct making *m = arg;

	if (m->head.len < HEAD_MAX)
		buf_add_span(&m->head, span_sub(piece, 0, HEAD_MAX - m->head.len));
	feed(m, piece);
}

/* Of the newest Received field: what stands behind its last ";". */
static void
take_received(struct making *m)
{
	struct mime_field f;
	int64_t sec;
	int zone;

	if (!mime_field_find(buf_span(&m->head), "received", &f))
		return;
	for (size_t i = f.value.len; i-- > 0;)
		if (f.value.p[i] == ';') {
			if (mime_date_parse(span_sub(f.value, i + 1, f.value.len), &sec, &zone))
				m->received_s = sec;
			return;
		}
}

static void
on_import_done(void *arg, enum status st)
{
	struct making *m = arg;
	struct span head = buf_span(&m->head);
	struct mime_field f;

	blob_reader_free(&m->reader);
	if (st == ST_NOT_FOUND) {
		complain(m, "blobId", "there is no such blob");
		end_error(m, "invalidProperties");
	} else if (st != ST_OK) {
		end(m, st);
	} else if (!mime_field_next(&head, &f)) {
		buf_addf(&m->why, "the blob does not begin with a header field");
		end_error(m, "invalidEmail");
	} else {
		if (m->received_s == INT64_MIN)
			take_received(m);
		finish(m);
	}
}

static const struct blob_reader_ops import_ops = { NULL, on_import_data, on_import_done };

static void
start_import(void *arg)
{
	static const char *const known[] = { "blobId", "mailboxIds", "keywords", "receivedAt" };
	struct making *m = arg;
	const struct json *v;
	struct span blob, key;
	void *pos = NULL;

	read_common(m);
	if (!json_get_string(m->asked, "blobId", &blob) ||
	    (blob = jmap_call_resolve(m->c, blob)).p == NULL || !blob_id_parse(blob, &m->blob))
		complain(m, "blobId", "there is no such blob");
	while (json_next(m->asked, &pos, &key, &v)) {
		bool is = false;

		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			is |= span_eq_str(key, known[i]);
		if (!is && span_find(key, ' ') == key.len && key.len < 100) {
			char *name = arena_strndup(m->c->arena, key.p, key.len);

			complain(m, name, "there is no such property");
		}
	}
	if (is_refused(m))
		return;
	m->adding = adding_new(m->c->account, &adding_ops, m);
	m->reader = blob_reader_start(m->c->host, m->c->account, &m->blob, 0, 0, &import_ops, m);
}

/* --- the start and the report --- */

static struct making *
making_new(struct jmap_call *c, const struct json *asked, uint64_t if_email, loop_fn start,
    making_fn done, void *arg)
{
	struct making *m = mem_zalloc(sizeof(*m));

	m->c = c;
	m->asked = asked;
	m->if_email = if_email;
	m->done = done;
	m->arg = arg;
	m->start = loop_task_new(c->host->loop, start, m);
	loop_task_post(m->start);
	return m;
}

struct making *
making_create(struct jmap_call *c, const struct json *asked, uint64_t if_email, making_fn done,
    void *arg)
{
	return making_new(c, asked, if_email, start_create, done, arg);
}

struct making *
making_import(struct jmap_call *c, const struct json *asked, uint64_t if_email, making_fn done,
    void *arg)
{
	struct making *m = making_new(c, asked, if_email, start_import, done, arg);

	m->import = true;
	return m;
}

static void
report_made(const struct making *m, struct jmap_set *s, struct span creation_id)
{
	struct json_writer *w = jmap_set_created(s, creation_id);
	const struct blob_id blob = { .kind = BLOB_EMAIL, .number = m->added.message };
	struct buf text = { 0 };
	char id[JMAP_ID_MAX];
	struct span email = jmap_id(id, OBJECT_EMAIL, m->added.message);

	jmap_call_created(m->c, creation_id, email);
	blob_id_put(&text, &blob);
	json_begin_object(w);
	json_kv_string(w, "id", email);
	json_kv_string(w, "blobId", buf_span(&text));
	json_kv_string(w, "threadId", jmap_id(id, OBJECT_THREAD, m->added.thread));
	json_kv_uint(w, "size", m->added.size);
	json_end_object(w);
	buf_fini(&text);
}

static void
report_missing(const struct making *m, struct jmap_set *s, struct span creation_id)
{
	struct json_writer *w = jmap_set_failed_more(s, JMAP_CREATE, creation_id, "blobNotFound",
	    "blobs of parts are not there");
	struct table told = { 0 };

	json_key(w, "notFound");
	json_begin_array(w);
	for (size_t i = 0; i < m->compose.n_blobs; i++)
		if (m->compose.blobs[i].missing &&
		    table_put(&told, m->compose.blobs[i].text, s) == NULL)
			json_string(w, m->compose.blobs[i].text);
	json_end_array(w);
	json_end_object(w);
	table_fini(&told, NULL, NULL);
}

void
making_report(const struct making *m, struct jmap_set *s, struct span creation_id)
{
	struct span bad = buf_span(&m->bad);
	char *names;

	if (m->status == ST_OK) {
		report_made(m, s, creation_id);
	} else if (m->missing) {
		report_missing(m, s, creation_id);
	} else if (m->error != NULL) {
		if (bad.len > 0)
			bad.len--;		/* the blank behind the last */
		names = arena_strndup(m->c->arena, bad.p != NULL ? bad.p : "", bad.len);
		jmap_set_failed(s, JMAP_CREATE, creation_id, m->error, bad.len > 0 ? names : NULL,
		    "%.*s", (int)m->why.len, m->why.len > 0 ? m->why.data : "");
	} else if (m->status == ST_NOT_FOUND || m->status == ST_SYNTAX) {
		jmap_set_failed(s, JMAP_CREATE, creation_id, "invalidProperties", "mailboxIds",
		    "a mailbox is not there");
	} else if (m->status == ST_LIMIT) {
		jmap_set_failed(s, JMAP_CREATE, creation_id,
		    m->keywords.n > 0 ? "tooManyKeywords" : "tooLarge", NULL,
		    "more than the account may have");
	} else
		jmap_set_failed_status(s, JMAP_CREATE, creation_id, m->status);
}
