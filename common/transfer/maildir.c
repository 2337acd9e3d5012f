#include "common/transfer/maildir.h"

#include <inttypes.h>
#include <string.h>

#include "common/mail/flags.h"
#include "common/mail/mailbox_name.h"

static const struct { char c; unsigned flag; } letters[] = {	/* in the order of names */
	{ 'D', FLAG_DRAFT }, { 'F', FLAG_FLAGGED }, { 'R', FLAG_ANSWERED }, { 'S', FLAG_SEEN },
	{ 'T', FLAG_DELETED }
};

void
maildir_keywords_fini(struct maildir_keywords *k)
{
	for (size_t i = 0; i < MAILDIR_KEYWORDS; i++)
		buf_fini(&k->names[i]);
	k->n = 0;
}

void
maildir_keywords_read(struct maildir_keywords *k, struct span text)
{
	while (text.len > 0) {
		struct span name = span_trim(span_cut(&text, '\n'));
		uint32_t no;

		if (!span_u32(span_cut(&name, ' '), &no) || no >= MAILDIR_KEYWORDS ||
		    !keyword_valid(name))
			continue;
		buf_clear(&k->names[no]);
		buf_add_span(&k->names[no], name);
		if (k->n <= no)
			k->n = no + 1;
	}
}

void
maildir_keywords_print(const struct maildir_keywords *k, struct buf *out)
{
	for (unsigned i = 0; i < k->n; i++)
		buf_addf(out, "%u %.*s\n", i, (int)k->names[i].len, k->names[i].data);
}

/* MAILDIR_KEYWORDS: there is no place. */
static unsigned
keyword_no(struct maildir_keywords *k, struct span name)
{
	for (unsigned i = 0; i < k->n; i++)
		if (span_caseeq(buf_span(&k->names[i]), name))
			return i;
	if (k->n < MAILDIR_KEYWORDS)
		buf_add_span(&k->names[k->n++], name);
	else
		return MAILDIR_KEYWORDS;
	return k->n - 1;
}

void
maildir_name(const struct transfer_message *m, struct maildir_keywords *k, unsigned *left,
    struct buf *out)
{
	int64_t s = m->received_s == TRANSFER_NOT_KNOWN ? 0 : m->received_s;
	bool used[MAILDIR_KEYWORDS] = { false };
	struct reader r;

	*left = 0;
	buf_addf(out, "%" PRId64 ".%010" PRIu32 ".mansio,S=%" PRIu64 ",U=%" PRIu32 ",Z=%d:2,",
	    s > 0 ? s : 0, m->uid, m->size, m->uid, m->received_zone);
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (m->system & letters[i].flag)
			buf_add_c(out, letters[i].c);
	reader_init(&r, m->keywords.data, m->keywords.len);
	while (!r.bad && r.p < r.end) {
		unsigned no = keyword_no(k, get_span(&r));

		if (no < MAILDIR_KEYWORDS)
			used[no] = true;
		else
			++*left;
	}
	for (unsigned i = 0; i < MAILDIR_KEYWORDS; i++)
		if (used[i])
			buf_add_c(out, (char)('a' + i));
}

struct span
maildir_base(struct span name)
{
	return span_sub(name, 0, span_find(name, ':'));
}

/* "U=5" among what stands behind commas. */
static struct span
tagged(struct span base, const char *tag)
{
	while (base.len > 0) {
		struct span word = span_cut(&base, ',');

		if (span_has_prefix(word, tag))
			return span_sub(word, strlen(tag), word.len);
	}
	return SPAN_NONE;
}

static void
take_zone(struct span text, struct transfer_message *m)
{
	bool west = text.len > 0 && text.p[0] == '-';
	uint32_t minutes;

	if (west)
		text = span_sub(text, 1, text.len);
	if (span_u32(text, &minutes) && minutes < 1440)
		m->received_zone = (int16_t)(west ? -(int)minutes : (int)minutes);
}

void
maildir_name_read(struct span name, const struct maildir_keywords *k,
    struct transfer_message *m)
{
	struct span base = maildir_base(name), info = span_sub(name, base.len, name.len);
	size_t comma = span_find(base, ',');

	if (comma >= 7 && span_eq_str(span_sub(base, comma - 7, 7), ".mansio")) {
		(void)span_u32(tagged(base, "U="), &m->uid);
		take_zone(tagged(base, "Z="), m);
	}
	if (!span_has_prefix(info, ":2,"))
		return;
	for (size_t i = 3; i < info.len; i++) {
		char c = info.p[i];

		for (size_t n = 0; n < sizeof(letters) / sizeof(letters[0]); n++)
			if (letters[n].c == c)
				m->system |= letters[n].flag;
		if (c >= 'a' && c <= 'z' && (unsigned)(c - 'a') < k->n &&
		    k->names[c - 'a'].len > 0)
			put_span(&m->keywords, buf_span(&k->names[c - 'a']));
	}
}

void
maildir_uidlist_begin(uint32_t uidvalidity, uint32_t uidnext, struct buf *out)
{
	buf_addf(out, "3 V%" PRIu32 " N%" PRIu32 "\n", uidvalidity, uidnext);
}

void
maildir_uidlist_add(const struct transfer_message *m, struct span name, struct buf *out)
{
	struct span base = maildir_base(name);

	buf_addf(out, "%" PRIu32 " ", m->uid);
	if (m->uidl.len > 0)
		buf_addf(out, "P%.*s ", (int)m->uidl.len, m->uidl.data);
	buf_addf(out, ":%.*s\n", (int)base.len, base.p);
}

bool
maildir_uidlist_head(struct span line, uint32_t *uidvalidity, uint32_t *uidnext)
{
	struct span version = span_cut(&line, ' ');
	bool one = span_eq_str(version, "1");

	*uidvalidity = *uidnext = 0;
	if (one)
		return span_u32(span_cut(&line, ' '), uidvalidity) &&
		    span_u32(span_trim(span_cut(&line, ' ')), uidnext);
	if (!span_eq_str(version, "3"))
		return false;
	while (line.len > 0) {
		struct span word = span_trim(span_cut(&line, ' '));

		if (word.len > 1 && word.p[0] == 'V')
			(void)span_u32(span_sub(word, 1, word.len), uidvalidity);
		else if (word.len > 1 && word.p[0] == 'N')
			(void)span_u32(span_sub(word, 1, word.len), uidnext);
	}
	return *uidvalidity != 0;
}

bool
maildir_uidlist_line(struct span line, struct maildir_uid *u)
{
	struct span rest;

	*u = (struct maildir_uid){ 0 };
	if (!span_u32(span_cut(&line, ' '), &u->uid) || u->uid == 0)
		return false;
	rest = line;
	while (rest.len > 0 && rest.p[0] != ':') {
		struct span word = span_cut(&rest, ' ');

		if (word.len > 1 && word.p[0] == 'P')
			u->uidl = span_sub(word, 1, word.len);
	}
	if (rest.len == 0)		/* version 1 has the name alone */
		u->uidl = SPAN_NONE;
	u->base = maildir_base(rest.len > 0 ? span_sub(rest, 1, rest.len) : line);
	return u->base.len > 0;
}

void
maildir_folder(struct span path, struct buf *out)
{
	struct buf name = { 0 };

	if (mailbox_name_is_inbox(path))
		return;
	mailbox_name_to_utf7(path, &name);
	buf_add_c(out, '.');
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '.')
			buf_add_str(out, "&AC4-");
		else
			buf_add_c(out, name.data[i] == '/' ? '.' : name.data[i]);
	}
	buf_fini(&name);
}

bool
maildir_folder_read(struct span name, struct buf *path)
{
	struct buf text = { 0 };
	bool ok = name.len > 1 && name.p[0] == '.' && name.p[1] != '.';

	for (size_t i = 1; ok && i < name.len; i++) {
		struct span rest = span_sub(name, i, name.len);

		if (span_has_prefix(rest, "&AC4-")) {
			buf_add_c(&text, '.');
			i += 4;
		} else {
			buf_add_c(&text, name.p[i] == '.' ? '/' : name.p[i]);
		}
	}
	ok = ok && (mailbox_name_from_utf7(buf_span(&text), path) ||
	    mailbox_name_from_utf8(buf_span(&text), path));
	buf_fini(&text);
	return ok;
}
