#include "common/transfer/archive.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/crypto/encode.h"
#include "common/json/json.h"
#include "common/json/writer.h"
#include "common/mail/flags.h"
#include "common/transfer/tar.h"
#include "common/util/mem.h"

#define FORMAT		"mansio-archive"
#define HEAD_NAME	"mansio-archive.json"
#define END_NAME	"end.json"
#define SUM_PREFIX	"sha256:"

/* Writing ------------------------------------------------------------------------- */

/* A description: the text on a line, its SHA-256 as a string on the next. */
static void
put_text(struct archive_writer *w, const char *name, struct span text, struct buf *out)
{
	unsigned char sum[SHA256_LEN];
	struct buf whole = { 0 };

	buf_add_span(&whole, text);
	buf_add_str(&whole, "\n\"" SUM_PREFIX);
	sha256(text, sum);
	hex_encode(span(sum, sizeof(sum)), &whole);
	buf_add_str(&whole, "\"\n");
	digest_add(w->digest, text.p, text.len);
	tar_put_header(out, name, whole.len, w->made_s);
	buf_add_span(out, buf_span(&whole));
	tar_put_pad(out, whole.len);
	buf_fini(&whole);
}

static void
put_hex(struct json_writer *w, const char *key, struct span bytes)
{
	struct buf hex = { 0 };

	hex_encode(bytes, &hex);
	json_kv_string(w, key, buf_span(&hex));
	buf_fini(&hex);
}

static void
put_id(struct json_writer *w, const char *key, uint64_t id)
{
	char raw[8];

	put_be64(raw, id);
	if (id != 0)
		put_hex(w, key, span(raw, sizeof(raw)));
}

static void
put_base64(struct json_writer *w, const char *key, struct span bytes)
{
	struct buf text = { 0 };

	base64_encode(bytes, &text);
	json_kv_string(w, key, buf_span(&text));
	buf_fini(&text);
}

void
archive_begin(struct archive_writer *w, struct span address, int64_t made_s, struct buf *out)
{
	struct buf text = { 0 };
	struct json_writer j;

	w->digest = digest_new(DIGEST_SHA256);
	w->made_s = made_s;
	json_writer_init(&j, &text);
	json_begin_object(&j);
	json_kv_str(&j, "format", FORMAT);
	json_kv_uint(&j, "version", ARCHIVE_VERSION);
	json_kv_string(&j, "account", address);
	json_kv_int(&j, "made", made_s);
	json_end_object(&j);
	put_text(w, HEAD_NAME, buf_span(&text), out);
	buf_fini(&text);
}

/* Pairs of spans as objects; the second one in base64 where it may be anything. */
static void
put_pairs(struct json_writer *j, const char *key, const char *first, const char *second,
    const struct buf *list, bool binary)
{
	struct reader r;

	json_key(j, key);
	json_begin_array(j);
	reader_init(&r, list->data, list->len);
	while (!r.bad && r.p < r.end) {
		struct span a = get_span(&r), b = get_span(&r);

		json_begin_object(j);
		json_kv_string(j, first, a);
		if (binary)
			put_base64(j, second, b);
		else
			json_kv_string(j, second, b);
		json_end_object(j);
	}
	json_end_array(j);
}

void
archive_folder(struct archive_writer *w, const struct transfer_folder *f, struct buf *out)
{
	char name[TAR_NAME_MAX];
	struct buf text = { 0 };
	struct json_writer j;

	w->folder++;
	w->folders++;
	json_writer_init(&j, &text);
	json_begin_object(&j);
	json_kv_string(&j, "path", buf_span(&f->path));
	json_kv_bool(&j, "exists", f->exists);
	json_kv_bool(&j, "subscribed", f->subscribed);
	json_kv_string(&j, "role", buf_span(&f->role));
	json_kv_uint(&j, "uidvalidity", f->uidvalidity);
	json_kv_uint(&j, "uidnext", f->uidnext);
	json_kv_uint(&j, "modseq", f->modseq);
	put_pairs(&j, "acl", "identifier", "rights", &f->acl, false);
	put_pairs(&j, "metadata", "name", "value", &f->metadata, true);
	if (f->scripts.len > 0) {
		put_pairs(&j, "scripts", "name", "text", &f->scripts, true);
		json_kv_string(&j, "script", buf_span(&f->active));
	}
	json_end_object(&j);
	snprintf(name, sizeof(name), "folders/%06" PRIu32 "/folder.json", w->folder);
	put_text(w, name, buf_span(&text), out);
	buf_fini(&text);
}

void
archive_message(struct archive_writer *w, const struct transfer_message *m, struct buf *out)
{
	char name[TAR_NAME_MAX];

	snprintf(name, sizeof(name), "folders/%06" PRIu32 "/%010" PRIu32 ".eml", w->folder, m->uid);
	tar_put_header(out, name, m->size, m->received_s);
}

static void
put_flags(struct json_writer *j, const struct transfer_message *m)
{
	struct reader r;

	json_key(j, "flags");
	json_begin_array(j);
	for (unsigned bit = 1; bit <= FLAG_SYSTEM_ALL; bit <<= 1)
		if (m->system & bit)
			json_str(j, flag_system_name(bit));
	reader_init(&r, m->keywords.data, m->keywords.len);
	while (!r.bad && r.p < r.end)
		json_string(j, get_span(&r));
	json_end_array(j);
}

static void
put_annotations(struct json_writer *j, const struct buf *list)
{
	struct reader r;

	json_key(j, "annotations");
	json_begin_array(j);
	reader_init(&r, list->data, list->len);
	while (!r.bad && r.p < r.end) {
		json_begin_object(j);
		json_kv_string(j, "entry", get_span(&r));
		json_kv_bool(j, "shared", get_u8(&r) != 0);
		put_base64(j, "value", get_span(&r));
		json_end_object(j);
	}
	json_end_array(j);
}

void
archive_message_end(struct archive_writer *w, const struct transfer_message *m, bool damaged,
    struct buf *out)
{
	char name[TAR_NAME_MAX];
	struct buf text = { 0 };
	struct json_writer j;

	tar_put_pad(out, m->size);
	json_writer_init(&j, &text);
	json_begin_object(&j);
	json_kv_uint(&j, "uid", m->uid);
	json_kv_uint(&j, "size", m->size);
	put_hex(&j, "sha256", span(m->sha256, sizeof(m->sha256)));
	if (damaged)
		json_kv_bool(&j, "damaged", true);
	put_flags(&j, m);
	json_kv_int(&j, "received", m->received_s);
	json_kv_int(&j, "zone", m->received_zone);
	put_id(&j, "emailid", m->message);
	put_id(&j, "threadid", m->thread);
	if (m->uidl.len > 0)
		json_kv_string(&j, "uidl", buf_span(&m->uidl));
	if (m->annotations.len > 0)
		put_annotations(&j, &m->annotations);
	json_end_object(&j);
	snprintf(name, sizeof(name), "folders/%06" PRIu32 "/%010" PRIu32 ".json", w->folder,
	    m->uid);
	put_text(w, name, buf_span(&text), out);
	buf_fini(&text);
	w->messages++;
	w->bytes += m->size;
}

void
archive_end(struct archive_writer *w, struct buf *out)
{
	unsigned char sum[SHA256_LEN];
	struct buf text = { 0 };
	struct json_writer j;

	digest_done(w->digest, sum);
	json_writer_init(&j, &text);
	json_begin_object(&j);
	json_kv_uint(&j, "folders", w->folders);
	json_kv_uint(&j, "messages", w->messages);
	json_kv_uint(&j, "bytes", w->bytes);
	put_hex(&j, "sha256", span(sum, sizeof(sum)));
	json_end_object(&j);
	put_text(w, END_NAME, buf_span(&text), out);
	tar_put_end(out);
	buf_fini(&text);
}

void
archive_fini(struct archive_writer *w)
{
	digest_free(&w->digest);
}

/* Reading ------------------------------------------------------------------------- */

struct reading {
	struct tar_reader		tar;
	const struct transfer_ops	*ops;
	void				*arg;
	struct digest			*digest;
	struct transfer_folder		folder;
	struct transfer_message		message;
	struct buf			text;
	struct json_doc			*doc;
	bool				known;		/* the head came */
	bool				begun;		/* a message whose description is to come */
	char				begun_as[TAR_NAME_MAX + 1];
	char				at[TAR_NAME_MAX + 1];	/* "folders/000001/" */
	uint64_t			size, messages, damage;
	bool				end;
};

static void drop(struct reading *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
drop(struct reading *a, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->begun = false;
	a->damage++;
	a->ops->drop(a->arg, text);
}

/* The entry at hand is a description: a->doc then, and its line is counted in.  NULL: it is
 * none. */
static const struct json *
take_text(struct reading *a, const struct tar_entry *e)
{
	unsigned char sum[SHA256_LEN];
	struct buf want = { 0 };
	struct span rest, line;
	bool ok;

	json_free(&a->doc);
	buf_clear(&a->text);
	if (e->size > ARCHIVE_JSON_MAX)
		return NULL;
	while (a->text.len < e->size) {
		char *p = buf_reserve(&a->text, 8192);
		ssize_t n = tar_read(&a->tar, p, 8192);

		if (n <= 0)
			return NULL;
		buf_added(&a->text, (size_t)n);
	}
	rest = buf_span(&a->text);
	line = span_cut(&rest, '\n');
	sha256(line, sum);
	buf_add_str(&want, "\"" SUM_PREFIX);
	hex_encode(span(sum, sizeof(sum)), &want);
	buf_add_str(&want, "\"\n");
	ok = span_eq(rest, buf_span(&want)) &&
	    json_parse(line, ARCHIVE_JSON_MAX, &a->doc) == ST_OK;
	if (ok && strcmp(e->name, END_NAME) != 0)
		digest_add(a->digest, line.p, line.len);
	buf_fini(&want);
	return ok && json_is_object(json_root(a->doc)) ? json_root(a->doc) : NULL;
}

static bool
get32(const struct json *v, const char *key, uint32_t *n)
{
	uint64_t x;

	if (!json_get_uint(v, key, &x) || x > UINT32_MAX)
		return false;
	*n = (uint32_t)x;
	return true;
}

static uint64_t
get_id(const struct json *v, const char *key)
{
	struct buf raw = { 0 };
	struct span hex;
	uint64_t id = 0;

	if (json_get_string(v, key, &hex) && hex_decode(hex, 8, &raw) && raw.len == 8)
		id = get_be64(raw.data);
	buf_fini(&raw);
	return id;
}

static bool
get_base64(const struct json *v, const char *key, struct buf *out)
{
	struct buf raw = { 0 };
	struct span text;
	bool ok = json_get_string(v, key, &text) &&
	    base64_decode(text, ARCHIVE_ANNOTATION_MAX, &raw);

	if (ok)
		put_span(out, buf_span(&raw));
	buf_fini(&raw);
	return ok;
}

static void
get_pairs(const struct json *v, const char *first, const char *second, bool binary,
    struct buf *out)
{
	struct span a, b;

	for (size_t i = 0; i < json_count(v); i++) {
		const struct json *item = json_item(v, i);
		size_t before = out->len;
		bool ok = json_get_string(item, first, &a);

		if (!ok)
			continue;
		put_span(out, a);
		if (binary)
			ok = get_base64(item, second, out);
		else if ((ok = json_get_string(item, second, &b)))
			put_span(out, b);
		if (!ok)
			buf_cut(out, before);
	}
}

/* The name up to its last part; what is in it belongs to the folder told last. */
static void
go_to(struct reading *a, const char *name)
{
	const char *slash = strrchr(name, '/');

	snprintf(a->at, sizeof(a->at), "%.*s", slash != NULL ? (int)(slash - name) + 1 : 0, name);
}

static bool
is_at(const struct reading *a, const char *name)
{
	size_t n = strlen(a->at);

	return n > 0 && strncmp(name, a->at, n) == 0 && strchr(name + n, '/') == NULL;
}

/* A folder whose description is lost: its messages go into one of another name. */
static void
make_folder(struct reading *a, const char *name)
{
	struct transfer_folder *f = &a->folder;
	char digits[16] = "";

	for (size_t n = 0; *name != '\0' && n < sizeof(digits) - 1; name++)
		if (ascii_isdigit(*name))
			digits[n++] = *name;
		else if (n > 0)
			break;
	transfer_folder_clear(f);
	f->exists = true;
	buf_addf(&f->path, "Recovered %s", digits);
	drop(a, "the description of folder %s is lost: its messages go into \"%s\"", digits,
	    buf_cstr(&f->path));
	a->ops->folder(a->arg, f);
}

static void
take_folder(struct reading *a, const char *name, const struct json *v)
{
	struct transfer_folder *f = &a->folder;
	struct span s;

	go_to(a, name);
	transfer_folder_clear(f);
	if (!json_get_string(v, "path", &s)) {
		drop(a, "a folder without a path");
		return;
	}
	buf_add_span(&f->path, s);
	if (json_get_string(v, "role", &s))
		buf_add_span(&f->role, s);
	f->exists = true;
	(void)json_get_bool(v, "exists", &f->exists);
	(void)json_get_bool(v, "subscribed", &f->subscribed);
	(void)get32(v, "uidvalidity", &f->uidvalidity);
	(void)get32(v, "uidnext", &f->uidnext);
	(void)json_get_uint(v, "modseq", &f->modseq);
	get_pairs(json_member(v, "acl"), "identifier", "rights", false, &f->acl);
	get_pairs(json_member(v, "metadata"), "name", "value", true, &f->metadata);
	get_pairs(json_member(v, "scripts"), "name", "text", true, &f->scripts);
	if (json_get_string(v, "script", &s))
		buf_add_span(&f->active, s);
	a->ops->folder(a->arg, f);
}

static void
get_flags(const struct json *v, struct transfer_message *m)
{
	struct span name;

	for (size_t i = 0; i < json_count(v); i++) {
		if (!json_as_string(json_item(v, i), &name))
			continue;
		if (name.len > 0 && name.p[0] == '\\')
			m->system |= flag_system_parse(name);
		else if (keyword_valid(name))
			put_span(&m->keywords, name);
	}
}

static void
get_annotations(const struct json *v, struct buf *out)
{
	struct span entry;

	for (size_t i = 0; i < json_count(v); i++) {
		const struct json *item = json_item(v, i);
		size_t before = out->len;
		bool shared;

		if (!json_get_string(item, "entry", &entry) ||
		    !json_get_bool(item, "shared", &shared))
			continue;
		put_span(out, entry);
		put_u8(out, shared);
		if (!get_base64(item, "value", out))
			buf_cut(out, before);
	}
}

static bool
get_message(const struct json *v, struct transfer_message *m)
{
	struct buf sum = { 0 };
	struct span hex, uidl;
	int64_t zone = 0;
	bool ok;

	transfer_message_clear(m);
	ok = get32(v, "uid", &m->uid) && m->uid > 0 && json_get_uint(v, "size", &m->size) &&
	    json_get_string(v, "sha256", &hex) && hex_decode(hex, SHA256_LEN, &sum) &&
	    sum.len == SHA256_LEN;
	if (ok) {
		memcpy(m->sha256, sum.data, SHA256_LEN);
		m->summed = true;
	}
	buf_fini(&sum);
	(void)json_get_int(v, "received", &m->received_s);
	if (json_get_int(v, "zone", &zone) && zone > -1440 && zone < 1440)
		m->received_zone = (int16_t)zone;
	m->message = get_id(v, "emailid");
	m->thread = get_id(v, "threadid");
	if (json_get_string(v, "uidl", &uidl))
		buf_add_span(&m->uidl, uidl);
	get_flags(json_member(v, "flags"), m);
	get_annotations(json_member(v, "annotations"), &m->annotations);
	return ok;
}

/* "folders/000001/0000000001.json" and ".eml" but for their ends. */
static bool
same_message(const char *json, const char *eml)
{
	size_t n = strlen(json), k = strlen(eml);

	return n > 5 && k > 4 && n - 5 == k - 4 && memcmp(json, eml, k - 4) == 0;
}

static void
take_message(struct reading *a, const struct tar_entry *e, const struct json *v)
{
	bool damaged = false;

	if (!a->begun || !same_message(e->name, a->begun_as)) {
		drop(a, "%s: its message is missing", e->name);
		return;
	}
	if (!get_message(v, &a->message) || a->message.size != a->size) {
		drop(a, "%s: it does not describe its message", e->name);
		return;
	}
	if (json_get_bool(v, "damaged", &damaged) && damaged) {
		drop(a, "%s: it was damaged when the archive was made", a->begun_as);
		return;
	}
	a->begun = false;
	a->messages++;
	a->ops->end(a->arg, &a->message);
}

static void
take_eml(struct reading *a, const struct tar_entry *e)
{
	char some[32768];
	ssize_t n;

	if (a->begun)
		drop(a, "%s: its description is missing", a->begun_as);
	if (!is_at(a, e->name)) {
		go_to(a, e->name);
		make_folder(a, e->name);
	}
	a->begun = true;
	a->size = e->size;
	memcpy(a->begun_as, e->name, sizeof(a->begun_as));
	a->ops->begin(a->arg);
	while ((n = tar_read(&a->tar, some, sizeof(some))) > 0)
		a->ops->data(a->arg, span(some, (size_t)n));
	if (n < 0)
		drop(a, "%s: the archive ends in it", a->begun_as);
}

static void
take_end(struct reading *a, const struct json *v)
{
	unsigned char sum[SHA256_LEN];
	struct buf want = { 0 };
	struct span hex;
	uint64_t messages = 0;

	a->end = true;
	digest_done(a->digest, sum);
	hex_encode(span(sum, sizeof(sum)), &want);
	(void)json_get_uint(v, "messages", &messages);
	if (a->damage == 0 && (!json_get_string(v, "sha256", &hex) ||
	    !span_eq(hex, buf_span(&want))))
		drop(a, "the archive as a whole is not what it was");
	else if (messages > a->messages + a->damage)
		drop(a, "%" PRIu64 " messages were in it, %" PRIu64 " came", messages,
		    a->messages);
	buf_fini(&want);
}

static bool
take_head(struct reading *a, const struct json *v)
{
	struct span format;
	uint64_t version;

	a->known = v != NULL && json_get_string(v, "format", &format) &&
	    span_eq_str(format, FORMAT) && json_get_uint(v, "version", &version) &&
	    version == ARCHIVE_VERSION;
	return a->known;
}

static bool
has_end(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n > k && strcmp(name + n - k, end) == 0;
}

static void
take_entry(struct reading *a, const struct tar_entry *e)
{
	const struct json *v;

	if (has_end(e->name, ".eml")) {
		take_eml(a, e);
		return;
	}
	if (!has_end(e->name, ".json")) {
		drop(a, "%s does not belong into an archive", e->name);
		return;
	}
	v = take_text(a, e);
	if (strcmp(e->name, HEAD_NAME) == 0)
		(void)take_head(a, v);
	else if (v == NULL)
		drop(a, "%s is damaged", e->name);
	else if (strcmp(e->name, END_NAME) == 0)
		take_end(a, v);
	else if (has_end(e->name, "/folder.json"))
		take_folder(a, e->name, v);
	else
		take_message(a, e, v);
}

bool
archive_read(const struct transfer_source *source, const struct transfer_ops *ops, void *arg)
{
	struct reading *a = mem_zalloc(sizeof(*a));
	struct tar_entry e;
	enum tar_result r;
	bool known;

	a->tar.source = *source;
	a->ops = ops;
	a->arg = arg;
	a->digest = digest_new(DIGEST_SHA256);
	while ((r = tar_next(&a->tar, &e)) == TAR_ENTRY) {
		if (a->tar.skipped > 0)
			drop(a, "%" PRIu64 " bytes before %s are damaged", a->tar.skipped, e.name);
		take_entry(a, &e);
		if (!a->known && a->tar.at > (1u << 20))
			break;			/* whatever it is, it is not ours */
	}
	known = a->known && a->end;
	if (a->begun)
		drop(a, "%s: its description is missing", a->begun_as);
	if (!a->known)
		drop(a, "it is no archive of a version known here");
	else if (!a->end)
		drop(a, "the archive ends before its end");
	digest_free(&a->digest);
	transfer_folder_fini(&a->folder);
	transfer_message_fini(&a->message);
	buf_fini(&a->text);
	json_free(&a->doc);
	mem_free(&a);
	return known;
}
