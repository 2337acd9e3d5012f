#include "ctl/output.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/mem.h"

#define BAR_WIDTH 40
#define BAR_EVERY_MS 100

void
ctl_put_size(struct buf *out, uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	uint64_t tenths = bytes * 10;
	size_t u = 0;

	if (bytes < 1024) {
		buf_add_u64(out, bytes);
		return;
	}
	if (bytes > UINT64_MAX / 16)
		tenths = UINT64_MAX;
	for (tenths /= 1024; tenths >= 10240 && units[u + 1] != '\0'; u++)
		tenths /= 1024;
	if (tenths < 100)
		buf_addf(out, "%u.%u%c", (unsigned)(tenths / 10), (unsigned)(tenths % 10), units[u]);
	else
		buf_addf(out, "%llu%c", (unsigned long long)(tenths / 10), units[u]);
}

void
ctl_put_time(struct buf *out, int64_t s)
{
	time_t t = (time_t)s;
	char text[64];
	struct tm tm;

	if (s == 0 || localtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm) == 0)
		buf_add_str(out, "never");
	else
		buf_add_str(out, text);
}

/* Tables ------------------------------------------------------------------------ */

static void
put_text(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_add_c(out, (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ? '?' : s.p[i]);
}

static void
put_cell(struct buf *out, const struct ctl_column *c, const struct json *row)
{
	const struct json *v = json_member(row, c->key);
	struct span s;
	int64_t i;
	uint64_t u;
	bool b;

	if (c->cell == CTL_CELL_SIZE && json_as_uint(v, &u)) {
		ctl_put_size(out, u);
	} else if (c->cell == CTL_CELL_TIME && json_as_int(v, &i)) {
		if (i != 0)
			ctl_put_time(out, i);
	} else if (json_as_string(v, &s)) {
		put_text(out, s);
	} else if (json_as_bool(v, &b)) {
		buf_add_str(out, b ? "yes" : "no");
	} else if (json_as_int(v, &i)) {
		buf_addf(out, "%lld", (long long)i);
	} else if (json_as_uint(v, &u)) {
		buf_add_u64(out, u);
	}
	if (out->len == 0)
		buf_add_c(out, '-');
}

/* Characters on a terminal, as far as code points tell. */
static size_t
width(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static void
pad(struct buf *line, struct span text, size_t to, bool right)
{
	size_t n = width(text);

	if (!right)
		buf_add_span(line, text);
	for (; n < to; n++)
		buf_add_c(line, ' ');
	if (right)
		buf_add_span(line, text);
}

static bool
is_right(const struct ctl_column *c)
{
	return c->cell == CTL_CELL_NUMBER || c->cell == CTL_CELL_SIZE;
}

/* row NULL: the titles.  widths NULL: prints; else only widens them. */
static void
line(struct buf *out, const struct ctl_column *columns, const struct json *row, size_t *widths,
    bool print)
{
	struct buf cell = { 0 };

	for (size_t i = 0; columns[i].key != NULL; i++) {
		bool last = columns[i + 1].key == NULL;

		buf_clear(&cell);
		if (row == NULL)
			buf_add_str(&cell, columns[i].title);
		else
			put_cell(&cell, &columns[i], row);
		if (width(buf_span(&cell)) > widths[i])
			widths[i] = width(buf_span(&cell));
		if (!print)
			continue;
		pad(out, buf_span(&cell), last && !is_right(&columns[i]) ? 0 : widths[i],
		    is_right(&columns[i]));
		buf_add_str(out, last ? "\n" : "  ");
	}
	buf_fini(&cell);
}

void
ctl_table(struct buf *out, const struct ctl_column *columns, const struct json *rows)
{
	size_t n = 0, *widths;

	while (columns[n].key != NULL)
		n++;
	if (json_count(rows) == 0)
		return;
	widths = mem_array(n, sizeof(*widths));
	line(out, columns, NULL, widths, false);
	for (size_t i = 0; i < json_count(rows); i++)
		line(out, columns, json_item(rows, i), widths, false);
	line(out, columns, NULL, widths, true);
	for (size_t i = 0; i < json_count(rows); i++)
		line(out, columns, json_item(rows, i), widths, true);
	mem_free(&widths);
}

/* JSON -------------------------------------------------------------------------- */

void
ctl_put_json(struct json_writer *w, const struct json *v)
{
	const struct json *member;
	void *pos = NULL;
	struct span s;
	int64_t i;
	uint64_t u;
	bool b;

	if (json_is_object(v)) {
		json_begin_object(w);
		while (json_next(v, &pos, &s, &member)) {
			json_key_span(w, s);
			ctl_put_json(w, member);
		}
		json_end_object(w);
	} else if (json_is_array(v)) {
		json_begin_array(w);
		for (size_t k = 0; k < json_count(v); k++)
			ctl_put_json(w, json_item(v, k));
		json_end_array(w);
	} else if (json_as_string(v, &s)) {
		json_string(w, s);
	} else if (json_as_bool(v, &b)) {
		json_bool(w, b);
	} else if (json_as_int(v, &i)) {
		json_int(w, i);
	} else if (json_as_uint(v, &u)) {
		json_uint(w, u);
	} else {
		json_null(w);
	}
}

int
ctl_print_json(struct span text)
{
	struct buf out = { 0 };
	int rc;

	buf_add_span(&out, text);
	buf_add_c(&out, '\n');
	rc = ctl_print(&out);
	buf_fini(&out);
	return rc;
}

/* Progress ---------------------------------------------------------------------- */

void
ctl_progress_start(struct ctl_progress *p, const struct ctl *ctl, const char *what)
{
	p->shown = !ctl->json && isatty(STDERR_FILENO);
	p->what = what;
	p->last_ms = 0;
}

void
ctl_progress_set(struct ctl_progress *p, uint64_t done, uint64_t total)
{
	uint64_t now = clock_mono_ms();
	unsigned full = total > 0 ? (unsigned)(done * BAR_WIDTH / total) : 0;
	char bar[BAR_WIDTH + 1];

	if (!p->shown || (done < total && now < p->last_ms + BAR_EVERY_MS))
		return;
	p->last_ms = now;
	if (full > BAR_WIDTH)
		full = BAR_WIDTH;
	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', full);
	bar[BAR_WIDTH] = '\0';
	if (total > 0)
		fprintf(stderr, "\r%s [%s] %llu/%llu", p->what, bar, (unsigned long long)done,
		    (unsigned long long)total);
	else
		fprintf(stderr, "\r%s %llu", p->what, (unsigned long long)done);
	fflush(stderr);
}

void
ctl_progress_end(struct ctl_progress *p)
{
	if (p->shown && p->last_ms != 0)
		fprintf(stderr, "\r\033[K");
	p->shown = false;
}
