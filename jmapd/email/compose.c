#include "jmapd/email/compose_priv.h"

#include <string.h>

#include "common/crypto/random.h"
#include "common/mime/coding.h"
#include "common/mime/write.h"
#include "common/util/mem.h"
#include "jmapd/email/field_out.h"

#define LINE_SOFT	78u	/* RFC 5322 2.1.1 */
#define LINE_HARD	998u
#define BASE64_LINE	57u	/* bytes of a line of 76 */
#define BOUNDARY	30u

/* --- looking --- */

void
compose_look(struct compose_look *l, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (l->cr != (c == '\n'))
			l->bare = true;		/* a CR before something else, or a LF behind it */
		if (l->cr || c == '\n')
			l->column = 0;
		l->cr = c == '\r';
		l->eight_bit |= c >= 128;
		l->nul |= c == 0;
		if (c != '\r' && c != '\n' && ++l->column > l->longest)
			l->longest = l->column;
	}
	l->size += s.len;
}

void
compose_look_end(struct compose_look *l)
{
	l->bare |= l->cr;
	l->cr = false;
}

static bool
is_lines(const struct compose_look *l, size_t max)
{
	return !l->bare && !l->nul && l->longest <= max;
}

/* --- values of texts --- */

/* With CRLF for the line ends that bodyValues has; a CR alone stays. */
static struct span
with_crlf(struct compose *c, struct span value)
{
	struct buf out = { 0 };
	struct span s;

	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '\n' && (i == 0 || value.p[i - 1] != '\r'))
			buf_add_c(&out, '\r');
		buf_add_c(&out, value.p[i]);
	}
	s = arena_span(c->arena, buf_span(&out));
	buf_fini(&out);
	return s;
}

static size_t
qp_size(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char b = (unsigned char)s.p[i];

		n += (b >= 32 && b < 127 && b != '=') || b == '\r' || b == '\n' || b == '\t' ? 1 : 3;
	}
	return n;
}

/* Some programs change a line that begins so. */
static bool
has_from_line(struct span s)
{
	return span_has_prefix(s, "From ") ||
	    (s.len > 0 && memmem(s.p, s.len, "\nFrom ", 6) != NULL);
}

static enum compose_coding
coding_of_value(struct span s)
{
	struct compose_look l = { .size = 0 };

	compose_look(&l, s);
	compose_look_end(&l);
	if (!l.eight_bit && is_lines(&l, LINE_SOFT) && !has_from_line(s))
		return COMPOSE_7BIT;
	return qp_size(s) <= s.len / 3 * 4 + 4 ? COMPOSE_QP : COMPOSE_BASE64;
}

/* --- transfer encodings --- */

static enum compose_coding
coding_of_blob(const struct compose_part *p)
{
	const struct compose_look *l = &p->blob->seen;

	if (!p->blob->look)
		return COMPOSE_BASE64;
	if (!p->message)
		return !l->eight_bit && is_lines(l, LINE_HARD) ? COMPOSE_7BIT : COMPOSE_BASE64;
	/* RFC 2046 5.2.1: a message inside stands as it is. */
	if (!is_lines(l, LINE_HARD))
		return COMPOSE_BINARY;
	return l->eight_bit ? COMPOSE_8BIT : COMPOSE_7BIT;
}

/* That of a multipart is the widest of what is in it. */
static void
choose(struct compose *c, struct compose_part *p)
{
	p->coding = COMPOSE_7BIT;
	for (struct compose_part *k = p->first; k != NULL; k = k->next) {
		choose(c, k);
		if (k->coding <= COMPOSE_BINARY && k->coding > p->coding)
			p->coding = k->coding;
	}
	if (p->blob != NULL)
		p->coding = coding_of_blob(p);
	else if (p->has_value) {
		p->value = with_crlf(c, p->value);
		p->coding = coding_of_value(p->value);
	}
}

/* --- writing --- */

static bool
occurs(const struct compose_part *p, struct span boundary)
{
	if (p->value.len > 0 &&
	    memmem(p->value.p, p->value.len, boundary.p, boundary.len) != NULL)
		return true;
	for (const struct compose_part *k = p->first; k != NULL; k = k->next)
		if (occurs(k, boundary))
			return true;
	return false;
}

/* "=_" cannot stand in quoted-printable nor base64; in what stands as it is chance is
 * 1 in 2^124, and known texts are looked through. */
static struct span
make_boundary(struct compose *c)
{
	char *text = arena_alloc(c->arena, BOUNDARY + 1);

	do {
		memcpy(text, "=_", 2);
		random_id(text + 2, BOUNDARY - 2);
	} while (occurs(c->root, span(text, BOUNDARY)));
	return span(text, BOUNDARY);
}

static void
put_disposition(struct compose_part *p, struct buf *out)
{
	struct mime_line l;

	if (p->disposition.p == NULL)
		return;
	mime_line_begin(&l, out, SPAN_LIT("Content-Disposition"));
	mime_line_word(&l, p->disposition);
	if (p->name.p != NULL)
		mime_line_param(&l, "filename", p->name);
	mime_line_end(&l);
}

static void
put_type(struct compose *c, struct compose_part *p, struct buf *out)
{
	bool text = p->has_value && compose_type_is(p, "text/");
	struct mime_line l;

	if (p->content_type.p != NULL) {
		buf_add_str(out, "Content-Type:");
		buf_add(out, p->content_type.p, p->content_type.len - 2);
		if (text && p->charset.p == NULL)
			buf_add_str(out, ";\r\n charset=utf-8");
		buf_add_str(out, "\r\n");
		return;
	}
	mime_line_begin(&l, out, SPAN_LIT("Content-Type"));
	mime_line_word(&l, p->type);
	if (text)
		mime_line_param(&l, "charset", SPAN_LIT("utf-8"));
	else if (p->charset.p != NULL)
		mime_line_param(&l, "charset", p->charset);
	if (p->name.p != NULL && p->disposition.p == NULL)
		mime_line_param(&l, "name", p->name);
	if (p->multipart) {
		p->boundary = make_boundary(c);
		mime_line_param(&l, "boundary", p->boundary);
	}
	mime_line_end(&l);
}

static void
put_content_fields(struct compose *c, struct compose_part *p, struct buf *out)
{
	static const char *const names[] = {
		"7bit", "8bit", "binary", "quoted-printable", "base64"
	};

	put_type(c, p, out);
	put_disposition(p, out);
	buf_add_span(out, buf_span(&p->fields));
	if (p->coding != COMPOSE_7BIT)
		buf_addf(out, "Content-Transfer-Encoding: %s\r\n", names[p->coding]);
	buf_add_str(out, "\r\n");
}

/* What was written since the last piece, and a blob behind it. */
static void
end_piece(struct compose *c, const struct compose_part *p)
{
	struct compose_piece *last = c->n_pieces > 0 ? &c->pieces[c->n_pieces - 1] : NULL;
	size_t from = last != NULL ? last->text + last->text_len : 0;

	c->pieces[c->n_pieces++] = (struct compose_piece){ .text = from,
	    .text_len = c->text.len - from, .blob = p != NULL ? p->blob : NULL,
	    .base64 = p != NULL && p->coding == COMPOSE_BASE64 };
}

static void
put_value(struct compose *c, const struct compose_part *p)
{
	if (p->coding == COMPOSE_BASE64)
		mime_base64_lines(p->value, &c->text);
	else if (p->coding == COMPOSE_QP)
		mime_qp_lines(p->value, &c->text);
	else
		buf_add_span(&c->text, p->value);
}

/* The line end in front belongs to it; the lines of base64 have one to give. */
static void
put_boundary(struct compose *c, const struct compose_part *p, const struct compose_part *last)
{
	buf_addf(&c->text, "%s--%.*s", last == NULL || last->coding == COMPOSE_BASE64 ? "" : "\r\n",
	    (int)p->boundary.len, p->boundary.p);
}

static void
put_part(struct compose *c, struct compose_part *p)
{
	const struct compose_part *last = NULL;

	put_content_fields(c, p, &c->text);
	if (p->blob != NULL)
		end_piece(c, p);
	else if (!p->multipart)
		put_value(c, p);
	for (struct compose_part *k = p->first; k != NULL; last = k, k = k->next) {
		put_boundary(c, p, last);
		buf_add_str(&c->text, "\r\n");
		put_part(c, k);
	}
	if (p->multipart) {
		put_boundary(c, p, last);
		buf_add_str(&c->text, p == c->root ? "--\r\n" : "--");
	}
}

static void
put_missing_fields(struct compose *c, int64_t now_s, struct span domain)
{
	char id[41];

	if (!c->has_date) {
		buf_add_str(&c->text, "Date: ");
		mime_date_put(&c->text, now_s, 0);
		buf_add_str(&c->text, "\r\n");
	}
	if (!c->has_id) {
		random_id(id, sizeof(id) - 1);
		buf_addf(&c->text, "Message-ID: <%s@%.*s>\r\n", id, (int)domain.len, domain.p);
	}
	if (!c->has_version)
		buf_add_str(&c->text, "MIME-Version: 1.0\r\n");
}

void
compose_write(struct compose *c, int64_t now_s, struct span domain)
{
	c->pieces = arena_array(c->arena, c->n_blobs + 1, sizeof(*c->pieces));
	choose(c, c->root);
	buf_add_span(&c->text, buf_span(&c->header));
	put_missing_fields(c, now_s, domain);
	put_part(c, c->root);
	end_piece(c, NULL);
}

static void
free_part(struct compose_part *p)
{
	for (; p != NULL; p = p->next) {
		free_part(p->first);
		buf_fini(&p->fields);
	}
}

void
compose_fini(struct compose *c)
{
	free_part(c->root);
	buf_fini(&c->header);
	buf_fini(&c->bad);
	buf_fini(&c->why);
	buf_fini(&c->text);
	memset(c, 0, sizeof(*c));
}

/* --- blobs on their way --- */

void
compose_encode(struct compose_encoder *e, struct span piece, struct buf *out)
{
	size_t whole;

	if (!e->base64) {
		buf_add_span(out, piece);
		return;
	}
	while (e->held.len > 0 && e->held.len < BASE64_LINE && piece.len > 0) {
		buf_add_c(&e->held, piece.p[0]);
		piece = span_sub(piece, 1, piece.len);
	}
	if (e->held.len == BASE64_LINE) {
		mime_base64_lines(buf_span(&e->held), out);
		buf_clear(&e->held);
	}
	whole = piece.len - piece.len % BASE64_LINE;
	mime_base64_lines(span_sub(piece, 0, whole), out);
	buf_add_span(&e->held, span_sub(piece, whole, piece.len));
}

void
compose_encode_end(struct compose_encoder *e, struct buf *out)
{
	mime_base64_lines(buf_span(&e->held), out);
	buf_fini(&e->held);
}
