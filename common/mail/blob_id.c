#include "common/mail/blob_id.h"

#include "common/mail/object_id.h"

static char
coding_letter(enum mime_coding coding)
{
	return coding == MIME_CODING_BASE64 ? 'B' : coding == MIME_CODING_QP ? 'Q' : 'I';
}

void
blob_id_put(struct buf *out, const struct blob_id *id)
{
	object_id_put(out, id->kind, id->number);
	for (size_t i = 0; i < id->n_places; i++)
		buf_addf(out, "-%llx-%llx%c", (unsigned long long)id->place[i].start,
		    (unsigned long long)id->place[i].len, coding_letter(id->place[i].coding));
}

/* Lower-case hex, no leading zeros; taken off *s. */
static bool
take_hex(struct span *s, uint64_t *v)
{
	size_t i;

	*v = 0;
	for (i = 0; i < s->len && i < 16; i++) {
		int digit = ascii_hex(s->p[i]);

		if (digit < 0 || (s->p[i] >= 'A' && s->p[i] <= 'F'))
			break;
		*v = *v << 4 | (unsigned)digit;
	}
	if (i == 0 || (i > 1 && s->p[0] == '0'))
		return false;
	*s = span_sub(*s, i, s->len - i);
	return true;
}

static bool
take_dash(struct span *s)
{
	if (s->len == 0 || s->p[0] != '-')
		return false;
	*s = span_sub(*s, 1, s->len - 1);
	return true;
}

static bool
take_place(struct span *s, struct blob_place *p)
{
	uint64_t end;

	if (!take_dash(s) || !take_hex(s, &p->start) || !take_dash(s) || !take_hex(s, &p->len) ||
	    s->len == 0 || __builtin_add_overflow(p->start, p->len, &end))
		return false;
	p->coding = s->p[0] == 'B' ? MIME_CODING_BASE64 : s->p[0] == 'Q' ? MIME_CODING_QP :
	    s->p[0] == 'I' ? MIME_CODING_7BIT : MIME_CODING_UNKNOWN;
	*s = span_sub(*s, 1, s->len - 1);
	return p->coding != MIME_CODING_UNKNOWN;
}

bool
blob_id_parse(struct span text, struct blob_id *id)
{
	struct span base = span(text.p, span_find(text, '-'));
	struct span rest = span_sub(text, base.len, text.len - base.len);

	*id = (struct blob_id){ .kind = base.len > 0 ? base.p[0] : 0 };
	if ((id->kind != BLOB_EMAIL && id->kind != BLOB_UPLOAD) ||
	    !object_id_parse(base, id->kind, &id->number))
		return false;
	while (rest.len > 0)
		if (id->n_places == BLOB_PLACES_MAX ||
		    !take_place(&rest, &id->place[id->n_places++]))
			return false;
	return true;
}

bool
blob_id_enter(struct blob_id *id, uint64_t start, uint64_t len, enum mime_coding coding)
{
	struct blob_place *last = id->n_places > 0 ? &id->place[id->n_places - 1] : NULL;

	if (coding != MIME_CODING_BASE64 && coding != MIME_CODING_QP)
		coding = MIME_CODING_7BIT;
	if (last != NULL && last->coding == MIME_CODING_7BIT) {
		*last = (struct blob_place){ last->start + start, len, coding };
		return true;
	}
	if (id->n_places == BLOB_PLACES_MAX)
		return false;
	id->place[id->n_places++] = (struct blob_place){ start, len, coding };
	return true;
}
