/* A folder of an import: what is there of it already, its mailbox with all that belongs to it, and
 * at its end whether all is there. */
#include "ctl/import_store_priv.h"

#include "common/mail/mailbox_name.h"

/* What is there -------------------------------------------------------------------- */

uint64_t
import_key(const struct import_store *s, enum import_count what, struct span sha, uint32_t uid)
{
	unsigned char b[SHA256_LEN + 4];

	memcpy(b, sha.p, SHA256_LEN);
	put_be32(b + SHA256_LEN, what == SAME ? uid : 0);
	return (siphash24(s->salt, b, sizeof(b)) & ~(uint64_t)3) | what;
}

/* Counts are kept in the place of pointers. */
uint64_t
import_have(const struct import_store *s, uint64_t key)
{
	return (uint64_t)(uintptr_t)table_get_u64(&s->have, key);
}

void
import_set_have(struct import_store *s, uint64_t key, uint64_t n)
{
	if (n > 0)
		table_put_u64(&s->have, key, (void *)(uintptr_t)n);
	else
		table_del_u64(&s->have, key);
}

unsigned
import_take_one(struct import_store *s, uint64_t key)
{
	uint64_t n = import_have(s, key);

	if (n > 0)
		import_set_have(s, key, n - 1);
	return n > 0;
}

static void
on_sums(void *arg, const void *msg)
{
	const struct store_sums_are *are = msg;
	struct import_store *s = arg;
	struct store_sum sum;
	struct reader r;

	reader_init(&r, are->sums.p, are->sums.len);
	while (get_store_sum(&r, &sum)) {
		uint64_t key = import_key(s, THERE, sum.sha256, 0);

		import_set_have(s, key, import_have(s, key) + 1);
	}
}

static void
on_sums_again(void *arg, const void *msg)
{
	const struct store_sums_are *are = msg;
	struct import_store *s = arg;
	struct store_sum sum;
	struct reader r;

	reader_init(&r, are->sums.p, are->sums.len);
	while (get_store_sum(&r, &sum)) {
		s->owed -= import_take_one(s, import_key(s, OWED, sum.sha256, 0));
		s->same += import_take_one(s, import_key(s, SAME, sum.sha256, sum.uid));
	}
}

static void
on_opened(void *arg, const void *msg)
{
	const struct store_opened *o = msg;
	struct import_store *s = arg;
	struct reader r;

	s->now = *o;
	s->now.uids = s->now.keywords = SPAN_NONE;
	uidset_clear(&s->uids);
	reader_init(&r, o->uids.p, o->uids.len);
	(void)uidset_decode(&s->uids, &r, SIZE_MAX);
}

static enum status
open_mailbox(struct import_store *s)
{
	const struct store_open rq = { .path = buf_span(&s->path) };

	return import_ask(s, STORE_OPEN, &rq, on_opened);
}

static enum status
read_sums(struct import_store *s, ctl_mail_fn fn)
{
	struct store_sums rq = { .mailbox = s->now.mailbox };
	struct buf uids = { 0 };
	enum status st;

	uidset_encode(&s->uids, &uids);
	rq.uids = buf_span(&uids);
	st = uidset_empty(&s->uids) ? ST_OK : import_ask(s, STORE_SUMS, &rq, fn);
	buf_fini(&uids);
	return st;
}

/* A folder begins -------------------------------------------------------------------- */

static void
create(struct import_store *s)
{
	struct store_create rq = { .path = buf_span(&s->path) };
	enum mailbox_role role = MAILBOX_ROLE_NONE;
	enum status st;

	(void)mailbox_role_parse(buf_span(&s->folder.role), &role);
	if (role == MAILBOX_ROLE_INBOX)
		role = MAILBOX_ROLE_NONE;
	rq.role = (uint8_t)role;
	st = import_ask(s, STORE_CREATE, &rq, NULL);
	if (st == ST_CONFLICT) {	/* another mailbox has that role */
		rq.role = MAILBOX_ROLE_NONE;
		st = import_ask(s, STORE_CREATE, &rq, NULL);
	}
	if (st == ST_OK)
		st = open_mailbox(s);
	if (st == ST_OK)
		s->there = true;
	else
		import_failed(s, st, buf_cstr(&s->path));
}

static void
set_metadata(struct import_store *s, uint64_t mailbox)
{
	struct buf entries = { 0 };
	struct reader r;

	reader_init(&r, s->folder.metadata.data, s->folder.metadata.len);
	while (!r.bad && r.p < r.end) {
		struct store_metadata md = { .name = get_span(&r), .given = true };
		struct store_metadata_set rq = { .mailbox = mailbox };
		enum status st;

		md.value = get_span(&r);
		md.size = (uint32_t)md.value.len;
		if (r.bad || md.name.len > STORE_METADATA_NAME_MAX ||
		    md.value.len > STORE_METADATA_VALUE_MAX)
			continue;
		buf_clear(&entries);
		put_store_metadata(&entries, &md);
		rq.entries = buf_span(&entries);
		st = import_ask(s, STORE_METADATA_SET, &rq, NULL);
		if (st != ST_OK)
			ctl_error("%s: the annotation %.*s is left out: %s", buf_cstr(&s->path),
			    (int)md.name.len, md.name.p, status_name(st));
	}
	buf_fini(&entries);
}

/* What is known of a script that is there. */
static void
on_script(void *arg, const void *msg)
{
	const struct store_script_is *is = msg;
	bool *same = arg;

	*same = is->same;
}

static enum status
look_for_script(struct import_store *s, struct span name, struct span text, bool *same)
{
	unsigned char sum[SHA256_LEN];
	struct store_script_get rq = { .name = name, .known = span(sum, sizeof(sum)) };

	sha256(text, sum);
	*same = false;
	return ctl_mail_ask(s->mail, STORE_SCRIPT, &rq, on_script, same);
}

/* Scripts that are not there yet; the one that was active, where none is. */
static void
set_scripts(struct import_store *s)
{
	struct reader r;
	bool same;

	reader_init(&r, s->folder.scripts.data, s->folder.scripts.len);
	while (!r.bad && r.p < r.end) {
		struct store_script_set rq = { .how = SCRIPT_PUT, .name = get_span(&r) };
		enum status st;

		rq.text = get_span(&r);
		if (r.bad || !script_name_valid(rq.name) || rq.text.len > STORE_SCRIPT_MAX)
			continue;
		rq.activate = span_eq(rq.name, buf_span(&s->folder.active)) &&
		    look_for_script(s, SPAN_NONE, SPAN_NONE, &same) == ST_NOT_FOUND;
		st = look_for_script(s, rq.name, rq.text, &same);
		if (st == ST_OK && !same)
			st = ST_EXISTS;
		else if (st == ST_NOT_FOUND)
			st = import_ask(s, STORE_SCRIPT_SET, &rq, NULL);
		if (st != ST_OK)
			ctl_error("the script %.*s is left out: %s", (int)rq.name.len, rq.name.p,
			    status_name(st));
	}
}

static void
set_acl(struct import_store *s)
{
	struct reader r;

	reader_init(&r, s->folder.acl.data, s->folder.acl.len);
	while (!r.bad && r.p < r.end) {
		char *who = span_dup(get_span(&r)), *rights = span_dup(get_span(&r));
		struct buf args = { 0 }, answer = { 0 };

		ctl_args(&args, "address", s->o->address, "mailbox", buf_cstr(&s->path),
		    "identifier", who, "rights", rights, NULL);
		if (ctl_run(s->ctl, "acl-set", buf_span(&args), &answer) != CTL_OK)
			ctl_error("%s: the rights of %s are left out", buf_cstr(&s->path), who);
		buf_fini(&args);
		buf_fini(&answer);
		mem_free(&who);
		mem_free(&rights);
	}
}

static void
settle(struct import_store *s)
{
	const struct store_subscribe rq = { .path = buf_span(&s->path), .on = true };

	if (s->o->dry_run)
		return;
	if (s->folder.subscribed && import_ask(s, STORE_SUBSCRIBE, &rq, NULL) != ST_OK)
		ctl_error("%s: the subscription is left out", buf_cstr(&s->path));
	if (s->there && s->folder.exists) {
		set_metadata(s, s->now.mailbox);
		set_acl(s);
	}
}

static void
copy_folder(struct import_store *s, const struct transfer_folder *f)
{
	struct buf b = { 0 };
	struct reader r;

	put_transfer_folder(&b, f);
	reader_init(&r, b.data, b.len);
	(void)get_transfer_folder(&r, &s->folder);
	buf_fini(&b);
}

static void
begin_folder(struct import_store *s)
{
	enum status st = open_mailbox(s);

	s->there = st == ST_OK;
	if (st == ST_NOT_FOUND)
		st = ST_OK;
	else if (st == ST_OK && !s->o->again)
		st = read_sums(s, on_sums);
	if (st != ST_OK)
		import_failed(s, st, buf_cstr(&s->path));
	else if (!s->there && s->folder.exists && !s->o->dry_run)
		create(s);
	s->place = s->exact = true;
	if (s->rc == CTL_OK)
		settle(s);
}

void
import_folder(struct import_store *s, const struct transfer_folder *f)
{
	import_finish_folder(s);
	if (s->rc != CTL_OK)
		return;
	copy_folder(s, f);
	s->open = true;
	s->there = false;
	s->now = (struct store_opened){ 0 };
	s->n = s->n_passed = s->n_dropped = 0;
	s->last_uid = s->stages = 0;
	s->n_keywords = 0;
	buf_clear(&s->keywords);
	buf_clear(&s->path);
	uidset_clear(&s->uids);
	s->owed = s->same = 0;
	s->wanted = s->o->mailbox == NULL || s->o->format == FORMAT_MBOX ||
	    span_eq_str(buf_span(&f->path), s->o->mailbox);
	if (!s->wanted)
		return;
	if (f->path.len == 0) {		/* the account itself */
		s->wanted = false;
		if (!s->o->dry_run) {
			set_metadata(s, 0);
			set_scripts(s);
		}
	} else if (!mailbox_name_from_utf8(buf_span(&f->path), &s->path)) {
		s->wanted = false;
		s->dropped++;
		ctl_error("\"%.*s\" is no name for a mailbox: it is left out", (int)f->path.len,
		    f->path.data);
	} else {
		begin_folder(s);
	}
}

/* A folder ends ----------------------------------------------------------------------------- */

/* Read back: each message that was brought must be there. */
static void
read_back(struct import_store *s)
{
	enum status st = open_mailbox(s);

	if (st == ST_OK)
		st = read_sums(s, on_sums_again);
	if (st != ST_OK) {
		import_failed(s, st, buf_cstr(&s->path));
		return;
	}
	if (s->owed > 0)
		ctl_error("%s: %" PRIu64 " messages are not there any more: expunged meanwhile, or "
		    "lost", buf_cstr(&s->path), s->owed);
}

static void
keep_report(struct import_store *s)
{
	struct import_done *d;

	if (s->n_list == s->room) {
		s->room = s->room > 0 ? 2 * s->room : 16;
		s->list = mem_realloc(s->list, s->room * sizeof(*s->list));
	}
	d = &s->list[s->n_list++];
	*d = (struct import_done){ .path = span_dup(buf_span(&s->path)), .n = s->n, .passed = s->n_passed,
	    .dropped = s->n_dropped + s->owed, .mailbox = s->now.mailbox,
	    .modseq = s->now.highestmodseq, .uidvalidity = s->now.uidvalidity,
	    .uidnext = s->now.uidnext, .messages = uidset_count(&s->uids),
	    .uids_kept = s->same == s->n + s->n_passed };
	uidset_print(&s->uids, &d->uids);
	/* It holds exactly the source's messages under their uids: it may be the source's. */
	if (s->exact && s->folder.uidvalidity != s->now.uidvalidity && d->uids_kept &&
	    s->same == d->messages) {
		d->was_validity = s->folder.uidvalidity;
		d->was_next = s->folder.uidnext;
	}
	d->kept = s->folder.uidvalidity == s->now.uidvalidity;
}

void
import_finish_folder(struct import_store *s)
{
	if (!s->open)
		return;
	import_flush(s);
	import_forget(s);
	if (s->wanted && s->rc == CTL_OK && s->there && !s->o->dry_run)
		read_back(s);
	if (s->wanted && s->folder.exists && s->rc == CTL_OK)
		keep_report(s);
	s->messages += s->n;
	s->passed += s->n_passed;
	s->dropped += s->n_dropped + s->owed;
	table_fini(&s->have, NULL, NULL);
	s->have = (struct table){ 0 };
	s->open = false;
}
