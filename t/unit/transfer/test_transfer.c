/* The formats of exports: what is written is read again as it was, and what others wrote, or what
 * is damaged, is taken for what it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/mail/flags.h"
#include "common/transfer/archive.h"
#include "common/transfer/maildir.h"
#include "common/transfer/mbox.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "ctl/export.h"
#include "ctl/helper.h"
#include "ctl/helper_priv.h"
#include "storage/api/store_types.h"

int
ctl_error(const char *fmt, ...)
{
	return CTL_FAILED;
}

int
ctl_usage(const char *fmt, ...)
{
	return CTL_USAGE;
}

int
ctl_print(const struct buf *b)
{
	return CTL_OK;
}

void
ctl_socket(const struct ctl *ctl, struct buf *out)
{
}

/* A source that gives a few bytes at a time. */
struct feed { struct span rest; size_t step; };

static ssize_t
feed(void *arg, void *p, size_t n)
{
	struct feed *f = arg;
	struct span some = span_sub(f->rest, 0, n < f->step ? n : f->step);

	if (some.len > 0)
		memcpy(p, some.p, some.len);
	f->rest = span_sub(f->rest, some.len, f->rest.len);
	return (ssize_t)some.len;
}

/* What came, as text: "[folder] {octets|flags keywords received zone uid}" and "(drop)". */
struct seen {
	struct buf	text, data, last;
	unsigned	messages, drops, folders;
	struct transfer_message m;
};

static void
on_folder(void *arg, const struct transfer_folder *f)
{
	struct seen *s = arg;

	s->folders++;
	buf_addf(&s->text, "[%.*s %.*s %u %u]", (int)f->path.len, f->path.data, (int)f->role.len,
	    f->role.data, f->uidvalidity, f->uidnext);
}

static void
on_begin(void *arg)
{
	buf_clear(&((struct seen *)arg)->data);
}

static void
on_data(void *arg, struct span raw)
{
	buf_add_span(&((struct seen *)arg)->data, raw);
}

static void
on_end(void *arg, const struct transfer_message *m)
{
	struct seen *s = arg;
	struct buf b = { 0 };
	struct reader r;

	s->messages++;
	buf_addf(&s->text, "{%.*s|%u", (int)s->data.len, s->data.data, m->system);
	reader_init(&r, m->keywords.data, m->keywords.len);
	while (!r.bad && r.p < r.end) {
		struct span k = get_span(&r);

		buf_addf(&s->text, " %.*s", (int)k.len, k.p);
	}
	buf_addf(&s->text, " %lld %d %u}", (long long)m->received_s, m->received_zone, m->uid);
	put_transfer_message(&b, m);
	reader_init(&r, b.data, b.len);
	assert_true(get_transfer_message(&r, &s->m));
	buf_fini(&b);
}

static void
on_drop(void *arg, const char *why)
{
	struct seen *s = arg;

	s->drops++;
	buf_addf(&s->text, "(%s)", why);
}

static const struct transfer_ops ops = { on_folder, on_begin, on_data, on_end, on_drop };

static void
seen_fini(struct seen *s)
{
	transfer_message_fini(&s->m);
	buf_fini(&s->text);
	buf_fini(&s->data);
	transfer_message_fini(&s->m);
	*s = (struct seen){ 0 };
}

static bool
read_mbox(struct span text, size_t step, struct seen *s)
{
	struct feed f = { text, step };
	const struct transfer_source source = { feed, &f };

	return mbox_read(&source, &ops, s);
}

static bool
read_archive(struct span text, struct seen *s)
{
	struct feed f = { text, 700 };
	const struct transfer_source source = { feed, &f };

	return archive_read(&source, &ops, s);
}

static const char *const bodies[] = {
	"Subject: a\r\n\r\nFrom here\r\n>From there\r\n>>>From far\r\n\r\nFrom x\r\n",
	"Subject: a\r\n\r\nno line end", "Subject: a\r\n\r\n\r\n\r\n", "Subject: a\r\n\r\n", "x", "\r\n",
	"Subject: a\r\n\r\none\rtwo\r\n", "Subject: a\r\n\r\none\ntwo\r\nFrom z\n", "\r", "\n", "From ",
	"Status: R\r\nX-Mansio-Mbox: 1 0 L C 1 0\r\n\r\n>", ">>>>", "Subject: a\n\nFrom b\n\n\n",
	"X-Mansio-Mbox: 1 3 R O 1 0\r\nX-UID: 9\r\n\r\nhm\r\n\r\n"
};

static void
message(struct transfer_message *m, uint32_t uid)
{
	transfer_message_clear(m);
	m->uid = uid;
	m->uidvalidity = 77;
	m->uidnext = 99;
	m->system = FLAG_SEEN | FLAG_FLAGGED;
	put_span(&m->keywords, SPAN_LIT("$Work"));
	put_span(&m->keywords, SPAN_LIT("Other"));
	m->received_s = 1600000000;
	m->received_zone = -90;
	buf_add_str(&m->uidl, "old-1");
}

static void
write_mbox(const struct transfer_message *m, const char *body, bool base, struct buf *out)
{
	struct transfer_lines l = { .quote = true };
	size_t start = out->len, marks;

	mbox_begin(m, false, base, out, &marks);
	transfer_lines_feed(&l, span_str(body), out);
	transfer_lines_end(&l, out);
	if (l.dirty) {
		buf_cut(out, start);
		l = (struct transfer_lines){ .quote = true, .raw = true };
		mbox_begin(m, true, base, out, &marks);
		transfer_lines_feed(&l, span_str(body), out);
		transfer_lines_end(&l, out);
	}
	mbox_end(&l, out);
	if (l.open)
		out->data[marks + 2] = 'O';
}

static void
an_mbox_gives_back_every_octet_however_it_comes(void **state)
{
	struct transfer_message m = { 0 };
	struct buf file = { 0 }, want = { 0 };
	struct seen s = { 0 };

	message(&m, 5);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		write_mbox(&m, bodies[i], i == 0, &file);
		buf_addf(&want, "{%s|5 $Work Other 1600000000 -90 5}", bodies[i]);
		assert_true(read_mbox(buf_span(&file), 100, &s));
		if (!span_eq(buf_span(&s.data), span_str(bodies[i])))
			fail_msg("message %zu is \"%s\"", i, buf_cstr(&s.data));
		seen_fini(&s);
	}
	for (size_t step = 1; step < 9; step++) {
		assert_true(read_mbox(buf_span(&file), step == 8 ? 100000 : step, &s));
		assert_string_equal(buf_cstr(&s.text), buf_cstr(&want));
		assert_string_equal(buf_cstr(&s.m.uidl), "old-1");
		seen_fini(&s);
	}
	transfer_message_fini(&m);
	buf_fini(&file);
	buf_fini(&want);
}

static void
an_mbox_of_others_keeps_its_flags_and_loses_their_fields(void **state)
{
	struct seen s = { 0 };

	assert_true(read_mbox(SPAN_LIT("From a@b Thu Jul 18 02:44:25 1996\n"
	    "X-IMAPbase: 12 34 $Work\nSubject: one\nStatus: RO\nX-Status: AF\nX-Keywords: $Work  x\n"
	    " folded\nX-UID: 7\n\nbody\n>From me\n\nFrom the middle of a text\n\n"
	    "From b@c Sat Jan  1 00:00:00 2000 +0200\r\nSubject: two\r\n\r\nbody\r\n"), 100, &s));
	assert_string_equal(buf_cstr(&s.text),
	    "{Subject: one\r\n\r\nbody\r\nFrom me\r\n\r\nFrom the middle of a text\r\n|7 $Work x "
	    "837657865 0 7}{Subject: two\r\n\r\nbody\r\n|0 946684800 0 0}");
	seen_fini(&s);
	assert_false(read_mbox(SPAN_LIT("no mailbox at all\n"), 100, &s));
	assert_int_equal(s.drops, 1);
	seen_fini(&s);
	assert_true(read_mbox(SPAN_NONE, 100, &s));
	assert_int_equal(s.messages + s.drops, 0);
	seen_fini(&s);
}

static void
names_in_a_maildir_tell_flags_keywords_and_zone(void **state)
{
	struct maildir_keywords k = { 0 }, again = { 0 };
	struct transfer_message m = { 0 }, n = { 0 };
	struct buf name = { 0 }, text = { 0 };
	unsigned left;

	message(&m, 5);
	m.size = 120;
	maildir_name(&m, &k, &left, &name);
	assert_string_equal(buf_cstr(&name), "1600000000.0000000005.mansio,S=120,U=5,Z=-90:2,FSab");
	assert_int_equal(left, 0);
	maildir_keywords_print(&k, &text);
	assert_string_equal(buf_cstr(&text), "0 $Work\n1 Other\n");
	maildir_keywords_read(&again, SPAN_LIT("0 $Work\nx\n1 Other\n99 far\n2 \\bad\n"));
	transfer_message_clear(&n);
	maildir_name_read(buf_span(&name), &again, &n);
	assert_int_equal(n.uid, 5);
	assert_int_equal(n.received_zone, -90);
	assert_int_equal(n.system, m.system);
	assert_true(span_eq(buf_span(&n.keywords), buf_span(&m.keywords)));
	transfer_message_clear(&n);
	maildir_name_read(SPAN_LIT("123.x.host,U=9:2,Tz"), &again, &n);
	assert_int_equal(n.uid, 0);
	assert_int_equal(n.system, FLAG_DELETED);
	for (unsigned i = 0; i < 30; i++) {
		struct buf word = { 0 };

		transfer_message_clear(&m);
		buf_addf(&word, "k%u", i);
		put_span(&m.keywords, buf_span(&word));
		buf_clear(&name);
		maildir_name(&m, &k, &left, &name);
		assert_int_equal(left, i >= 24);
		buf_fini(&word);
	}
	maildir_keywords_fini(&k);
	maildir_keywords_fini(&again);
	transfer_message_fini(&m);
	transfer_message_fini(&n);
	buf_fini(&name);
	buf_fini(&text);
}

static void
folder_names_go_into_files_and_back(void **state)
{
	static const char *const paths[] = { "INBOX", "Work", "Work/2024", "a.b/c.d", "Gr\303\274\303\237e",
	    "\303\244.b/&", "-x", " x", "a:b\\c", "x~" };
	struct buf name = { 0 }, path = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		buf_clear(&name);
		buf_clear(&path);
		maildir_folder(span_str(paths[i]), &name);
		if (i == 0)
			assert_int_equal(name.len, 0);
		else
			assert_true(maildir_folder_read(buf_span(&name), &path));
		if (i > 0)
			assert_string_equal(buf_cstr(&path), paths[i]);
		assert_null(memchr(name.data != NULL ? name.data : "x", '/', name.len));
		buf_clear(&name);
		buf_clear(&path);
		transfer_file_name(span_str(paths[i]), &name);
		assert_null(memchr(name.data, '/', name.len));
		assert_true(transfer_file_path(buf_span(&name), &path));
		assert_string_equal(buf_cstr(&path), paths[i]);
	}
	assert_false(transfer_file_path(SPAN_LIT("a%2"), &path));
	assert_false(transfer_file_path(SPAN_LIT("a%zz"), &path));
	assert_false(maildir_folder_read(SPAN_LIT("..x"), &path));
	assert_false(maildir_folder_read(SPAN_LIT(".a/../b"), &path));
	buf_fini(&name);
	buf_fini(&path);
}

static void
lists_of_uids_are_read_in_both_versions(void **state)
{
	uint32_t validity, next;
	struct maildir_uid u;

	assert_true(maildir_uidlist_head(SPAN_LIT("3 V12 N9 Gabc"), &validity, &next));
	assert_int_equal(validity, 12);
	assert_int_equal(next, 9);
	assert_true(maildir_uidlist_head(SPAN_LIT("1 13 10"), &validity, &next));
	assert_int_equal(validity, 13);
	assert_false(maildir_uidlist_head(SPAN_LIT("2 1 1"), &validity, &next));
	assert_true(maildir_uidlist_line(SPAN_LIT("7 W99 Pabc :12.x:2,S"), &u));
	assert_int_equal(u.uid, 7);
	assert_true(span_eq_str(u.base, "12.x"));
	assert_true(span_eq_str(u.uidl, "abc"));
	assert_true(maildir_uidlist_line(SPAN_LIT("8 12.y"), &u));
	assert_true(span_eq_str(u.base, "12.y"));
	assert_int_equal(u.uidl.len, 0);
	assert_false(maildir_uidlist_line(SPAN_LIT("x :12.y"), &u));
}

/* Two folders, three messages. */
static void
make_archive(struct buf *out)
{
	struct archive_writer w = { 0 };
	struct transfer_folder f = { .exists = true, .uidvalidity = 77, .uidnext = 99 };
	struct transfer_message m = { 0 };

	archive_begin(&w, SPAN_LIT("ann@example.org"), 1700000000, out);
	for (unsigned i = 0; i < 3; i++) {
		if (i != 1) {
			buf_clear(&f.path);
			buf_addf(&f.path, "Folder %u", i);
			archive_folder(&w, &f, out);
		}
		message(&m, 10 + i);
		put_span(&m.annotations, SPAN_LIT("/comment"));
		put_u8(&m.annotations, 1);
		put_span(&m.annotations, SPAN_LIT("value"));
		m.size = strlen(bodies[i]);
		sha256(span_str(bodies[i]), m.sha256);
		archive_message(&w, &m, out);
		buf_add_str(out, bodies[i]);
		archive_message_end(&w, &m, false, out);
	}
	archive_end(&w, out);
	archive_fini(&w);
	transfer_folder_fini(&f);
	transfer_message_fini(&m);
}

static void
an_archive_describes_itself(void **state)
{
	struct buf file = { 0 }, want = { 0 };
	struct seen s = { 0 };

	make_archive(&file);
	assert_int_equal(file.len % 512, 0);
	for (unsigned i = 0; i < 3; i++) {
		if (i != 1)
			buf_addf(&want, "[Folder %u  77 99]", i);
		buf_addf(&want, "{%s|5 $Work Other 1600000000 -90 %u}", bodies[i], 10 + i);
	}
	assert_true(read_archive(buf_span(&file), &s));
	assert_string_equal(buf_cstr(&s.text), buf_cstr(&want));
	assert_true(s.m.summed && s.m.annotations.len > 0);
	seen_fini(&s);
	assert_false(read_archive(SPAN_LIT("no archive"), &s));
	seen_fini(&s);
	buf_fini(&file);
	buf_fini(&want);
}

static void
on_account(void *arg, const struct transfer_folder *f)
{
	struct buf *out = arg, b = { 0 };
	struct transfer_folder again = { .exists = false };
	struct reader r;

	put_transfer_folder(&b, f);		/* as the helper sends it */
	reader_init(&r, b.data, b.len);
	assert_true(get_transfer_folder(&r, &again) && reader_done(&r));
	assert_int_equal(again.path.len, 0);
	put_span(out, buf_span(&again.scripts));
	put_span(out, buf_span(&again.active));
	transfer_folder_fini(&again);
	buf_fini(&b);
}

static void
the_scripts_of_an_account_travel_with_it(void **state)
{
	const struct transfer_ops account = { .folder = on_account };
	struct transfer_folder f = { .exists = true };
	struct archive_writer w = { 0 };
	struct buf file = { 0 }, got = { 0 }, want = { 0 };
	struct feed in = { .step = 700 };
	const struct transfer_source source = { feed, &in };

	put_span(&f.scripts, SPAN_LIT("main"));
	put_span(&f.scripts, SPAN_LIT("keep; # \xff\0 of any bytes"));
	put_span(&f.scripts, SPAN_LIT("\xc3\xa4"));
	put_span(&f.scripts, SPAN_LIT(""));
	buf_add_str(&f.active, "main");
	archive_begin(&w, SPAN_LIT("ann@example.org"), 1700000000, &file);
	archive_folder(&w, &f, &file);
	archive_end(&w, &file);
	archive_fini(&w);
	in.rest = buf_span(&file);
	assert_true(archive_read(&source, &account, &got));
	put_span(&want, buf_span(&f.scripts));
	put_span(&want, buf_span(&f.active));
	assert_true(span_eq(buf_span(&got), buf_span(&want)));
	transfer_folder_fini(&f);
	buf_fini(&file);
	buf_fini(&got);
	buf_fini(&want);
}

/* A message whose octets changed is found by who sums them up: here nobody does. */
static void
a_damaged_archive_gives_all_but_what_is_damaged(void **state)
{
	struct buf file = { 0 };
	struct seen s = { 0 };

	make_archive(&file);
	for (size_t at = 0; at < file.len; at += 37) {
		file.data[at] ^= 1;
		(void)read_archive(buf_span(&file), &s);
		if (s.messages < 2)
			fail_msg("at %zu: %s", at, buf_cstr(&s.text));
		seen_fini(&s);
		file.data[at] ^= 1;
	}
	for (size_t n = 0; n < file.len - 1536; n += 300) {
		assert_false(read_archive(span(file.data, n), &s));
		assert_true(s.drops >= 1 && s.messages <= 3);
		seen_fini(&s);
	}
	buf_fini(&file);
}

/* The helper without its process: a message in, an append out. */
static void
the_helper_makes_of_a_message_what_an_append_carries(void **state)
{
	struct store_append_item it;
	struct transfer_message m = { 0 };
	struct buf in = { 0 };
	struct reader r;
	char out[65536];
	int to[2], from[2];
	bool message = false;
	ssize_t n;

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	helper_put(&in, HELPER_IN_DATA, SPAN_LIT("Subject: x\n\nli"));
	helper_put(&in, HELPER_IN_DATA, SPAN_LIT("ne\n"));
	helper_put(&in, HELPER_IN_END, SPAN_NONE);
	assert_true(fd_write_full(to[1], in.data, in.len));
	close(to[1]);
	assert_int_equal(helper_run(HELPER_MESSAGES, to[0], from[1]), 0);
	close(from[1]);
	n = read(from[0], out, sizeof(out));
	for (ssize_t at = 0; at < n; at += 5 + (ssize_t)get_be32(out + at + 1)) {
		reader_init(&r, out + at + 5, get_be32(out + at + 1));
		if (out[at] != HELPER_MESSAGE)
			continue;
		transfer_message_clear(&m);
		assert_true(get_transfer_message(&r, &m) && get_store_append_item(&r, &it));
		assert_int_equal(it.size, strlen("Subject: x\r\n\r\nline\r\n"));
		assert_true(it.list.len > 0 && it.structure.len > 0 && it.columns.len > 0);
		message = true;
	}
	assert_true(message);
	close(to[0]);
	close(from[0]);
	buf_fini(&in);
	transfer_message_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_mbox_gives_back_every_octet_however_it_comes),
		cmocka_unit_test(an_mbox_of_others_keeps_its_flags_and_loses_their_fields),
		cmocka_unit_test(names_in_a_maildir_tell_flags_keywords_and_zone),
		cmocka_unit_test(folder_names_go_into_files_and_back),
		cmocka_unit_test(lists_of_uids_are_read_in_both_versions),
		cmocka_unit_test(an_archive_describes_itself),
		cmocka_unit_test(the_scripts_of_an_account_travel_with_it),
		cmocka_unit_test(a_damaged_archive_gives_all_but_what_is_damaged),
		cmocka_unit_test(the_helper_makes_of_a_message_what_an_append_carries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
