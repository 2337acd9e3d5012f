/* Texts kept for searches: what a search says is what a plain scan of the same texts says, or that
 * it does not know. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/mime/digest.h"
#include "common/mime/text.h"
#include "common/util/bytes.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "storage/search/text_priv.h"

#define ACCOUNT	0x0001000000000007u
#define MESSAGES_MAX 20000u

static unsigned long seed = 20240607;

static unsigned
rnd(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

/* What should be known, and how it is kept. */
struct world {
	char			path[64];
	int			dir;
	struct text_view	*v;
	struct text_docs	pending;
	/* message id = index + 1 */
	struct message {
		struct buf	header, body;
		bool		cut, gone, kept;
	} *m;
	size_t			n;
};

static void
world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	strcpy(w->path, "/tmp/mansio-text-XXXXXX");
	assert_non_null(mkdtemp(w->path));
	w->dir = open(w->path, O_RDONLY | O_DIRECTORY);
	w->v = text_open(w->dir, 1, ACCOUNT);
	w->m = mem_array(MESSAGES_MAX, sizeof(*w->m));
}

static void
world_fini(struct world *w)
{
	char cmd[96];

	text_view_unref(&w->v);
	text_docs_fini(&w->pending);
	for (size_t i = 0; i < w->n; i++) {
		buf_fini(&w->m[i].header);
		buf_fini(&w->m[i].body);
	}
	mem_free(&w->m);
	close(w->dir);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", w->path);
	assert_int_equal(system(cmd), 0);
}

static void
add_text(struct world *w, struct span header, struct span body, bool cut)
{
	struct message *m = &w->m[w->n];

	assert_true(w->n < MESSAGES_MAX);
	buf_add_span(&m->header, header);
	buf_add_span(&m->body, body);
	m->cut = cut;
	m->kept = text_docs_add(&w->pending, ++w->n, MIME_TEXT_VERSION, cut, header, body);
	assert_true(m->kept);
}

static void
add_mail(struct world *w, struct span mail, size_t text_max)
{
	struct mime_digest *d = mime_digest_new(text_max);
	struct mime_digest_result r;

	mime_digest_feed(d, mail.p, mail.len);
	mime_digest_finish(d, &r);
	add_text(w, span_sub(r.text, 0, r.text_header), span_sub(r.text, r.text_header, r.text.len),
	    r.text_cut);
	mime_digest_free(&d);
}

static void
flush(struct world *w)
{
	struct text_view *next;

	if (w->pending.n == 0)
		return;
	assert_int_equal(text_append(w->v, &w->pending, &next), ST_OK);
	text_view_unref(&w->v);
	w->v = next;
	text_docs_fini(&w->pending);
}

static void
reopen(struct world *w)
{
	text_view_unref(&w->v);
	w->v = text_open(w->dir, 1, ACCOUNT);
}

static bool
there(void *arg, uint64_t message)
{
	struct world *w = arg;

	return message > 0 && message <= w->n && !w->m[message - 1].gone;
}

static void
sweep(struct world *w)
{
	struct text_view *next;

	assert_int_equal(text_sweep(w->v, there, w, &next), ST_OK);
	text_view_unref(&w->v);
	w->v = next;
	for (size_t i = 0; i < w->n; i++)
		w->m[i].kept &= !w->m[i].gone;
}

static bool
holds(const struct buf *text, struct span needle)
{
	return text->len >= needle.len && memmem(text->data, text->len, needle.p, needle.len) != NULL;
}

/* Asks for every second message or for all; returns how many were not known. */
static size_t
search(struct world *w, const struct text_needle *needles, size_t n, bool all)
{
	struct text_wanted *wanted = mem_array(w->n + 1, sizeof(*wanted)), *got;
	struct text_search *s;
	size_t asked = 0, unknown = 0, steps;

	for (size_t i = 0; i < w->n; i++) {
		if (all || i % 2 == 0)
			wanted[asked++] = (struct text_wanted){ .message = i + 1, .uid = (uint32_t)i + 9 };
	}
	s = text_search_new(needles, n, MIME_TEXT_VERSION, wanted, asked);
	text_search_add_docs(s, &w->pending);
	text_search_add_view(s, w->v);
	steps = text_search_steps(s);
	for (size_t i = 0; i < steps; i++)
		(void)text_search_step(s, i);
	text_search_end(s);
	got = text_search_wanted(s, &asked);
	for (size_t i = 0; i < asked; i++) {
		const struct message *m = &w->m[got[i].message - 1];

		assert_int_equal(got[i].uid, got[i].message + 8);
		if (!got[i].known) {
			unknown++;
			continue;
		}
		assert_true(m->kept);
		for (size_t k = 0; k < n; k++) {
			bool header = !needles[k].body_only && holds(&m->header, needles[k].text);
			bool body = !header && holds(&m->body, needles[k].text);

			assert_int_equal(got[i].header >> k & 1, header);
			assert_int_equal(got[i].body >> k & 1, body);
		}
	}
	text_search_free(&s);
	return unknown;
}

/* A piece of some text, or of two that lie side by side, or nothing that is anywhere. */
static struct text_needle
some_needle(struct world *w, struct buf *room)
{
	const struct message *m = &w->m[rnd((unsigned)w->n)];
	const struct buf *from = rnd(2) ? &m->header : &m->body;
	size_t len = 1 + rnd(rnd(4) == 0 ? 40 : 9);

	buf_clear(room);
	if (from->len >= len && rnd(12) != 0)
		buf_add(room, from->data + rnd((unsigned)(from->len - len + 1)), len);
	else
		buf_addf(room, "NOT%uTHERE", rnd(1000));
	if (rnd(8) == 0)
		room->data[rnd((unsigned)room->len)] ^= 1;
	return (struct text_needle){ rnd(3) == 0, buf_span(room) };
}

static size_t
search_some(struct world *w, unsigned times)
{
	struct buf room[TEXT_NEEDLES_MAX] = { 0 };
	size_t unknown = 0;

	for (unsigned t = 0; t < times; t++) {
		struct text_needle needles[TEXT_NEEDLES_MAX];
		size_t n = rnd(3) == 0 ? 1 + rnd(TEXT_NEEDLES_MAX) : 1;

		for (size_t i = 0; i < n; i++)
			needles[i] = some_needle(w, &room[i]);
		unknown += search(w, needles, n, rnd(2));
	}
	for (size_t i = 0; i < TEXT_NEEDLES_MAX; i++)
		buf_fini(&room[i]);
	return unknown;
}

/* Mails of a folder and those below it. */
static void
each_mail(const char *dir, size_t max, void (*fn)(void *arg, struct span mail), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d != NULL && max > 0 && (e = readdir(d)) != NULL) {
		char path[PATH_MAX], *data;
		struct stat sb;
		size_t len;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (stat(path, &sb) == 0 && S_ISDIR(sb.st_mode)) {
			each_mail(path, max, fn, arg);
		} else if (fd_slurp_path(path, 4u << 20, &data, &len)) {
			fn(arg, span(data, len));
			mem_free(&data);
			max--;
		}
	}
	if (d != NULL)
		closedir(d);
}

static void
take_mail(void *arg, struct span mail)
{
	struct world *w = arg;

	if (w->n == MESSAGES_MAX)
		return;
	add_mail(w, mail, rnd(20) == 0 ? 600 : TEXT_DOC_MAX / 2);
	if (rnd(3) == 0 || text_docs_bytes(&w->pending) > TEXT_BLOCK_BYTES)
		flush(w);
}

static void
fill(struct world *w)
{
	const char *corpus = getenv("MANSIO_CORPUS");
	const char *top = getenv("srcdir") != NULL ? getenv("srcdir") : "..";
	char data[PATH_MAX];

	snprintf(data, sizeof(data), "%s/t/data/mime", top);
	each_mail(data, 200, take_mail, w);
	if (corpus != NULL)
		each_mail(corpus, 6000, take_mail, w);
	for (unsigned i = 0; i < 60; i++) {	/* in any case some */
		struct buf b = { 0 };

		buf_addf(&b, "Subject: number %u\r\nFrom: a%u@x.test\r\n\r\n", i, i % 7);
		for (unsigned k = rnd(400); k > 0; k--)
			buf_addf(&b, "word%u gr\xc3\xb6\xc3\x9f" "e %u\r\n", rnd(500), k);
		take_mail(w, buf_span(&b));
		buf_fini(&b);
	}
}

static void
a_search_says_what_a_plain_scan_says(void **state)
{
	struct world w;
	size_t cut = 0;

	world_init(&w);
	fill(&w);
	for (size_t i = 0; i < w.n; i++)
		cut += w.m[i].cut;
	search_some(&w, 300);
	flush(&w);
	search_some(&w, 100);
	reopen(&w);
	search_some(&w, 100);
	/* All that is not cut is known. */
	{
		const struct text_needle none = { false, SPAN_LIT("\x01\x02 in no text") };

		assert_int_equal(search(&w, &none, 1, true), cut);
	}
	world_fini(&w);
}

static void
messages_that_are_gone_leave_the_file(void **state)
{
	const struct text_needle none = { false, SPAN_LIT("q\x03q") };
	struct text_view_stats before, after;
	struct world w;
	size_t gone = 0;

	world_init(&w);
	for (unsigned i = 0; i < 300; i++) {
		struct buf b = { 0 };

		buf_addf(&b, "SECRET%u ", i);
		for (unsigned k = 0; k < 900; k++)
			buf_addf(&b, "%x ", rnd(1u << 24));
		add_text(&w, SPAN_LIT("SUBJECT: X\n"), buf_span(&b), false);
		buf_fini(&b);
		if (i % 11 == 0)
			flush(&w);
	}
	flush(&w);
	text_view_stats(w.v, &before);
	for (size_t i = 0; i < w.n; i++) {
		w.m[i].gone = i % 3 == 0 || i > 200;
		gone += w.m[i].gone;
	}
	sweep(&w);
	assert_int_equal(search(&w, &none, 1, true), gone);
	search_some(&w, 50);
	text_view_stats(w.v, &after);
	assert_true(after.bytes < before.bytes / 2);
	reopen(&w);
	assert_int_equal(search(&w, &none, 1, true), gone);
	search_some(&w, 50);
	{
		struct buf report = { 0 };
		uint64_t wrong = 0;

		text_check(w.dir, 1, ACCOUNT, there, &w, &report, &wrong);
		assert_int_equal(wrong, 0);
		buf_fini(&report);
	}
	/* The account is gone. */
	{
		struct buf accounts = { 0 };

		text_list(w.dir, &accounts);
		assert_int_equal(accounts.len, 8);
		assert_true(get_be64(accounts.data) == ACCOUNT);
		text_remove(w.dir, ACCOUNT);
		buf_clear(&accounts);
		text_list(w.dir, &accounts);
		assert_int_equal(accounts.len, 0);
		buf_fini(&accounts);
		reopen(&w);
		assert_int_equal(search(&w, &none, 1, true), w.n);
	}
	world_fini(&w);
}

static void
small_blocks_are_merged(void **state)
{
	struct text_view_stats st;
	struct world w;

	world_init(&w);
	for (unsigned i = 0; i < 500; i++) {
		char body[64];

		snprintf(body, sizeof(body), "MAIL NUMBER %u OF MANY %u\n", i, rnd(1000));
		add_text(&w, SPAN_LIT("SUBJECT: SMALL\n"), span_str(body), i % 50 == 49);
		flush(&w);
	}
	text_view_stats(w.v, &st);
	assert_int_equal(st.docs, 500);
	assert_true(w.v->n < 3 * 8);
	search_some(&w, 60);
	reopen(&w);
	text_view_stats(w.v, &st);
	assert_int_equal(st.docs, 500);
	search_some(&w, 60);
	world_fini(&w);
}

static size_t
file_bytes(const struct world *w)
{
	struct stat sb;

	assert_int_equal(fstat(w->v->file->fd, &sb), 0);
	return (size_t)sb.st_size;
}

static void
fill_blocks(struct world *w)
{
	for (unsigned i = 0; i < 40; i++) {
		struct buf b = { 0 };

		for (unsigned k = 0; k < 3000; k++)
			buf_addf(&b, "%x ", rnd(1u << 28));
		add_text(w, SPAN_LIT("SUBJECT: LARGE\n"), buf_span(&b), false);
		buf_fini(&b);
		if (i % 4 == 3)
			flush(w);
	}
}

/* Whatever bytes are wrong: some texts are not known, and nothing else. */
static void
damage_makes_texts_unknown_and_no_answer_wrong(void **state)
{
	const unsigned rounds = getenv("MANSIO_FULL") != NULL ? 400 : 12;
	size_t unknown = 0;

	for (unsigned round = 0; round < rounds; round++) {
		struct world w;
		struct buf report = { 0 };
		uint64_t wrong = 0;
		size_t at;
		char c;

		world_init(&w);
		fill_blocks(&w);
		for (unsigned k = rnd(4) + 1; k > 0; k--) {
			at = rnd((unsigned)file_bytes(&w));
			assert_int_equal(pread(w.v->file->fd, &c, 1, (off_t)at), 1);
			c ^= (char)(1 << rnd(8));
			assert_int_equal(pwrite(w.v->file->fd, &c, 1, (off_t)at), 1);
		}
		if (rnd(2))
			reopen(&w);
		unknown += search_some(&w, 6);
		text_check(w.dir, 1, ACCOUNT, NULL, NULL, &report, &wrong);
		/* It goes on, and what is damaged leaves. */
		for (size_t i = 0; i < 8; i++)
			add_text(&w, SPAN_LIT("SUBJECT: LATER\n"), SPAN_LIT("LATER\n"), false);
		flush(&w);
		search_some(&w, 4);
		sweep(&w);
		wrong = 0;
		text_check(w.dir, 1, ACCOUNT, NULL, NULL, &report, &wrong);
		search_some(&w, 4);
		buf_fini(&report);
		world_fini(&w);
	}
	assert_true(unknown > 0);
}

static void
a_torn_end_is_cut_off(void **state)
{
	for (unsigned round = 0; round < 10; round++) {
		const struct text_needle none = { false, SPAN_LIT("no such thing") };
		struct world w;
		size_t whole, blocks;

		world_init(&w);
		fill_blocks(&w);
		blocks = w.v->n;
		whole = w.v->blocks[blocks - 1]->head.at;
		assert_int_equal(ftruncate(w.v->file->fd,
		    (off_t)(whole + rnd(w.v->blocks[blocks - 1]->head.length))), 0);
		if (rnd(2))	/* or zeros in its place */
			assert_int_equal(ftruncate(w.v->file->fd, (off_t)whole + 300000), 0);
		reopen(&w);
		assert_true(w.v->n >= blocks - 1 && w.v->n <= blocks);
		search_some(&w, 4);
		assert_true(search(&w, &none, 1, true) <= 4 + 4);
		add_text(&w, SPAN_LIT("SUBJECT: AFTER\n"), SPAN_LIT("AFTER THE CRASH\n"), false);
		flush(&w);
		reopen(&w);
		search_some(&w, 4);
		assert_true(search(&w, &none, 1, true) <= 4);
		world_fini(&w);
	}
}

static void
another_version_or_account_is_not_known(void **state)
{
	const struct text_needle one = { false, SPAN_LIT("SUBJECT") };
	struct text_wanted *wanted = mem_array(1, sizeof(*wanted));
	struct text_view *other;
	struct text_search *s;
	struct world w;
	size_t n;

	world_init(&w);
	add_text(&w, SPAN_LIT("SUBJECT: X\n"), SPAN_LIT("BODY\n"), false);
	flush(&w);
	wanted[0].message = 1;
	s = text_search_new(&one, 1, MIME_TEXT_VERSION + 1, wanted, 1);
	text_search_add_view(s, w.v);
	assert_int_equal(text_search_steps(s), 0);
	assert_false(text_search_wanted(s, &n)->known);
	text_search_free(&s);
	other = text_open(w.dir, 2, ACCOUNT);
	assert_int_equal(other->n, 0);
	text_view_unref(&other);
	world_fini(&w);
}

static void
needles_lie_in_one_message_and_one_part_of_it(void **state)
{
	const struct text_needle across[] = {
		{ false, SPAN_LIT("END OF ONEBEGIN") },		/* two messages */
		{ false, SPAN_LIT("HEADTEXT") },		/* header and body */
		{ true, SPAN_LIT("HEAD") },
		{ true, SPAN_LIT("BEGIN OF TWO") },
		{ false, SPAN_LIT("E") }, { false, SPAN_LIT("ON") }
	};
	struct world w;

	world_init(&w);
	add_text(&w, SPAN_LIT("HEAD"), SPAN_LIT("TEXT END OF ONE"), false);
	add_text(&w, SPAN_LIT("HEAD"), SPAN_LIT("BEGIN OF TWO"), false);
	add_text(&w, SPAN_LIT(""), SPAN_LIT(""), false);
	add_text(&w, SPAN_LIT("E"), SPAN_LIT(""), false);
	assert_int_equal(search(&w, across, 6, true), 0);
	flush(&w);
	assert_int_equal(search(&w, across, 6, true), 0);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needles_lie_in_one_message_and_one_part_of_it),
		cmocka_unit_test(a_search_says_what_a_plain_scan_says),
		cmocka_unit_test(small_blocks_are_merged),
		cmocka_unit_test(messages_that_are_gone_leave_the_file),
		cmocka_unit_test(damage_makes_texts_unknown_and_no_answer_wrong),
		cmocka_unit_test(a_torn_end_is_cut_off),
		cmocka_unit_test(another_version_or_account_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
