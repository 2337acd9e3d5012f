#include "common/mime/thread.h"

#include <string.h>

#include "common/mime/charset.h"
#include "common/mime/field.h"
#include "common/util/mem.h"
#include "common/util/table.h"

/* An id behind "<"; quotes and comments fall away, blanks too. */
static struct span
take_id(struct arena *a, struct span *s)
{
	size_t end = 0, n = 0;
	bool quoted = false;
	char *to;

	while (end < s->len && end < 2 * MIME_ID_LEN_MAX && (quoted || (s->p[end] != '>' && s->p[end] != '<'))) {
		if (s->p[end] == '"')
			quoted = !quoted;
		else if (s->p[end] == '\\' && quoted)
			end++;
		end++;
	}
	if (end >= s->len || (s->p[end] != '>' && s->p[end] != '<'))	/* an unbalanced quote, or no end */
		end = span_find(*s, '>');
	to = arena_alloc(a, end + 1);
	for (size_t i = 0; i < end; i++) {
		if (s->p[i] == '\\' && i + 1 < end)
			i++;
		else if (s->p[i] == '"' || s->p[i] == ' ' || s->p[i] == '\t')
			continue;
		to[n++] = s->p[i];
	}
	*s = span_sub(*s, end, s->len - end);
	return span(to, n);
}

size_t
mime_message_ids(struct arena *a, struct span value, struct span *v)
{
	struct span s = mime_unfold_arena(a, value);
	size_t n = 0;

	while (s.len > 0) {
		struct span id;
		size_t open = span_find(s, '<');

		if (open == s.len)
			break;
		s = span_sub(s, open + 1, s.len - open - 1);
		id = take_id(a, &s);
		if (id.len == 0 || id.len > MIME_ID_LEN_MAX)
			continue;
		if (n == MIME_IDS_MAX) {	/* the first and the latest tell most */
			memmove(v + 1, v + 2, (n - 2) * sizeof(*v));
			n--;
		}
		v[n++] = id;
	}
	return n;
}

static struct span
skip_wsp(struct span s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_sub(s, 1, s.len - 1);
	return s;
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP; 0: none. */
static size_t
blob_len(struct span s)
{
	size_t i;

	if (s.len == 0 || s.p[0] != '[')
		return 0;
	for (i = 1; i < s.len && s.p[i] != '[' && s.p[i] != ']'; i++)
		;
	if (i >= s.len || s.p[i] != ']')
		return 0;
	for (i++; i < s.len && (s.p[i] == ' ' || s.p[i] == '\t'); i++)
		;
	return i;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static size_t
refwd_len(struct span s)
{
	size_t i;

	if (span_has_caseprefix(s, "fwd"))
		i = 3;
	else if (span_has_caseprefix(s, "re") || span_has_caseprefix(s, "fw"))
		i = 2;
	else
		return 0;
	while (i < s.len && (s.p[i] == ' ' || s.p[i] == '\t'))
		i++;
	i += blob_len(span_sub(s, i, s.len - i));
	return i < s.len && s.p[i] == ':' ? i + 1 : 0;
}

/* subj-leader = (*subj-blob subj-refwd) / WSP */
static size_t
leader_len(struct span s)
{
	size_t i = 0, n;

	while ((n = blob_len(span_sub(s, i, s.len - i))) > 0)
		i += n;
	n = refwd_len(span_sub(s, i, s.len - i));
	return n > 0 ? i + n : 0;
}

static bool
strip_trailer(struct span *s, bool *reply)
{
	size_t was = s->len;

	while (s->len > 0 && (s->p[s->len - 1] == ' ' || s->p[s->len - 1] == '\t'))
		s->len--;
	if (s->len >= 5 && span_caseeq_str(span_sub(*s, s->len - 5, 5), "(fwd)")) {
		s->len -= 5;
		*reply = true;
	}
	return s->len != was;
}

static bool
strip_leaders(struct span *s, bool *reply)
{
	size_t was = s->len, n;

	for (;;) {
		*s = skip_wsp(*s);
		if ((n = leader_len(*s)) > 0) {
			*reply = true;
			*s = span_sub(*s, n, s->len - n);
		} else if ((n = blob_len(*s)) > 0 && n < s->len)
			*s = span_sub(*s, n, s->len - n);
		else
			return s->len != was;
	}
}

void
mime_base_subject(struct span value, struct buf *out, bool *reply)
{
	struct buf flat = { 0 }, text = { 0 };
	struct span s;
	bool re = false;

	mime_words_decode(value, &text);
	/* Step 1: tabs and runs of blanks are one blank. */
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i] == '\t' ? ' ' : text.data[i];

		if (c != ' ' || (flat.len > 0 && flat.data[flat.len - 1] != ' '))
			buf_add_c(&flat, c);
	}
	s = buf_span(&flat);
	for (;;) {
		while (strip_trailer(&s, &re))
			;
		while (strip_leaders(&s, &re))
			;
		if (!span_has_caseprefix(s, "[fwd:") || s.p[s.len - 1] != ']')
			break;
		re = true;
		s = span_sub(s, 5, s.len - 6);
	}
	buf_add_span(out, s);
	if (reply != NULL)
		*reply = re;
	buf_fini(&flat);
	buf_fini(&text);
}

static uint64_t
hash(struct span s)
{
	static const unsigned char key[17] = "mansio threads 1";	/* part of the stored form */
	uint64_t h = siphash24(key, s.p, s.len);

	return h != 0 ? h : 1;
}

uint64_t
mime_id_hash(struct span id)
{
	return hash(id);
}

uint64_t
mime_subject_hash(struct span base_subject)
{
	struct buf b = { 0 };
	uint64_t h;

	if (base_subject.len == 0)
		return 0;
	mime_casemap(base_subject, &b);
	h = hash(buf_span(&b));
	buf_fini(&b);
	return h;
}
