#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "storage/api/directory.h"
#include "storage/api/store_email.h"
#include "storage/api/store_proto.h"
#include "storage/api/store_sieve.h"

#define CHECK_SPAN(a, b) assert_true(span_eq((a), (b)))

static void
begin(struct reader *r, const struct buf *b)
{
	reader_init(r, b->data, b->len);
}

static void
a_mailbox_line_comes_back_as_it_was(void **state)
{
	const struct store_mailbox in = { .id = 7, .path = SPAN_LIT("Lists/C"),
		.role = MAILBOX_ROLE_ARCHIVE, .subscribed = true, .has_children = true,
		.uidvalidity = 4294967295u, .uidnext = 12, .highestmodseq = UINT64_MAX,
		.messages = 3, .unseen = 2, .deleted = 1, .recent = 1, .bytes = 1u << 31,
		.rights = RIGHT_ALL, .order = 10 };
	const struct store_mailbox gone = { .path = SPAN_LIT("Old"), .subscribed = true };
	struct store_mailbox out;
	struct buf b = { 0 };
	struct reader r;

	put_store_mailbox(&b, &in);
	put_store_mailbox(&b, &gone);
	begin(&r, &b);
	assert_true(get_store_mailbox(&r, &out));
	CHECK_SPAN(out.path, in.path);
	assert_int_equal(out.id, 7);
	assert_int_equal(out.role, in.role);
	assert_true(out.subscribed && out.has_children);
	assert_int_equal(out.uidvalidity, in.uidvalidity);
	assert_int_equal(out.uidnext, 12);
	assert_true(out.highestmodseq == UINT64_MAX);
	assert_int_equal(out.messages, 3);
	assert_int_equal(out.unseen, 2);
	assert_int_equal(out.deleted, 1);
	assert_int_equal(out.recent, 1);
	assert_true(out.bytes == in.bytes);
	assert_int_equal(out.rights, RIGHT_ALL);
	assert_int_equal(out.order, 10);
	assert_true(get_store_mailbox(&r, &out));
	assert_true(out.id == 0 && out.subscribed && !out.has_children);
	assert_false(get_store_mailbox(&r, &out));
	assert_true(reader_done(&r));
	buf_fini(&b);
}

static void
a_row_carries_the_groups_asked_for_and_zero_for_others(void **state)
{
	struct store_row in = { .uid = 5, .modseq = 9, .flags = flags_system(FLAG_SEEN),
		.size = 1234, .received_s = -5, .received_zone = -330, .message = 77,
		.thread = 66, .saved_s = 1700000000 };

	flags_set_keyword(&in.flags, 119);
	for (unsigned fields = 0; fields <= ROW_ALL; fields++) {
		struct buf b = { 0 };
		struct store_row out;
		struct reader r;

		put_store_row(&b, &in, fields);
		begin(&r, &b);
		assert_true(get_store_row(&r, &out, fields));
		assert_true(reader_done(&r));
		assert_int_equal(out.uid, 5);
		assert_int_equal(out.modseq, fields & ROW_FLAGS ? 9 : 0);
		assert_int_equal(flags_eq(out.flags, in.flags), (fields & ROW_FLAGS) != 0);
		assert_int_equal(out.size, fields & ROW_SIZE ? 1234 : 0);
		assert_int_equal(out.received_s, fields & ROW_SIZE ? -5 : 0);
		assert_int_equal(out.received_zone, fields & ROW_SIZE ? -330 : 0);
		assert_int_equal(out.message, fields & ROW_IDS ? 77 : 0);
		assert_int_equal(out.thread, fields & ROW_IDS ? 66 : 0);
		assert_int_equal(out.saved_s, fields & ROW_IDS ? 1700000000 : 0);
		buf_fini(&b);
	}
}

static struct store_append_item
sample_item(void)
{
	return (struct store_append_item){ .flags = flags_system(FLAG_DRAFT),
		.received_s = INT64_MIN, .received_zone = 60, .size = 4096,
		.sha256 = span("0123456789abcdef0123456789abcdef", 32),
		.list = SPAN_LIT("list"), .structure = SPAN_LIT("structure"),
		.columns = SPAN_LIT("c"), .thread_keys = span("abcdefgh01234567", 16),
		.subject_hash = 99, .body = SPAN_LIT("body"), .text = SPAN_LIT("text") };
}

static bool
item_passes(const struct store_append_item *it, struct store_append_item *out)
{
	struct buf b = { 0 };
	struct reader r;
	bool ok;

	put_store_append_item(&b, it);
	begin(&r, &b);
	ok = get_store_append_item(&r, out);
	assert_int_equal(ok, !r.bad);
	buf_fini(&b);
	return ok;
}

static void
an_item_to_append_comes_back_and_its_bounds_hold(void **state)
{
	struct store_append_item it = sample_item(), out;
	char *large = mem_zalloc(STORE_INLINE_MAX + 1);

	assert_true(item_passes(&it, &out));
	assert_true(out.received_s == INT64_MIN);
	assert_int_equal(out.received_zone, 60);
	assert_int_equal(out.subject_hash, 99);
	assert_int_equal(out.thread_keys.len, 16);

	it.body = span(large, STORE_INLINE_MAX);
	assert_true(item_passes(&it, &out));
	it.body = span(large, STORE_INLINE_MAX + 1);
	assert_false(item_passes(&it, &out));
	it.body = SPAN_NONE;		/* neither inline nor staged */
	assert_false(item_passes(&it, &out));
	it.stage = 3;
	assert_true(item_passes(&it, &out));
	it.sha256.len = 31;
	assert_false(item_passes(&it, &out));
	it = sample_item();
	it.thread_keys.len = 15;
	assert_false(item_passes(&it, &out));
	it = sample_item();
	it.size = (uint64_t)STORE_SIZE_MAX + 1;
	assert_false(item_passes(&it, &out));
	it = sample_item();
	it.flags.w[0] |= 128;		/* no such system flag */
	assert_false(item_passes(&it, &out));
	mem_free(&large);
}

static void
the_small_lists_come_back_as_they_were(void **state)
{
	const struct store_cache c = { 8, SPAN_LIT("ENV"), SPAN_NONE };
	const struct store_body_piece p = { 9, 100, 96, SPAN_LIT("four") };
	const struct store_dir_record d = { SPAN_LIT("domain/x"), 12, SPAN_LIT("v") };
	const struct store_dir_step s = { DIR_VERSION, 12, 1, SPAN_LIT("k"), SPAN_LIT("v") };
	struct store_cache c2;
	struct store_body_piece p2;
	struct store_dir_record d2;
	struct store_dir_step s2;
	struct span name;
	struct buf b = { 0 };
	struct reader r;

	put_store_cache(&b, &c);
	put_store_body_piece(&b, &p);
	put_store_keyword(&b, SPAN_LIT("$Forwarded"));
	put_store_dir_record(&b, &d);
	put_store_dir_step(&b, &s);
	begin(&r, &b);
	assert_true(get_store_cache(&r, &c2));
	assert_true(c2.uid == 8 && span_eq(c2.list, c.list) && c2.structure.len == 0);
	assert_true(get_store_body_piece(&r, &p2));
	assert_true(p2.uid == 9 && p2.stored_size == 100 && p2.offset == 96);
	CHECK_SPAN(p2.data, p.data);
	assert_true(get_store_keyword(&r, &name));
	CHECK_SPAN(name, SPAN_LIT("$Forwarded"));
	assert_true(get_store_dir_record(&r, &d2));
	assert_true(span_eq(d2.key, d.key) && d2.version == 12 && span_eq(d2.value, d.value));
	assert_true(get_store_dir_step(&r, &s2));
	assert_true(s2.check == DIR_VERSION && s2.version == 12 && s2.change == 1);
	assert_true(reader_done(&r));
	assert_false(get_store_dir_step(&r, &s2));
	assert_false(r.bad);
	buf_fini(&b);
}

static void
what_jmap_asks_and_is_told_comes_back_as_it_was(void **state)
{
	const struct store_member m = { 7, { .uid = 3, .modseq = 9, .flags = flags_system(FLAG_SEEN),
	    .size = 100, .received_s = 1700000000, .received_zone = -60, .message = 5,
	    .thread = 6, .saved_s = 1700000001 } };
	struct store_email_change c = { .message = 5, .thread = 6, .was = true, .what = EMAIL_MAILBOXES };
	const struct store_mailbox_change mc = { 7, false, true, MAILBOX_CHANGED_COUNTS };
	struct store_email_item it = { .message = 5, .how = EMAIL_UPDATE,
		.keywords_how = EMAIL_PATCH, .keywords_add = flags_system(FLAG_SEEN),
		.mailboxes_how = EMAIL_REPLACE, .mailboxes_add = span("12345678", 8) };
	const struct store_blob x = { 9, 4096, span("0123456789abcdef0123456789abcdef", 32), 1, 2 };
	struct store_member m2;
	struct store_email_change c2;
	struct store_mailbox_change mc2;
	struct store_email_item it2;
	struct store_blob x2;
	struct buf b = { 0 }, members = { 0 };
	struct reader r;

	put_store_member(&members, &m);
	c.members = buf_span(&members);
	put_store_email_change(&b, &c);
	put_store_mailbox_change(&b, &mc);
	put_store_email_item(&b, &it);
	put_store_blob(&b, &x);
	begin(&r, &b);
	assert_true(get_store_email_change(&r, &c2));
	assert_true(c2.message == 5 && c2.thread == 6 && c2.was && !c2.is);
	assert_int_equal(c2.what, EMAIL_MAILBOXES);
	CHECK_SPAN(c2.members, buf_span(&members));
	assert_true(get_store_mailbox_change(&r, &mc2));
	assert_true(mc2.mailbox == 7 && !mc2.was && mc2.is && mc2.what == MAILBOX_CHANGED_COUNTS);
	assert_true(get_store_email_item(&r, &it2));
	assert_true(it2.message == 5 && it2.keywords_how == EMAIL_PATCH &&
	    it2.mailboxes_how == EMAIL_REPLACE);
	assert_true(flags_eq(it2.keywords_add, it.keywords_add));
	CHECK_SPAN(it2.mailboxes_add, it.mailboxes_add);
	assert_true(get_store_blob(&r, &x2));
	assert_true(x2.id == 9 && x2.size == 4096 && x2.created_ms == 1 && x2.expires_ms == 2);
	assert_true(reader_done(&r));
	begin(&r, &members);
	assert_true(get_store_member(&r, &m2));
	assert_true(m2.mailbox == 7 && m2.row.uid == 3 && m2.row.thread == 6);
	assert_true(reader_done(&r));
	buf_clear(&b);
	it.keywords_add = flags_system(FLAG_DELETED);	/* is no keyword */
	put_store_email_item(&b, &it);
	begin(&r, &b);
	assert_false(get_store_email_item(&r, &it2));
	assert_true(r.bad);
	buf_fini(&b);
	buf_fini(&members);
}

static void
what_sieve_keeps_comes_back_as_it_was(void **state)
{
	const char *key = "0123456789abcdef0123456789abcdef";
	const struct store_script s = { 9, SPAN_LIT("main"), true, 77, 12, -5, span(key, 32) };
	const struct store_sieve_key k = { SIEVE_KEY_VACATION, span(key, 32) };
	struct store_deliver_key dk = { SIEVE_KEY_DUPLICATE, span(key, 32), true, 86400 };
	struct store_deliver_place p = { 2, 7, MAILBOX_ROLE_JUNK, SPAN_LIT("Spam"), true, true,
		flags_system(FLAG_SEEN) };
	const struct store_delivered_place dp = { PLACED_MADE, 7, 1, 2, 3, 4 };
	struct store_script s2;
	struct store_sieve_key k2;
	struct store_deliver_key dk2;
	struct store_deliver_place p2;
	struct store_delivered_place dp2;
	struct buf b = { 0 };
	struct reader r;

	flags_set_keyword(&p.flags, 119);
	put_store_script(&b, &s);
	put_store_sieve_key(&b, &k);
	put_store_deliver_key(&b, &dk);
	put_store_deliver_place(&b, &p);
	put_store_delivered_place(&b, &dp);
	begin(&r, &b);
	assert_true(get_store_script(&r, &s2));
	assert_true(s2.id == 9 && s2.active && s2.size == 77 && s2.modseq == 12 &&
	    s2.changed_ms == -5);
	CHECK_SPAN(s2.name, s.name);
	CHECK_SPAN(s2.sha256, s.sha256);
	assert_true(get_store_sieve_key(&r, &k2) && k2.kind == k.kind);
	CHECK_SPAN(k2.key, k.key);
	assert_true(get_store_deliver_key(&r, &dk2));
	assert_true(dk2.kind == dk.kind && dk2.known && dk2.remember_s == 86400);
	CHECK_SPAN(dk2.key, dk.key);
	assert_true(get_store_deliver_place(&r, &p2));
	assert_true(p2.body == 2 && p2.mailbox == 7 && p2.role == MAILBOX_ROLE_JUNK && p2.create &&
	    p2.subscribe && flags_eq(p2.flags, p.flags));
	CHECK_SPAN(p2.path, p.path);
	assert_true(get_store_delivered_place(&r, &dp2));
	assert_true(dp2.how == PLACED_MADE && dp2.mailbox == 7 && dp2.uidvalidity == 1 &&
	    dp2.uid == 2 && dp2.message == 3 && dp2.thread == 4);
	assert_true(reader_done(&r));
	buf_clear(&b);
	dk.remember_s = STORE_SIEVE_REMEMBER_MAX + 1;
	put_store_deliver_key(&b, &dk);
	begin(&r, &b);
	assert_false(get_store_deliver_key(&r, &dk2));
	assert_true(r.bad);
	buf_fini(&b);
}

static void
what_an_event_was_about_comes_back_as_it_was(void **state)
{
	struct store_event_row row = { 4711, 99, flags_system(FLAG_SEEN | FLAG_DELETED),
		flags_system(FLAG_DELETED), flags_system(FLAG_SEEN) }, back;
	struct store_deliver rq = { .of_mailbox = 7, .of_uid = 3,
		.flags_add = flags_system(FLAG_DELETED) }, again;
	const struct ipc_message *m = ipc_find(&store_protocol, STORE_DELIVER);
	struct buf b = { 0 };
	struct reader r;

	flags_set_keyword(&row.flags, 119);
	flags_set_keyword(&row.changed, 60);
	put_store_event_row(&b, &row);
	begin(&r, &b);
	assert_true(get_store_event_row(&r, &back) && reader_done(&r));
	assert_true(back.uid == 4711 && back.modseq == 99 && flags_eq(back.flags, row.flags) &&
	    flags_eq(back.before, row.before) && flags_eq(back.changed, row.changed));
	assert_false(get_store_event_row(&r, &back));
	buf_clear(&b);
	row.before.w[0] |= 0x80;
	put_store_event_row(&b, &row);
	begin(&r, &b);
	assert_false(get_store_event_row(&r, &back));
	assert_true(r.bad);
	buf_clear(&b);
	flags_set_keyword(&rq.flags_remove, 119);
	ipc_encode(m, &rq, &b);
	assert_int_equal(ipc_decode(m, buf_span(&b), &again), ST_OK);
	assert_true(again.of_mailbox == 7 && again.of_uid == 3 &&
	    flags_eq(again.flags_add, rq.flags_add) &&
	    flags_eq(again.flags_remove, rq.flags_remove));
	buf_fini(&b);
}

static void
what_is_to_be_sent_comes_back_as_it_was(void **state)
{
	struct buf b = { 0 }, rcpts = { 0 };
	struct store_queue_rcpt to = { SPAN_LIT("a@b.test"), QUEUE_NOTIFY_ALL,
		SPAN_LIT("rfc822;c@d.test") }, to2;
	struct store_queue_entry e = { .account = 1, .id = 2, .kind = QUEUE_REPORT,
		.created_ms = 3, .next_ms = 4, .taken_ms = 5, .attempts = 6, .size = 7,
		.extent = 8, .sha256 = span("0123456789abcdef0123456789abcdef", 32),
		.answer = SPAN_LIT("450 later"), .env = { .from = SPAN_LIT("me@b.test"),
		.envid = SPAN_LIT("id"), .ret = QUEUE_RET_HDRS, .by = QUEUE_BY_RETURN, .by_ms = -9,
		.utf8 = true } }, e2;
	struct store_queue_new q = { QUEUE_REDIRECT, 3, e.env }, q2;
	struct reader r;

	put_store_queue_rcpt(&rcpts, &to);
	q.env.rcpts = e.env.rcpts = buf_span(&rcpts);
	put_store_queue_new(&b, &q);
	put_store_queue_entry(&b, &e);
	begin(&r, &b);
	assert_true(get_store_queue_new(&r, &q2) && q2.kind == QUEUE_REDIRECT && q2.body == 3);
	assert_true(q2.env.by_ms == -9 && q2.env.utf8 && !q2.env.eight_bit &&
	    q2.env.ret == QUEUE_RET_HDRS && q2.env.by == QUEUE_BY_RETURN);
	CHECK_SPAN(q2.env.from, e.env.from);
	CHECK_SPAN(q2.env.rcpts, buf_span(&rcpts));
	CHECK_SPAN(q2.env.envid, e.env.envid);
	assert_true(get_store_queue_entry(&r, &e2) && reader_done(&r));
	assert_true(e2.account == 1 && e2.id == 2 && e2.kind == QUEUE_REPORT && e2.created_ms == 3 &&
	    e2.next_ms == 4 && e2.taken_ms == 5 && e2.attempts == 6 && e2.size == 7 && e2.extent == 8);
	CHECK_SPAN(e2.answer, e.answer);
	begin(&r, &rcpts);
	assert_true(get_store_queue_rcpt(&r, &to2) && reader_done(&r));
	assert_true(to2.notify == QUEUE_NOTIFY_ALL);
	CHECK_SPAN(to2.orcpt, to.orcpt);
	buf_clear(&b);
	q.env.from = SPAN_LIT("a> BODY=8BITMIME <b");	/* what goes into a command stays one word */
	put_store_queue_new(&b, &q);
	begin(&r, &b);
	assert_false(get_store_queue_new(&r, &q2));
	buf_clear(&b);
	q.env.from = SPAN_NONE;
	q.env.rcpts = SPAN_NONE;
	put_store_queue_new(&b, &q);
	begin(&r, &b);
	assert_false(get_store_queue_new(&r, &q2));
	buf_fini(&b);
	buf_fini(&rcpts);
}

static void
a_cut_list_is_bad_at_every_byte(void **state)
{
	struct store_append_item it = sample_item(), out;
	struct buf b = { 0 };

	put_store_append_item(&b, &it);
	for (size_t n = 1; n < b.len; n++) {
		char *exact = mem_dup(b.data, n);	/* so that ASan sees a read behind */
		struct reader r;

		reader_init(&r, exact, n);
		assert_false(get_store_append_item(&r, &out));
		assert_true(r.bad);
		mem_free(&exact);
	}
	buf_fini(&b);
}

static void
roles_have_names_in_any_case_with_and_without_backslash(void **state)
{
	enum mailbox_role role;

	for (unsigned i = 1; i <= MAILBOX_ROLE_MAX; i++) {
		assert_true(mailbox_role_parse(
		    span_str(mailbox_role_name((enum mailbox_role)i)), &role));
		assert_int_equal(role, i);
	}
	assert_true(mailbox_role_parse(SPAN_LIT("\\DRAFTS"), &role));
	assert_int_equal(role, MAILBOX_ROLE_DRAFTS);
	assert_false(mailbox_role_parse(SPAN_LIT("\\Nothing"), &role));
}

static void
directory_values_come_back_and_nothing_else_decodes(void **state)
{
	const struct dir_account a = { .id = 17, .address = SPAN_LIT("alice@example.org"),
		.description = SPAN_LIT("A"), .shard = 2, .disabled = true, .created_s = 1,
		.deleted_s = 2, .quota_bytes = 1u << 30, .quota_messages = 4, .quota_mailboxes = 5,
		.shared = true, .referral = SPAN_LIT("imap://h/"), .referral_stays = true };
	const struct dir_verifier v = { .hash = SPAN_LIT("$y$x"),
		.sha256 = { SPAN_LIT("salt"), SPAN_LIT("stored"), SPAN_LIT("server"), 4096 },
		.changed_s = 3 };
	struct dir_account a2;
	struct dir_verifier v2;
	struct dir_name n = { DIR_NAME_ALIAS, 17 };
	struct dir_group g = { 5, SPAN_LIT("staff"), SPAN_LIT("All of us"), 7 }, g2;
	struct dir_domain d = { .name = SPAN_LIT("example.org"), .plus = true,
	    .quota_bytes = 1ull << 40, .quota_messages = 5, .quota_mailboxes = 6 };
	struct dir_referral f = { SPAN_LIT("imap://h/"), true };
	struct dir_app p = { .label = SPAN_LIT("phone"), .hash = SPAN_LIT("h"), .protocols = 3 };
	struct buf b = { 0 };

	dir_account_encode(&a, &b);
	assert_true(dir_account_decode(&a2, buf_span(&b)));
	assert_true(a2.id == 17 && a2.shard == 2 && a2.disabled && a2.deleted_s == 2);
	CHECK_SPAN(a2.address, a.address);
	CHECK_SPAN(a2.referral, a.referral);
	assert_true(a2.shared && a2.referral_stays);
	for (size_t len = 0; len < b.len; len++)
		assert_false(dir_account_decode(&a2, span(b.data, len)));
	buf_add_c(&b, 'x');
	assert_false(dir_account_decode(&a2, buf_span(&b)));
	/* the version before, without the last three */
	b.data[0] = 1;
	buf_cut(&b, b.len - a.referral.len - 4);
	assert_true(dir_account_decode(&a2, buf_span(&b)) && !a2.shared && a2.referral.len == 0);
	buf_clear(&b);
	dir_verifier_encode(&v, &b);
	assert_true(dir_verifier_decode(&v2, buf_span(&b)));
	assert_int_equal(v2.sha256.iterations, 4096);
	CHECK_SPAN(v2.sha256.server_key, v.sha256.server_key);
	assert_int_equal(v2.sha1.salt.len, 0);
	buf_clear(&b);
	dir_name_encode(&n, &b);
	assert_true(dir_name_decode(&n, buf_span(&b)) && n.account == 17);
	b.data[1] = 3;
	assert_false(dir_name_decode(&n, buf_span(&b)));
	buf_clear(&b);
	dir_domain_encode(&d, &b);
	assert_true(dir_domain_decode(&d, buf_span(&b)) && d.plus && d.catch_all.len == 0);
	assert_true(d.quota_bytes == 1ull << 40 && d.quota_messages == 5 && d.quota_mailboxes == 6);
	for (size_t len = 0; len < b.len; len++)
		assert_false(dir_domain_decode(&d, span(b.data, len)));
	/* the version before, without the limits */
	b.data[0] = 1;
	buf_cut(&b, b.len - 8);
	assert_true(dir_domain_decode(&d, buf_span(&b)) && d.plus && d.quota_bytes == 0);
	buf_clear(&b);
	dir_referral_encode(&f, &b);
	assert_true(dir_referral_decode(&f, buf_span(&b)) && f.stays && f.url.len == 9);
	assert_false(dir_referral_decode(&f, span(b.data, b.len - 1)));
	buf_clear(&b);
	dir_group_encode(&g, &b);
	assert_true(dir_group_decode(&g2, buf_span(&b)) && g2.id == 5 && g2.created_s == 7);
	CHECK_SPAN(g2.name, g.name);
	assert_false(dir_group_decode(&g2, span(b.data, b.len - 1)));
	buf_clear(&b);
	assert_true(dir_fold_group(SPAN_LIT("Staff.Of-2"), &b));
	assert_string_equal(buf_cstr(&b), "staff.of-2");
	buf_clear(&b);
	assert_false(dir_fold_group(SPAN_LIT("a b"), &b) || dir_fold_group(SPAN_LIT("a/b"), &b) ||
	    dir_fold_group(SPAN_LIT("a:b"), &b) || dir_fold_group(SPAN_NONE, &b));
	dir_app_encode(&p, &b);
	assert_true(dir_app_decode(&p, buf_span(&b)) && p.protocols == 3);
	buf_clear(&b);
	dir_key_app(&b, 255, SPAN_LIT("phone"));
	assert_string_equal(buf_cstr(&b), "app/00000000000000ff/phone");
	buf_fini(&b);
}

static void
addresses_fold_to_one_key(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "Alice@Example.ORG", "alice@example.org" },
		{ "bob", "bob" },
		{ "\"Alice\"@example.org", "alice@example.org" },
		{ "\"a@b\"@example.org", "\"a@b\"@example.org" },
		{ "\"a\\\"b\"@example.org", "\"a\\\"b\"@example.org" },
		{ "user+Tag@example.org", "user+tag@example.org" },
		{ "J\xc3\x96RG@B\xc3\x9c" "CHER.de", "j\xc3\xb6rg@b\xc3\xbc" "cher.de" },
		{ "jo\xcc\x88rg@xn--bcher-kva.de", "j\xc3\xb6rg@b\xc3\xbc" "cher.de" },
		{ "x@XN--BCHER-KVA.de", "x@b\xc3\xbc" "cher.de" },
		{ "x@xn--fsqu00a.xn--0zwm56d", "x@\xe4\xbe\x8b\xe5\xad\x90.\xe6\xb5\x8b\xe8\xaf\x95" },
		{ "x@[127.0.0.1]", "x@[127.0.0.1]" },
		{ "x@[IPv6:::1]", "x@[ipv6:::1]" },
		{ "", NULL }, { "@example.org", NULL }, { "a@", NULL }, { "a@b@c", NULL },
		{ "a b@c", NULL }, { "a\xc2\xa0" "b@c", NULL }, { "a\x01@c", NULL },
		{ "a@b..c", NULL }, { "a@.b", NULL }, { "a@b.", NULL }, { "a\xff@b", NULL },
		{ "\"a@b", NULL }, { "a@xn--abc-", NULL }, { "a@xn--99999999", NULL },
		{ "a@[", NULL }, { "a@[]", NULL }, { "a@b/c", NULL }, { "a(c)@b", NULL },
	};
	struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool ok;

		buf_clear(&b);
		ok = dir_fold_address(span_str(cases[i].in), &b);
		if (ok != (cases[i].out != NULL))
			fail_msg("%s", cases[i].in);
		if (ok)
			assert_string_equal(buf_cstr(&b), cases[i].out);
		else
			assert_int_equal(b.len, 0);
	}
	assert_false(dir_fold_address(span("a\0b@c", 5), &b));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mailbox_line_comes_back_as_it_was),
		cmocka_unit_test(a_row_carries_the_groups_asked_for_and_zero_for_others),
		cmocka_unit_test(an_item_to_append_comes_back_and_its_bounds_hold),
		cmocka_unit_test(the_small_lists_come_back_as_they_were),
		cmocka_unit_test(what_jmap_asks_and_is_told_comes_back_as_it_was),
		cmocka_unit_test(what_sieve_keeps_comes_back_as_it_was),
		cmocka_unit_test(what_an_event_was_about_comes_back_as_it_was),
		cmocka_unit_test(what_is_to_be_sent_comes_back_as_it_was),
		cmocka_unit_test(a_cut_list_is_bad_at_every_byte),
		cmocka_unit_test(roles_have_names_in_any_case_with_and_without_backslash),
		cmocka_unit_test(directory_values_come_back_and_nothing_else_decodes),
		cmocka_unit_test(addresses_fold_to_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
