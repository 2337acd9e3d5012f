/* enclose (RFC 5703 6): the message becomes an attachment of a new one, octet for octet. */
#include <string.h>

#include "common/mime/write.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"
#include "sieve/edit.h"
#include "sieve/ext_foreverypart.h"
#include "sieve/extensions.h"

static const struct sieve_tag tags[3];
enum { SUBJECT, HEADERS };

#define PIECE		65536u
#define WORK_BYTES	1024u

/* --- a boundary that is not in the message ---------------------------------------------------- */

static void
make_boundary(struct sieve_run *r, struct span header, uint32_t try, char out[40])
{
	int64_t now = sieve_env(r)->now;
	uint32_t a = crc32c(try, header.p, header.len), b = crc32c(~a, &now, sizeof(now));
	struct buf text = { 0 };

	/* "_" behind "=" is in no encoded text (RFC 2045 6.7). */
	buf_addf(&text, "=_%08x%08x%08x", a, b, crc32c(b, &a, sizeof(a)));
	memcpy(out, buf_cstr(&text), text.len + 1);
	buf_fini(&text);
}

/* Reads the message through; false: it cannot be read. */
static bool
contains(struct sieve_message *m, const char *what, bool *found)
{
	size_t len = strlen(what), held = 0;
	char *piece = mem_alloc(PIECE + 64);
	uint64_t size = sieve_message_size(m);
	bool ok = true;

	*found = false;
	for (uint64_t at = 0; ok && at < size && !*found;) {
		size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;

		ok = sieve_message_read(m, at, piece + held, n);
		if (!ok)
			break;
		*found = memmem(piece, held + n, what, len) != NULL;
		at += n;
		/* What is cut in two shows in the next piece. */
		n += held;
		held = n < len ? n : len - 1;
		memmove(piece, piece + n - held, held);
	}
	mem_free(&piece);
	return ok;
}

static enum sieve_step
find_boundary(struct sieve_run *r, const struct sieve_node *n, char out[40])
{
	struct sieve_message *m = sieve_message(r);
	struct span header = sieve_header_block(sieve_message_header(m));
	bool found = true;

	for (uint32_t try = 0; found; try++) {
		make_boundary(r, header, try, out);
		if (sieve_work(r, n, sieve_message_size(m) / WORK_BYTES + 1) != SIEVE_NEXT)
			return SIEVE_ERROR;
		if (!contains(m, out, &found))
			return sieve_fail(r, n, "'enclose': the body of this message cannot be "
			    "looked into");
	}
	return SIEVE_NEXT;
}

/* --- the new header -------------------------------------------------------------------------- */

static bool
is_named(struct sieve_run *r, const struct sieve_node *n, const char *name)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[HEADERS]);
	const struct span *names = t != NULL ? sieve_strings(r, &t->value.s) : NULL;

	for (size_t i = 0; t != NULL && i < t->value.s.n; i++)
		if (span_caseeq_str(names[i], name))
			return true;
	return false;
}

/* The fields that :headers names, as they stand. */
static void
copy_headers(struct sieve_run *r, const struct sieve_node *n, struct buf *out)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[HEADERS]);
	const struct span *names = t != NULL ? sieve_strings(r, &t->value.s) : NULL;
	struct sieve_header *h = sieve_message_header(sieve_message(r));

	for (struct sieve_field *f = sieve_header_fields(h); t != NULL && f != NULL; f = f->next) {
		for (size_t i = 0; i < t->value.s.n; i++) {
			if (!span_caseeq(f->name, names[i]) || sieve_edit_is_mime_field(f->name))
				continue;
			if (span_caseeq_str(f->name, "Subject") && sieve_tag(n, &tags[SUBJECT]) != NULL)
				continue;
			buf_add_span(out, f->raw);
			if (f->raw.len > 0 && f->raw.p[f->raw.len - 1] != '\n')
				buf_add_str(out, "\r\n");
			break;
		}
	}
}

/* :subject, or that of the message. */
static enum sieve_step
add_subject(struct sieve_run *r, const struct sieve_node *n, struct buf *out)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[SUBJECT]);
	struct sieve_header *h = sieve_message_header(sieve_message(r));
	struct span name = SPAN_LIT("Subject");
	struct sieve_field *f = sieve_header_find(h, name, sieve_name_hash(name));
	size_t was = out->len;

	if (t == NULL) {
		if (f != NULL && !is_named(r, n, "Subject"))
			buf_add_span(out, f->raw);
		return SIEVE_NEXT;
	}
	if (!sieve_edit_field(name, sieve_string(r, &t->value.s.v[0]), out))
		return sieve_fail(r, n, "the subject has control characters");
	if (out->len - was > sieve_limits(r)->header_bytes)
		return sieve_fail(r, n, "the subject takes %zu bytes: at most %u are allowed",
		    out->len - was, sieve_limits(r)->header_bytes);
	return SIEVE_NEXT;
}

static enum sieve_step
make_header(struct sieve_run *r, const struct sieve_node *n, const char *boundary,
    struct buf *out)
{
	const struct sieve_env *env = sieve_env(r);

	copy_headers(r, n, out);
	if (!is_named(r, n, "Date")) {
		buf_add_str(out, "Date: ");
		mime_date_put(out, env->now, env->zone_min);
		buf_add_str(out, "\r\n");
	}
	if (!is_named(r, n, "From")) {
		struct span from = env->n_addresses > 0 ? env->addresses[0] : env->user;

		buf_addf(out, "From: %.*s\r\n", (int)from.len, from.p);
	}
	if (add_subject(r, n, out) != SIEVE_NEXT)
		return SIEVE_ERROR;
	buf_addf(out, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=\"%s\"\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n", boundary);
	return SIEVE_NEXT;
}

/* --- the message ------------------------------------------------------------------------------ */

static enum sieve_step
put_together(struct sieve_run *r, const struct sieve_node *n, struct span header,
    struct span before, struct span after)
{
	struct sieve_message *m = sieve_message(r);
	size_t n_old, many;
	struct sieve_piece *v;

	sieve_message_pieces(m, &n_old);
	v = sieve_alloc(r, (n_old + 2) * sizeof(*v));
	v[0] = (struct sieve_piece){ .p = before.p, .len = before.len };
	many = 1 + sieve_message_range(m, 0, sieve_message_size(m), v + 1);
	v[many++] = (struct sieve_piece){ .p = after.p, .len = after.len };
	sieve_set_message(r, sieve_message_enclose(sieve_arena(r), m, header, v, many));
	sieve_leave_loops(r);
	return sieve_work(r, n, 1);
}

static enum sieve_step
run(struct sieve_run *r, const struct sieve_node *n)
{
	struct span text = sieve_string(r, &n->args[0].s.v[0]);
	struct buf header = { 0 }, before = { 0 }, body = { 0 }, after = { 0 };
	char boundary[40];
	enum sieve_step step = find_boundary(r, n, boundary);

	if (step == SIEVE_NEXT)
		step = make_header(r, n, boundary, &header);
	if (step == SIEVE_NEXT) {
		buf_addf(&before, "--%s\r\n", boundary);
		sieve_edit_text(text, &before, &body);
		buf_add_str(&before, "\r\n");
		buf_add_span(&before, buf_span(&body));
		buf_addf(&before, "\r\n--%s\r\nContent-Type: message/rfc822\r\n"
		    "Content-Transfer-Encoding: 8bit\r\n\r\n", boundary);
		buf_addf(&after, "\r\n--%s--\r\n", boundary);
		step = put_together(r, n, sieve_span(r, buf_span(&header)),
		    sieve_span(r, buf_span(&before)), sieve_span(r, buf_span(&after)));
	}
	buf_fini(&header);
	buf_fini(&before);
	buf_fini(&body);
	buf_fini(&after);
	return step;
}

static void
check(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[HEADERS]);

	for (size_t i = 0; t != NULL && i < t->value.s.n; i++)
		sieve_c_field_name(c, &t->value.s.v[i]);
}

static const struct sieve_tag tags[3] = {
	[SUBJECT] = { .name = "subject", .on = "enclose", .value = 's' },
	[HEADERS] = { .name = "headers", .on = "enclose", .value = 'S' },
	{ 0 }
};

static const struct sieve_word words[] = {
	{ .kind = SIEVE_COMMAND, .name = "enclose", .args = "s", .check = check, .run = run },
	{ 0 }
};

const struct sieve_ext sieve_ext_enclose = {
	.name = "enclose", .words = words, .tags = tags
};
