#include "common/transfer/mbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "common/mail/flags.h"
#include "common/mime/date.h"
#include "common/util/mem.h"

#define MARK		"X-Mansio-Mbox:"
#define FIELD_MAX	8192u		/* of those that are taken out */
#define LINE_MAX_	16384u		/* what is looked at at once */

static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
    "Sep", "Oct", "Nov", "Dec" };

/* Writing ------------------------------------------------------------------------- */

static void
put_from(int64_t s, struct buf *out)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	time_t t = s == TRANSFER_NOT_KNOWN ? 0 : (time_t)s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -899 || tm.tm_year > 8099) {
		t = 0;
		(void)gmtime_r(&t, &tm);
	}
	buf_addf(out, "From MAILER-DAEMON %s %s %2d %02d:%02d:%02d %04d\n", days[tm.tm_wday],
	    months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
}

static void
put_status(const struct transfer_message *m, struct buf *out, unsigned *n)
{
	buf_addf(out, "Status: %sO\n", m->system & FLAG_SEEN ? "R" : "");
	++*n;
	if ((m->system & ~(unsigned)FLAG_SEEN) == 0)
		return;
	buf_addf(out, "X-Status: %s%s%s%s\n", m->system & FLAG_ANSWERED ? "A" : "",
	    m->system & FLAG_FLAGGED ? "F" : "", m->system & FLAG_DRAFT ? "T" : "",
	    m->system & FLAG_DELETED ? "D" : "");
	++*n;
}

static void
put_keywords(const struct transfer_message *m, struct buf *out, unsigned *n)
{
	struct reader r;

	if (m->keywords.len == 0)
		return;
	buf_add_str(out, "X-Keywords:");
	reader_init(&r, m->keywords.data, m->keywords.len);
	while (!r.bad && r.p < r.end) {
		buf_add_c(out, ' ');
		buf_add_span(out, get_span(&r));
	}
	buf_add_c(out, '\n');
	++*n;
}

void
mbox_begin(const struct transfer_message *m, bool raw, bool base, struct buf *out,
    size_t *marks)
{
	struct buf fields = { 0 };
	unsigned n = 0;

	if (base && m->uidvalidity != 0) {
		buf_addf(&fields, "X-IMAPbase: %" PRIu32 " %" PRIu32 "\n", m->uidvalidity,
		    m->uidnext > 0 ? m->uidnext - 1 : 0);
		n++;
	}
	put_status(m, &fields, &n);
	put_keywords(m, &fields, &n);
	if (m->uid != 0) {
		buf_addf(&fields, "X-UID: %" PRIu32 "\n", m->uid);
		n++;
	}
	if (m->uidl.len > 0) {
		buf_addf(&fields, "X-UIDL: %.*s\n", (int)m->uidl.len, m->uidl.data);
		n++;
	}
	put_from(m->received_s, out);
	buf_addf(out, MARK " 1 %u ", n);
	*marks = out->len;
	buf_addf(out, "%c C %" PRId64 " %d\n", raw ? 'R' : 'L', m->received_s, m->received_zone);
	buf_add_span(out, buf_span(&fields));
	buf_fini(&fields);
}

void
mbox_end(const struct transfer_lines *l, struct buf *out)
{
	if (l->open)
		buf_add_c(out, '\n');
	buf_add_c(out, '\n');
}

/* Reading ------------------------------------------------------------------------- */

struct line {				/* or a part of one */
	struct span	text;		/* without its line end */
	bool		start, end;
	bool		cr;		/* a CR stood before the LF */
};

struct reading {
	const struct transfer_source	*source;
	const struct transfer_ops	*ops;
	void				*arg;
	struct buf			in, out;
	size_t				taken;
	bool				eof, failed, inside;	/* inside: of a line */
	/* of the message at hand */
	struct transfer_message		m;
	bool				begun, header, first;
	bool				raw, open, ours, skipping, pseudo;
	unsigned			fields;		/* of ours that are to come */
	uint64_t			eols;		/* line ends not yet given */
	bool				blank;		/* the last line was empty */
	uint64_t			messages;
	bool				told;
};

static bool
next_line(struct reading *b, struct line *l)
{
	const char *nl;
	size_t n;

	buf_drop(&b->in, b->taken);
	b->taken = 0;
	while ((nl = b->in.len > 0 ? memchr(b->in.data, '\n', b->in.len) : NULL) == NULL &&
	    !b->eof && b->in.len < LINE_MAX_) {
		ssize_t r = b->source->read(b->source->arg, buf_reserve(&b->in, LINE_MAX_),
		    LINE_MAX_);

		if (r <= 0) {
			b->eof = true;
			b->failed = r < 0;
		} else {
			buf_added(&b->in, (size_t)r);
		}
	}
	if (b->in.len == 0)
		return false;
	n = nl != NULL ? (size_t)(nl - b->in.data) : b->in.len;
	/* a CR at the end of a part may belong to the line end behind it */
	if (nl == NULL && !b->eof && n > 1 && b->in.data[n - 1] == '\r')
		n--;
	b->taken = nl != NULL ? n + 1 : n;
	l->text = span(b->in.data, n);
	l->cr = nl != NULL && n > 0 && b->in.data[n - 1] == '\r';
	l->start = !b->inside;
	l->end = nl != NULL;
	b->inside = nl == NULL;
	return true;
}

/* "From address Thu Jan  1 00:00:00 1970", with a zone before or behind the year. */
static bool
from_line(const struct line *l, int64_t *received_s)
{
	struct span rest = l->text, word;
	unsigned month = 0;
	uint32_t day = 0, hour = 0, min = 0, sec = 0, year = 0, n;
	bool time = false;

	if (!l->start || !l->end || rest.len > 512 || !span_has_prefix(rest, "From "))
		return false;
	while (rest.len > 0) {
		word = span_trim(span_cut(&rest, ' '));
		if (month == 0) {
			for (unsigned i = 0; i < ARRAY_LEN(months); i++)
				if (span_eq_str(word, months[i]))
					month = i + 1;
		} else if (day == 0 && span_u32(word, &n)) {
			day = n;
		} else if (!time && span_find(word, ':') < word.len) {
			struct span t = word;

			time = span_u32(span_cut(&t, ':'), &hour) &&
			    span_u32(span_cut(&t, ':'), &min) &&
			    (t.len == 0 || span_u32(t, &sec));
		} else if (word.len == 4 && span_u32(word, &n) && n >= 1900) {
			year = n;
		}
	}
	if (month == 0 || day < 1 || day > 31 || !time || year == 0 || hour > 23 || min > 59 ||
	    sec > 60)
		return false;
	*received_s = mime_days((int)year, (int)month, (int)day) * 86400 + hour * 3600 + min * 60 +
	    sec;
	return true;
}

static void
flush(struct reading *b)
{
	if (b->out.len > 0)
		b->ops->data(b->arg, buf_span(&b->out));
	buf_clear(&b->out);
}

static void
give_eols(struct reading *b, uint64_t n)
{
	for (; n > 0; n--) {
		buf_add_str(&b->out, b->raw ? "\n" : "\r\n");
		if (b->out.len >= LINE_MAX_)
			flush(b);
	}
}

static void
end_message(struct reading *b)
{
	if (!b->begun)
		return;
	if (b->blank && b->eols > 0)
		b->eols--;
	if (b->open && b->eols > 0)
		b->eols--;
	give_eols(b, b->eols);
	flush(b);
	b->begun = false;
	if (b->failed) {
		b->ops->drop(b->arg, "the file cannot be read to its end");
	} else if (b->pseudo) {
		b->ops->drop(b->arg, "");
	} else {
		b->messages++;
		b->ops->end(b->arg, &b->m);
	}
}

static void
begin_message(struct reading *b, int64_t received_s)
{
	transfer_message_clear(&b->m);
	b->m.received_s = received_s;
	b->begun = b->header = b->first = true;
	b->raw = b->open = b->ours = b->skipping = b->pseudo = b->blank = false;
	b->fields = 0;
	b->eols = 0;
	b->ops->begin(b->arg);
}

/* The field that leads ours. */
static bool
take_mark(struct reading *b, struct span line)
{
	long long received;
	unsigned version, n;
	int zone;
	char text[128], form, end;

	if (!span_has_prefix(line, MARK) || line.len >= sizeof(text))
		return false;
	memcpy(text, line.p, line.len);
	text[line.len] = '\0';
	if (sscanf(text, MARK " %u %u %c %c %lld %d", &version, &n, &form, &end, &received,
	    &zone) != 6 || version != 1 || n > 16 || zone <= -1440 || zone >= 1440)
		return false;
	b->ours = true;
	b->fields = n;
	b->raw = form == 'R';
	b->open = end == 'O';
	b->m.received_s = received;
	b->m.received_zone = (int16_t)zone;
	return true;
}

static void
take_letters(struct reading *b, struct span value)
{
	static const struct { char c; unsigned flag; } letters[] = { { 'R', FLAG_SEEN },
	    { 'A', FLAG_ANSWERED }, { 'F', FLAG_FLAGGED }, { 'T', FLAG_DRAFT },
	    { 'D', FLAG_DELETED } };

	for (size_t i = 0; i < value.len; i++)
		for (size_t k = 0; k < ARRAY_LEN(letters); k++)
			if (value.p[i] == letters[k].c)
				b->m.system |= letters[k].flag;
}

static void
take_base(struct reading *b, struct span value)
{
	uint32_t last;

	if (!span_u32(span_cut(&value, ' '), &b->m.uidvalidity) ||
	    !span_u32(span_cut(&value, ' '), &last) || last == UINT32_MAX)
		b->m.uidvalidity = 0;
	else
		b->m.uidnext = last + 1;
}

/* A field that tells of the message and is not of it. */
static bool
take_field(struct reading *b, struct span line)
{
	struct span value = line, name = span_trim(span_cut(&value, ':')), word;

	if (value.p == NULL || line.len > FIELD_MAX)
		return false;
	value = span_trim(value);
	if (span_caseeq_str(name, "Status") || span_caseeq_str(name, "X-Status")) {
		take_letters(b, value);
	} else if (span_caseeq_str(name, "X-Keywords")) {
		while (value.len > 0)
			if (keyword_valid(word = span_cut(&value, ' ')))
				put_span(&b->m.keywords, word);
	} else if (span_caseeq_str(name, "X-UID")) {
		(void)span_u32(value, &b->m.uid);
	} else if (span_caseeq_str(name, "X-UIDL")) {
		buf_clear(&b->m.uidl);
		buf_add_span(&b->m.uidl, value);
	} else if (span_caseeq_str(name, "X-IMAPbase")) {
		take_base(b, value);
	} else if (span_caseeq_str(name, "X-IMAP")) {
		take_base(b, value);
		b->pseudo = true;	/* other servers' note to themselves */
	} else {
		return false;
	}
	return true;
}

/* true: the line is not of the message. */
static bool
header_line(struct reading *b, const struct line *l, struct span text)
{
	bool fold = text.len > 0 && (text.p[0] == ' ' || text.p[0] == '\t');

	if (b->first) {
		b->first = false;
		if (l->end && take_mark(b, text))
			return true;
	}
	if (b->fields > 0) {
		b->fields--;
		if (take_field(b, text))
			return true;
		b->fields = 0;		/* somebody changed what we wrote */
		b->ours = false;
	}
	if (b->ours) {
		b->header = false;
		return false;
	}
	if (fold)
		return b->skipping;
	b->skipping = l->end && take_field(b, text);
	if (text.len == 0)
		b->header = false;
	return b->skipping;
}

static bool
is_quoted(struct span text)
{
	size_t i = 0;

	while (i < text.len && text.p[i] == '>')
		i++;
	return i > 0 && span_has_prefix(span_sub(text, i, text.len), "From ");
}

static void
take_line(struct reading *b, const struct line *l)
{
	struct span text = l->text;

	if (l->cr && !b->raw)
		text.len--;
	if (l->start && b->header && header_line(b, l, l->cr ?
	    span_sub(l->text, 0, l->text.len - 1) : l->text))
		return;
	if (b->raw)			/* told by the mark */
		text = l->text;
	if (l->start && l->end && text.len == 0) {
		b->eols++;
		b->blank = true;
		return;
	}
	if (l->start) {
		give_eols(b, b->eols);
		b->eols = 0;
		b->blank = false;
		if (is_quoted(text))
			text = span_sub(text, 1, text.len);
	}
	buf_add_span(&b->out, text);
	if (b->out.len >= LINE_MAX_)
		flush(b);
	if (l->end)
		b->eols = 1;
}

bool
mbox_read(const struct transfer_source *source, const struct transfer_ops *ops, void *arg)
{
	struct reading *b = mem_zalloc(sizeof(*b));
	struct line l;
	int64_t received_s;
	bool ok;

	b->source = source;
	b->ops = ops;
	b->arg = arg;
	while (next_line(b, &l)) {
		if ((!b->begun || b->blank) && from_line(&l, &received_s)) {
			end_message(b);
			begin_message(b, received_s);
		} else if (b->begun) {
			take_line(b, &l);
		} else if (!b->told && l.text.len > 0) {
			b->told = true;
			ops->drop(arg, "the file does not begin with a \"From \" line");
		}
	}
	end_message(b);
	if (b->failed && b->messages == 0)
		ops->drop(arg, "the file cannot be read");
	ok = b->messages > 0 || !b->told;
	transfer_message_fini(&b->m);
	buf_fini(&b->in);
	buf_fini(&b->out);
	mem_free(&b);
	return ok;
}
