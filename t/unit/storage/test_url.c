/* URLs that authorize (RFC 4467): keys and tokens by the state alone; what a URL opens through
 * the service, to whom, and how much of an account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "t/unit/storage/rig.h"
#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

#define OWNER 7u
#define NOW 1000
#define BOX "imap://j@h/Box/;UID=1"

/* libdb forgets its buffers when it panics. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:__os_malloc\n";
}

static unsigned char next_key;

static int
kit_setup(void **state)
{
	memset(k, 0, sizeof(*k));
	next_key = 0;
	k->account = OWNER;
	kit_open(k);
	OK(kit_account(k, OWNER));
	OK(kit_create(k, "Box"));
	OK(kit_append(k, "Box", 2, 100, 0, NULL, 0));
	return 0;
}

static int
kit_teardown(void **state)
{
	struct kit other;

	kit_check(k);
	memset(&other, 0, sizeof(other));
	other.account = OWNER;
	kit_open(&other);
	kit_replay(&other, k, 3);
	kit_same(k, &other);
	kit_close(&other);
	kit_close(k);
	return 0;
}

static enum status
make_key(const char *path, bool reset)
{
	unsigned char key[STORE_URL_KEY];
	struct op op = kit_op(k, OP_URL_KEY);

	memset(key, ++next_key, sizeof(key));
	op.u.url_key = (struct op_url_key){ span_str(path), reset, span(key, sizeof(key)) };
	return kit_apply(k, &op);
}

/* The URL with its token, until the next call but three. */
static const char *
signed_for(const char *rump, uint64_t who)
{
	static char urls[4][400];
	static unsigned at;
	char *url = urls[at++ % 4];
	struct buf token = { 0 };

	OK(state_url_sign(k->s, OWNER, span_str(rump), who, &token));
	assert_int_equal(token.len, STORE_URL_TOKEN);
	snprintf(url, 400, "%s:internal:%.*s", rump, (int)token.len, token.data);
	buf_fini(&token);
	return url;
}

static enum status
judged(const char *url, uint64_t who, bool submits, int64_t now_s)
{
	const struct state_url_asker by = { who, submits, now_s };
	struct state_url got = { 0 };
	enum status st = state_url_judge(k->s, OWNER, span_str(url), &by, &got);

	if (st == ST_OK) {
		assert_int_equal(got.uid, 1);
		assert_int_equal(got.mailbox, kit_mailbox(k, "Box"));
	}
	return st;
}

static enum status
anybody(const char *url)
{
	return judged(url, 99, false, NOW);
}

static void
a_token_is_good_for_its_url_and_no_other(void **state)
{
	struct buf token = { 0 };
	char wrong[400];
	const char *url;

	IS(state_url_sign(k->s, OWNER, SPAN_LIT(BOX ";URLAUTH=anonymous"), 0, &token), ST_EXPIRED);
	OK(make_key("Box", false));
	url = signed_for(BOX ";URLAUTH=anonymous", 0);
	assert_string_equal(url, signed_for(BOX ";URLAUTH=anonymous", 5));
	OK(anybody(url));
	for (size_t i = 0; i < strlen(url); i++) {
		snprintf(wrong, sizeof(wrong), "%s", url);
		wrong[i] ^= 1;
		IS(anybody(wrong), ST_NOT_FOUND);
	}
	snprintf(wrong, sizeof(wrong), "%.*s", (int)strlen(url) - 2, url);
	IS(anybody(wrong), ST_NOT_FOUND);
	snprintf(wrong, sizeof(wrong), "%s00", url);
	IS(anybody(wrong), ST_NOT_FOUND);
	/* the token alone may be in capitals */
	snprintf(wrong, sizeof(wrong), "%s", url);
	for (char *p = wrong + strlen(url) - STORE_URL_TOKEN; *p != '\0'; p++)
		*p = *p >= 'a' ? (char)(*p - 'a' + 'A') : *p;
	OK(anybody(wrong));
	IS(state_url_sign(k->s, OWNER, span_str(url), 0, &token), ST_SYNTAX);
	IS(state_url_sign(k->s, OWNER, SPAN_LIT(BOX), 0, &token), ST_SYNTAX);
	IS(state_url_sign(k->s, OWNER, SPAN_LIT("/Box/;UID=1;URLAUTH=anonymous"), 0, &token),
	    ST_NOT_FOUND);
	IS(state_url_sign(k->s, OWNER, SPAN_LIT("imap://j@h/No/;UID=1;URLAUTH=anonymous"), 0,
	    &token), ST_NOT_FOUND);
	IS(state_url_sign(k->s, OWNER,
	    SPAN_LIT("imap://j@h/Box;UIDVALIDITY=1/;UID=1;URLAUTH=anonymous"), 0, &token), ST_NOT_FOUND);
	IS(state_url_sign(k->s, 8, SPAN_LIT(BOX ";URLAUTH=anonymous"), 0, &token), ST_NOT_FOUND);
	assert_int_equal(token.len, 0);
	buf_fini(&token);
}

static void
who_comes_and_when_is_judged(void **state)
{
	const char *url;

	OK(make_key("Box", false));
	url = signed_for(BOX ";URLAUTH=user+fred", 42);
	OK(judged(url, 42, false, NOW));
	IS(judged(url, 43, false, NOW), ST_NOT_FOUND);
	IS(judged(url, OWNER, true, NOW), ST_NOT_FOUND);
	url = signed_for(BOX ";URLAUTH=submit+fred", 42);
	IS(judged(url, 42, false, NOW), ST_NOT_FOUND);
	OK(judged(url, 43, true, NOW));
	url = signed_for(BOX ";URLAUTH=authuser", 0);
	OK(judged(url, 43, false, NOW));
	url = signed_for(BOX ";EXPIRE=1970-01-01T00:16:40Z;URLAUTH=anonymous", 0);
	OK(judged(url, 43, false, 1000));
	IS(judged(url, 43, false, 1001), ST_NOT_FOUND);
}

static void
a_new_key_makes_earlier_urls_void(void **state)
{
	const char *url, *other;
	uint64_t modseq, told, box = kit_mailbox(k, "Box");

	OK(make_key("Box", false));
	url = signed_for(BOX ";URLAUTH=anonymous", 0);
	modseq = k->r.modseq;
	OK(state_url_reset(k->s, OWNER, box, &told));
	assert_int_equal(told, 0);
	/* there is one: it stays */
	OK(make_key("Box", false));
	OK(anybody(url));
	assert_int_equal(k->r.modseq, modseq);
	assert_false(k->r.changed);
	OK(make_key("Box", true));
	assert_true(k->r.changed && k->r.own_only);
	IS(anybody(url), ST_NOT_FOUND);
	other = signed_for(BOX ";URLAUTH=anonymous", 0);
	OK(anybody(other));
	OK(state_url_reset(k->s, OWNER, box, &told));
	assert_int_equal(told, k->r.modseq);
	OK(state_url_reset(k->s, OWNER, kit_mailbox(k, "INBOX"), &told));
	assert_int_equal(told, 0);
	/* all of them */
	OK(make_key("INBOX", false));
	OK(make_key("", true));
	IS(anybody(other), ST_NOT_FOUND);
	OK(state_url_reset(k->s, OWNER, box, &told));
	assert_int_equal(told, k->r.modseq);
	OK(make_key("Box", false));
	IS(anybody(other), ST_NOT_FOUND);
	IS(anybody(url), ST_NOT_FOUND);
	OK(anybody(signed_for(BOX ";URLAUTH=anonymous", 0)));
	IS(make_key("Nothing", false), ST_NOT_FOUND);
	IS(make_key("a//b", true), ST_NOT_FOUND);
	IS(make_key("", false), ST_SYNTAX);
	kit_check(k);
}

static void
keys_belong_to_the_mailbox_not_to_its_name(void **state)
{
	struct op op;
	const char *url;

	OK(make_key("Box", false));
	url = signed_for(BOX ";URLAUTH=anonymous", 0);
	OK(kit_rename(k, "Box", "Old"));
	IS(anybody(url), ST_NOT_FOUND);
	OK(kit_create(k, "Box"));
	OK(make_key("Box", false));
	IS(anybody(url), ST_NOT_FOUND);
	OK(kit_delete(k, "Box"));
	OK(kit_rename(k, "Old", "Box"));
	OK(anybody(url));
	kit_reopen(k);
	OK(anybody(url));
	op = kit_op(k, OP_ACCOUNT_DELETE);
	OK(kit_apply(k, &op));
	IS(anybody(url), ST_NOT_FOUND);
	op = kit_op(k, OP_ACCOUNT_UNDELETE);
	OK(kit_apply(k, &op));
	OK(anybody(url));
	OK(kit_delete(k, "Box"));
	OK(kit_create(k, "Box"));
	OK(kit_append(k, "Box", 1, 100, 0, NULL, 0));
	IS(anybody(url), ST_NOT_FOUND);
}

static void
others_make_no_keys(void **state)
{
	unsigned char key[STORE_URL_KEY] = { 1 };
	struct op op = kit_op(k, OP_URL_KEY);

	OK(kit_share(k, "Box", 8, RIGHT_ALL));
	op.u.url_key = (struct op_url_key){ SPAN_LIT("Box"), true, span(key, sizeof(key)) };
	op.head.who = 8;
	IS(kit_apply(k, &op), ST_DENIED);
	op.head.who = OWNER;
	op.u.url_key.key.len--;
	IS(kit_apply(k, &op), ST_SYNTAX);
}

/* ---- through the service ---- */

static struct rig rig;

static int
rig_setup(void **state)
{
	rig_init(&rig);
	rig_start(&rig);
	return 0;
}

static int
rig_teardown(void **state)
{
	rig_fini(&rig);
	return 0;
}

static void
no_event(void *arg, enum store_event ev, uint64_t modseq)
{
}

/* A channel to an owner's account, asked by another, whose own lies on another shard. */
static struct store *
visitor(uint64_t who, uint64_t owner, uint32_t rights)
{
	unsigned char bytes[TICKET_LEN];
	struct ticket t = rig_ticket(&rig, who);

	t.rights = rights;
	t.shard = RIG_SHARD + 1;
	return store_open_shared(rig.pool, RIG_SHARD, rig_sign(&rig, &t, bytes), owner, no_event,
	    NULL);
}

static void
take_token(void *arg, enum status st, bool more, const void *msg)
{
	struct answer *a = arg;

	a->st = st;
	if (st == ST_OK)
		buf_add_span(&a->parts, ((const struct store_url_signed *)msg)->token);
	a->n++;
}

static void
sign(struct store *owner, const char *rump, char url[400])
{
	const struct store_url_key_make make = { .path = SPAN_LIT("INBOX") };
	const struct store_url_sign rq = { span_str(rump), 0 };
	struct answer a = { 0 };

	rig_expect(STORE_URL_KEYED);
	store_do_url_key_make(owner, &make, rig_done, &a);
	rig_wait(&rig, &a, 1);
	OK(a.st);
	store_do_url_sign(owner, &rq, take_token, &a);
	rig_wait(&rig, &a, 2);
	OK(a.st);
	snprintf(url, 400, "%s:internal:%.*s", rump, (int)a.parts.len, a.parts.data);
	answer_fini(&a);
}

static enum status
body_of(struct store *s, const char *url)
{
	const struct store_url_body rq = { span_str(url), 0, 1000 };
	struct answer a = { 0 };
	enum status st;

	rig_expect(STORE_BODY_IS);
	store_do_url_body(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, 1);
	st = a.st;
	answer_fini(&a);
	return st;
}

static enum status
find(struct store *s, const char *url)
{
	const struct store_url_find rq = { span_str(url) };
	struct answer a = { 0 };
	enum status st;

	rig_expect(STORE_URL_FOUND);
	store_do_url_find(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, 1);
	st = a.st;
	answer_fini(&a);
	return st;
}

#define ASK(call, want)								\
	do {									\
		unsigned n_ = b.n;						\
		rig_expect(0);							\
		call;								\
		rig_wait(&rig, &b, n_ + 1);					\
		IS(b.st, want);							\
	} while (0)

static void
a_url_opens_one_message_and_nothing_else(void **state)
{
	struct store *owner = rig_channel(&rig, 17, NULL, NULL);
	struct store *guest = visitor(99, 17, RIGHT_ALL);
	struct store *nobody = visitor(99, UINT64_MAX, RIGHT_ALL);
	struct answer a = { 0 }, b = { 0 };
	const struct store_url_key_make make = { .path = SPAN_LIT("INBOX"), .reset = true };
	struct store_url_sign other = { SPAN_LIT("imap://j@h/INBOX/;UID=2;URLAUTH=anonymous"), 0 };
	struct store_rows rows = { .fields = ROW_SIZE };
	struct store_body bodies = { .budget = 1000 };
	struct uidset one = { 0 };
	struct buf uids = { 0 };
	char url[400], wrong[400];

	OK(rig_append(&rig, owner, "INBOX", SPAN_LIT("Subject: a\r\n\r\none\r\n"), &a));
	OK(rig_append(&rig, owner, "INBOX", SPAN_LIT("Subject: b\r\n\r\ntwo\r\n"), &a));
	OK(rig_open(&rig, owner, "INBOX", &a));
	sign(owner, "imap://j@h/INBOX/;UID=1;URLAUTH=anonymous", url);
	OK(find(guest, url));
	OK(body_of(guest, url));
	OK(find(owner, url));
	OK(body_of(owner, url));
	IS(find(nobody, url), ST_NOT_FOUND);
	IS(body_of(nobody, url), ST_NOT_FOUND);
	/* the same token for the message beside it */
	snprintf(wrong, sizeof(wrong), "imap://j@h/INBOX/;UID=2%s", strstr(url, ";URLAUTH"));
	IS(find(guest, wrong), ST_NOT_FOUND);
	IS(body_of(guest, wrong), ST_NOT_FOUND);
	/* what came by a URL opens nothing by other ways, and signs nothing */
	uidset_add(&one, 1);
	uidset_encode(&one, &uids);
	rows.mailbox = bodies.mailbox = a.u.opened.mailbox;
	rows.uids = bodies.uids = buf_span(&uids);
	ASK(store_do_rows(guest, &rows, rig_done, &b), ST_NOT_FOUND);
	ASK(store_do_body(guest, &bodies, rig_done, &b), ST_NOT_FOUND);
	ASK(store_do_url_sign(guest, &other, rig_done, &b), ST_DENIED);
	ASK(store_do_url_key_make(guest, &make, rig_done, &b), ST_DENIED);
	ASK(store_do_url_sign(nobody, &other, rig_done, &b), ST_DENIED);
	/* void from now on, for the guest's next question already */
	rig_expect(STORE_URL_KEYED);
	store_do_url_key_make(owner, &make, rig_done, &b);
	rig_wait(&rig, &b, b.n + 1);
	OK(b.st);
	IS(find(guest, url), ST_NOT_FOUND);
	IS(body_of(guest, url), ST_NOT_FOUND);
	store_close(&owner);
	store_close(&guest);
	store_close(&nobody);
	uidset_fini(&one);
	buf_fini(&uids);
	answer_fini(&a);
	answer_fini(&b);
}

static void
submission_is_a_right_of_the_ticket(void **state)
{
	struct store *owner = rig_channel(&rig, 17, NULL, NULL);
	struct store *plain = visitor(99, 17, RIGHT_ALL);
	struct store *submits = visitor(98, 17, RIGHT_ALL | RIGHT_SUBMIT);
	struct answer a = { 0 };
	char url[400];

	OK(rig_append(&rig, owner, "INBOX", SPAN_LIT("Subject: a\r\n\r\none\r\n"), &a));
	sign(owner, "imap://j@h/INBOX/;UID=1;URLAUTH=submit+fred", url);
	IS(find(plain, url), ST_NOT_FOUND);
	IS(find(owner, url), ST_NOT_FOUND);
	OK(find(submits, url));
	OK(body_of(submits, url));
	store_close(&owner);
	store_close(&plain);
	store_close(&submits);
	answer_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_token_is_good_for_its_url_and_no_other, kit_setup,
		    kit_teardown),
		cmocka_unit_test_setup_teardown(who_comes_and_when_is_judged, kit_setup, kit_teardown),
		cmocka_unit_test_setup_teardown(a_new_key_makes_earlier_urls_void, kit_setup,
		    kit_teardown),
		cmocka_unit_test_setup_teardown(keys_belong_to_the_mailbox_not_to_its_name, kit_setup,
		    kit_teardown),
		cmocka_unit_test_setup_teardown(others_make_no_keys, kit_setup, kit_teardown),
		cmocka_unit_test_setup_teardown(a_url_opens_one_message_and_nothing_else, rig_setup,
		    rig_teardown),
		cmocka_unit_test_setup_teardown(submission_is_a_right_of_the_ticket, rig_setup,
		    rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
