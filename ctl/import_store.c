#include "ctl/import_store.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/crypto/digest.h"
#include "common/crypto/random.h"
#include "common/mail/mailbox_name.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "ctl/output.h"

#define BATCH		64u
#define BATCH_BYTES	(512u << 10)
/* Above the modseqs of servers that do not tell theirs: clients that knew messages there by one
 * see all of them as changed. */
#define MODSEQ_ABOVE	((uint64_t)1 << 40)

struct one {				/* a message of the batch */
	size_t		from, to;	/* its item */
	size_t		notes_from, notes_to;
	uint32_t	uid;		/* that it had; 0: not known */
	uint32_t	stage;
	uint64_t	owed, same;	/* its keys */
	struct buf	uidl;
	char		*name;
};

/* A folder that came, for the report. */
struct done {
	char			*path;
	uint64_t		n, passed, dropped, mailbox, modseq;
	uint32_t		uidvalidity, uidnext;		/* that it has */
	uint32_t		was_validity, was_next;		/* that it had; 0: not to be taken */
	struct buf		uids;		/* as text */
	uint64_t		messages;
	bool			uids_kept, kept;
};

struct import_store {
	struct ctl		*ctl;
	const struct import_opts *o;
	struct ctl_mail		*mail;
	int			rc;
	unsigned char		salt[16];
	struct json_writer	w;
	struct buf		report;
	uint64_t		messages, passed, dropped;
	struct done		*list;
	size_t			n_list, room;
	/* of the folder */
	bool			open, wanted, there;	/* there: the mailbox is */
	struct transfer_folder	folder;
	struct buf		path;
	struct store_opened	now;		/* without its spans */
	struct uidset		uids;		/* of the mailbox, as read last */
	struct table		have;		/* key_of() -> how many there are */
	uint64_t		owed, same;
	bool			place, exact;
	uint32_t		last_uid;
	uint64_t		n, n_passed, n_dropped;
	struct buf		keywords;
	unsigned		n_keywords;
	/* the batch */
	struct one		one[BATCH];
	unsigned		n_one;
	struct buf		items, notes;
	struct uidset		given;		/* uids that the last append gave */
	/* the message */
	struct buf		stored;
	uint32_t		stage, stages;
};

static void say_failed(struct import_store *s, enum status st, const char *what);

static enum status
ask(struct import_store *s, uint16_t no, const void *rq, ctl_mail_fn fn)
{
	return ctl_mail_ask(s->mail, no, rq, fn, s);
}

static void
say_failed(struct import_store *s, enum status st, const char *what)
{
	if (s->rc == CTL_OK && st == ST_OVER_QUOTA)
		ctl_error("%s: the account is full; what came so far stays, and is passed over when "
		    "the import runs again", what);
	else if (s->rc == CTL_OK && st == ST_NO_SPACE)
		ctl_error("%s: the server's disk is full", what);
	else if (s->rc == CTL_OK && st != ST_UNAVAILABLE)
		ctl_error("%s: the store says: %s", what, status_name(st));
	s->rc = st == ST_UNAVAILABLE ? CTL_UNREACHABLE : CTL_FAILED;
}

bool
import_going(const struct import_store *s)
{
	return s->rc == CTL_OK;
}

bool
import_has_folder(const struct import_store *s)
{
	return s->open;
}

struct import_store *
import_store_new(struct ctl *ctl, const struct import_opts *o, struct ctl_mail *mail)
{
	struct import_store *s = mem_zalloc(sizeof(*s));

	s->ctl = ctl;
	s->o = o;
	s->mail = mail;
	random_bytes(s->salt, sizeof(s->salt));
	json_writer_init(&s->w, &s->report);
	json_begin_object(&s->w);
	json_key(&s->w, "mailboxes");
	json_begin_array(&s->w);
	return s;
}

/* What is there -------------------------------------------------------------------- */

/* What is counted of a message. */
enum count {
	THERE,		/* it was there before, and no message of the source stands for it yet */
	OWED,		/* it was brought */
	SAME		/* of the source, under its uid */
};

static uint64_t
key_of(const struct import_store *s, enum count what, struct span sha, uint32_t uid)
{
	unsigned char b[SHA256_LEN + 4];

	memcpy(b, sha.p, SHA256_LEN);
	put_be32(b + SHA256_LEN, what == SAME ? uid : 0);
	return (siphash24(s->salt, b, sizeof(b)) & ~(uint64_t)3) | what;
}

/* Counts are kept in the place of pointers. */
static uint64_t
have(const struct import_store *s, uint64_t key)
{
	return (uint64_t)(uintptr_t)table_get_u64(&s->have, key);
}

static void
set_have(struct import_store *s, uint64_t key, uint64_t n)
{
	if (n > 0)
		table_put_u64(&s->have, key, (void *)(uintptr_t)n);
	else
		table_del_u64(&s->have, key);
}

/* 1 when there was one. */
static unsigned
take_one(struct import_store *s, uint64_t key)
{
	uint64_t n = have(s, key);

	if (n > 0)
		set_have(s, key, n - 1);
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
		uint64_t key = key_of(s, THERE, sum.sha256, 0);

		set_have(s, key, have(s, key) + 1);
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
		s->owed -= take_one(s, key_of(s, OWED, sum.sha256, 0));
		s->same += take_one(s, key_of(s, SAME, sum.sha256, sum.uid));
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

	return ask(s, STORE_OPEN, &rq, on_opened);
}

static enum status
read_sums(struct import_store *s, ctl_mail_fn fn)
{
	struct store_sums rq = { .mailbox = s->now.mailbox };
	struct buf uids = { 0 };
	enum status st;

	uidset_encode(&s->uids, &uids);
	rq.uids = buf_span(&uids);
	st = uidset_empty(&s->uids) ? ST_OK : ask(s, STORE_SUMS, &rq, fn);
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
	st = ask(s, STORE_CREATE, &rq, NULL);
	if (st == ST_CONFLICT) {	/* another mailbox has that role */
		rq.role = MAILBOX_ROLE_NONE;
		st = ask(s, STORE_CREATE, &rq, NULL);
	}
	if (st == ST_OK)
		st = open_mailbox(s);
	if (st == ST_OK)
		s->there = true;
	else
		say_failed(s, st, buf_cstr(&s->path));
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
		st = ask(s, STORE_METADATA_SET, &rq, NULL);
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
			st = ask(s, STORE_SCRIPT_SET, &rq, NULL);
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
	if (s->folder.subscribed && ask(s, STORE_SUBSCRIBE, &rq, NULL) != ST_OK)
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
		say_failed(s, st, buf_cstr(&s->path));
	else if (!s->there && s->folder.exists && !s->o->dry_run)
		create(s);
	s->place = s->exact = true;
	if (s->rc == CTL_OK)
		settle(s);
}

static void finish_folder(struct import_store *s);

void
import_folder(struct import_store *s, const struct transfer_folder *f)
{
	finish_folder(s);
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

/* Batches ------------------------------------------------------------------------------ */

static void
on_appended(void *arg, const void *msg)
{
	const struct store_appended *is = msg;
	struct import_store *s = arg;
	struct reader r;

	uidset_clear(&s->given);
	reader_init(&r, is->uids.p, is->uids.len);
	(void)uidset_decode(&s->given, &r, SIZE_MAX);
}

static uint64_t
modseq_above(const struct import_store *s)
{
	return s->folder.modseq > 0 ? s->folder.modseq : MODSEQ_ABOVE;
}

/* The annotations of `n` messages from `from` on, counted from 1. */
static void
put_notes(const struct import_store *s, unsigned from, unsigned n, struct buf *out)
{
	for (unsigned i = from; i < from + n; i++) {
		const struct one *k = &s->one[i];
		struct reader r;

		reader_init(&r, s->notes.data + k->notes_from, k->notes_to - k->notes_from);
		while (k->notes_to > k->notes_from && !r.bad && r.p < r.end) {
			struct store_annotation a = { .uid = i - from + 1, .given = true };

			a.entry = get_span(&r);
			a.shared = get_u8(&r) != 0;
			a.value = get_span(&r);
			a.size = (uint32_t)a.value.len;
			if (!r.bad && a.entry.len <= STORE_ANNOTATION_NAME_MAX &&
			    a.value.len <= STORE_ANNOTATION_VALUE_MAX)
				put_store_annotation(out, &a);
		}
	}
}

static enum status
append(struct import_store *s, unsigned from, unsigned n)
{
	const size_t at = s->one[from].from, to = s->one[from + n - 1].to;
	struct store_append rq = { .path = buf_span(&s->path), .carried = true,
	    .keywords = buf_span(&s->keywords), .items = span(s->items.data + at, to - at) };
	struct buf notes = { 0 };
	enum status st;

	put_notes(s, from, n, &notes);
	rq.annotations = buf_span(&notes);
	st = ask(s, STORE_APPEND, &rq, on_appended);
	buf_fini(&notes);
	return st;
}

static enum status
place(struct import_store *s, unsigned from, unsigned n)
{
	const size_t at = s->one[from].from, to = s->one[from + n - 1].to;
	struct store_place rq = { .path = buf_span(&s->path), .keywords = buf_span(&s->keywords),
	    .items = span(s->items.data + at, to - at), .modseq = modseq_above(s) };
	struct buf notes = { 0 }, uids = { 0 };
	struct uidset set = { 0 };
	enum status st;

	for (unsigned i = from; i < from + n; i++)
		uidset_add(&set, s->one[i].uid);
	uidset_encode(&set, &uids);
	put_notes(s, from, n, &notes);
	rq.uids = buf_span(&uids);
	rq.annotations = buf_span(&notes);
	st = ask(s, STORE_PLACE, &rq, on_appended);
	uidset_fini(&set);
	buf_fini(&uids);
	buf_fini(&notes);
	return st;
}

static enum status
bring(struct import_store *s, unsigned from, unsigned n)
{
	enum status st = ST_CONFLICT;

	if (s->place)
		st = place(s, from, n);
	if (st != ST_CONFLICT)
		return st;
	s->place = s->exact = false;
	return append(s, from, n);
}

static void
put_uidls(struct import_store *s, unsigned from, unsigned n)
{
	struct store_uidl_put rq = { .mailbox = s->now.mailbox };
	struct buf list = { 0 };
	uint32_t uid = 0;

	for (unsigned i = from; i < from + n; i++) {
		uid = uidset_next(&s->given, uid);
		if (uid != 0 && s->one[i].uidl.len > 0)
			put_store_uidl(&list, &(struct store_uidl){ uid,
			    buf_span(&s->one[i].uidl) });
	}
	rq.list = buf_span(&list);
	if (list.len > 0 && ask(s, STORE_UIDL_PUT, &rq, NULL) != ST_OK)
		ctl_error("%s: POP3 unique-ids are left out", buf_cstr(&s->path));
	buf_fini(&list);
}

static void
drop_stage(struct import_store *s, uint32_t stage)
{
	const struct store_stage_drop rq = { stage };

	if (stage != 0)
		(void)ask(s, STORE_STAGE_DROP, &rq, NULL);
}

static void
brought(struct import_store *s, unsigned from, unsigned n)
{
	put_uidls(s, from, n);
	for (unsigned i = from; i < from + n; i++) {
		s->n++;
		s->owed++;
		set_have(s, s->one[i].owed, have(s, s->one[i].owed) + 1);
		set_have(s, s->one[i].same, have(s, s->one[i].same) + 1);
	}
}

static void
clear_batch(struct import_store *s)
{
	for (unsigned i = 0; i < s->n_one; i++) {
		drop_stage(s, s->one[i].stage);
		buf_fini(&s->one[i].uidl);
		mem_free(&s->one[i].name);
	}
	s->n_one = 0;
	buf_clear(&s->items);
	buf_clear(&s->notes);
	ctl_mail_keep(s->mail, false);
}

/* A batch that is refused for one of its messages goes one by one. */
static void
one_by_one(struct import_store *s)
{
	for (unsigned i = 0; i < s->n_one && s->rc == CTL_OK; i++) {
		enum status st = bring(s, i, 1);

		if (st == ST_OK) {
			brought(s, i, 1);
		} else if (st == ST_SYNTAX || st == ST_LIMIT) {
			s->exact = false;
			s->n_dropped++;
			ctl_error("%s: %s: the store does not take it: %s", buf_cstr(&s->path),
			    s->one[i].name, status_name(st));
		} else {
			say_failed(s, st, buf_cstr(&s->path));
		}
	}
}

static void
flush(struct import_store *s)
{
	enum status st;

	if (s->n_one == 0)
		return;
	if (s->rc == CTL_OK && s->o->dry_run) {
		s->n += s->n_one;
	} else if (s->rc == CTL_OK) {
		st = bring(s, 0, s->n_one);
		if (st == ST_OK)
			brought(s, 0, s->n_one);
		else if (st == ST_SYNTAX || st == ST_LIMIT)
			one_by_one(s);
		else
			say_failed(s, st, buf_cstr(&s->path));
	}
	clear_batch(s);
}

/* Messages ------------------------------------------------------------------------------- */

static void
forget(struct import_store *s)
{
	drop_stage(s, s->stage);
	s->stage = 0;
	buf_clear(&s->stored);
}

void
import_begin(struct import_store *s)
{
	forget(s);
}

static void
stage_some(struct import_store *s, bool all)
{
	while (s->rc == CTL_OK && s->stored.len > (all ? 0 : STORE_CHUNK_MAX)) {
		struct store_stage rq = { s->stage, 0, span_sub(buf_span(&s->stored), 0,
		    STORE_CHUNK_MAX) };
		enum status st = ask(s, STORE_STAGE, &rq, NULL);

		if (st != ST_OK)
			say_failed(s, st, buf_cstr(&s->path));
		buf_drop(&s->stored, rq.data.len);
	}
}

void
import_stored(struct import_store *s, struct span stored)
{
	if (!s->wanted || s->rc != CTL_OK)
		return;
	if (s->o->dry_run)
		return;
	buf_add_span(&s->stored, stored);
	if (s->stored.len > STORE_INLINE_MAX && s->stage == 0) {
		s->stage = ++s->stages;
		ctl_mail_keep(s->mail, true);
	}
	if (s->stage != 0)
		stage_some(s, false);
}

void
import_drop(struct import_store *s, const char *from, const char *why)
{
	forget(s);
	if (why[0] == '\0')
		return;
	if (s->wanted || !s->open) {
		s->n_dropped++;
		s->exact = false;
		ctl_error("%s: %s", from, why);
	}
}

static void
set_keywords(struct import_store *s, const struct transfer_message *m, struct flags *flags)
{
	struct reader r, k;

	reader_init(&r, m->keywords.data, m->keywords.len);
	while (!r.bad && r.p < r.end) {
		struct span name = get_span(&r), known;
		unsigned bit = 0;

		reader_init(&k, s->keywords.data, s->keywords.len);
		while (get_store_keyword(&k, &known) && !span_caseeq(known, name))
			bit++;
		if (bit == s->n_keywords && s->n_keywords < KEYWORD_MAX && keyword_valid(name)) {
			put_store_keyword(&s->keywords, name);
			s->n_keywords++;
		}
		if (bit < s->n_keywords)
			flags_set_keyword(flags, bit);
	}
}

/* Each of the source's messages stands for one of those that are there. */
static bool
is_here(struct import_store *s, const struct transfer_message *m, struct span sha)
{
	uint64_t same = key_of(s, SAME, sha, m->uid);

	if (s->o->again || take_one(s, key_of(s, THERE, sha, 0)) == 0)
		return false;
	set_have(s, same, have(s, same) + 1);
	s->n_passed++;
	return true;
}

static void
add_to_batch(struct import_store *s, const struct transfer_message *m,
    struct store_append_item *it, const char *from)
{
	struct one *k = &s->one[s->n_one++];

	*k = (struct one){ .from = s->items.len, .notes_from = s->notes.len, .uid = m->uid,
	    .stage = s->stage, .owed = key_of(s, OWED, it->sha256, 0),
	    .same = key_of(s, SAME, it->sha256, m->uid), .name = span_dup(span_str(from)) };
	it->flags = flags_system(m->system);
	set_keywords(s, m, &it->flags);
	it->received_s = m->received_s == TRANSFER_NOT_KNOWN ? INT64_MIN : m->received_s;
	it->received_zone = m->received_zone;
	if (s->o->keep_ids) {
		it->message = m->message;
		it->thread = m->thread;
	}
	it->stage = s->stage;
	it->body = s->stage != 0 ? SPAN_NONE : buf_span(&s->stored);
	put_store_append_item(&s->items, it);
	k->to = s->items.len;
	buf_add_span(&s->notes, buf_span(&m->annotations));
	k->notes_to = s->notes.len;
	if (m->uidl.len <= STORE_UIDL_MAX)
		buf_add_span(&k->uidl, buf_span(&m->uidl));
	s->stage = 0;
	buf_clear(&s->stored);
}

void
import_message(struct import_store *s, const struct transfer_message *m,
    struct store_append_item *it, const char *from)
{
	if (!s->wanted || s->rc != CTL_OK)
		return;
	if (m->uidvalidity != 0 && s->folder.uidvalidity == 0) {
		s->folder.uidvalidity = m->uidvalidity;
		s->folder.uidnext = m->uidnext;
	}
	if (is_here(s, m, it->sha256)) {
		forget(s);
		return;
	}
	if (m->uid == 0 || m->uid <= s->last_uid)
		s->place = s->exact = false;
	s->last_uid = m->uid > s->last_uid ? m->uid : s->last_uid;
	if (s->stage != 0)
		stage_some(s, true);
	add_to_batch(s, m, it, from);
	if (s->n_one == BATCH || s->items.len >= BATCH_BYTES)
		flush(s);
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
		say_failed(s, st, buf_cstr(&s->path));
		return;
	}
	if (s->owed > 0)
		ctl_error("%s: %" PRIu64 " messages are not there any more: expunged meanwhile, or "
		    "lost", buf_cstr(&s->path), s->owed);
}

static void
keep_report(struct import_store *s)
{
	struct done *d;

	if (s->n_list == s->room) {
		s->room = s->room > 0 ? 2 * s->room : 16;
		s->list = mem_realloc(s->list, s->room * sizeof(*s->list));
	}
	d = &s->list[s->n_list++];
	*d = (struct done){ .path = span_dup(buf_span(&s->path)), .n = s->n, .passed = s->n_passed,
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

static void
finish_folder(struct import_store *s)
{
	if (!s->open)
		return;
	flush(s);
	forget(s);
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

/* The end ----------------------------------------------------------------------------------- */

static int
by_validity(const void *a, const void *b)
{
	const struct done *x = *(const struct done *const *)a, *y = *(const struct done *const *)b;

	return (x->was_validity > y->was_validity) - (x->was_validity < y->was_validity);
}

/* What an account takes must rise, so the lowest comes first. */
static void
take_validities(struct import_store *s)
{
	struct done **order = mem_alloc((s->n_list + 1) * sizeof(*order));

	for (size_t i = 0; i < s->n_list; i++)
		order[i] = &s->list[i];
	qsort(order, s->n_list, sizeof(*order), by_validity);
	for (size_t i = 0; i < s->n_list && s->rc == CTL_OK; i++) {
		struct done *d = order[i];
		const struct store_uidvalidity rq = { .mailbox = d->mailbox,
		    .if_modseq = d->modseq, .uidvalidity = d->was_validity,
		    .uidnext = d->was_next };

		d->kept |= d->was_validity != 0 && ask(s, STORE_UIDVALIDITY, &rq, NULL) == ST_OK;
		if (d->kept && d->was_validity != 0) {
			d->uidvalidity = d->was_validity;
			if (d->uidnext < d->was_next)
				d->uidnext = d->was_next;
		}
	}
	mem_free(&order);
}

static void
put_report(struct import_store *s, const struct done *d, struct buf *out)
{
	json_begin_object(&s->w);
	json_kv_str(&s->w, "mailbox", d->path);
	json_kv_uint(&s->w, "imported", d->n);
	json_kv_uint(&s->w, "there_already", d->passed);
	json_kv_uint(&s->w, "left_out", d->dropped);
	json_kv_uint(&s->w, "messages", d->messages);
	json_kv_uint(&s->w, "uidvalidity", d->uidvalidity);
	json_kv_uint(&s->w, "uidnext", d->uidnext);
	json_kv_bool(&s->w, "uids_kept", d->uids_kept);
	json_kv_bool(&s->w, "uidvalidity_kept", d->kept);
	json_end_object(&s->w);
	buf_addf(out, "%s: %" PRIu64 " %s, %" PRIu64 " there already, %" PRIu64 " left out",
	    d->path, d->n, s->o->dry_run ? "would come" : "imported", d->passed, d->dropped);
	if (!s->o->dry_run)
		buf_addf(out, "; now %" PRIu64 " messages, uids %.*s%s, UIDVALIDITY %" PRIu32 "%s",
		    d->messages, d->uids.len > 60 ? 57 : (int)d->uids.len,
		    d->uids.len > 0 ? d->uids.data : "", d->uids.len > 60 ? "..." :
		    d->uids.len == 0 ? "none" : "", d->uidvalidity, d->kept ? " (kept)" : "");
	buf_add_c(out, '\n');
}

int
import_store_finish(struct import_store *s, bool complete)
{
	struct buf out = { 0 };

	finish_folder(s);
	if (!s->o->dry_run && complete)
		take_validities(s);
	for (size_t i = 0; i < s->n_list; i++)
		put_report(s, &s->list[i], &out);
	json_end_array(&s->w);
	json_kv_uint(&s->w, "imported", s->messages);
	json_kv_uint(&s->w, "there_already", s->passed);
	json_kv_uint(&s->w, "left_out", s->dropped);
	json_kv_bool(&s->w, "complete", complete && s->rc == CTL_OK);
	json_end_object(&s->w);
	buf_addf(&out, "%" PRIu64 " messages %s, %" PRIu64 " there already, %" PRIu64
	    " left out\n", s->messages, s->o->dry_run ? "would come" : "imported", s->passed,
	    s->dropped);
	if (s->ctl->json)
		(void)ctl_print_json(buf_span(&s->report));
	else
		(void)ctl_print(&out);
	buf_fini(&out);
	return s->rc == CTL_OK && s->dropped > 0 ? CTL_FAILED : s->rc;
}

void
import_store_free(struct import_store **sp)
{
	struct import_store *s = *sp;

	if (s == NULL)
		return;
	for (unsigned i = 0; i < s->n_one; i++) {
		buf_fini(&s->one[i].uidl);
		mem_free(&s->one[i].name);
	}
	for (size_t i = 0; i < s->n_list; i++) {
		mem_free(&s->list[i].path);
		buf_fini(&s->list[i].uids);
	}
	mem_free(&s->list);
	transfer_folder_fini(&s->folder);
	uidset_fini(&s->uids);
	uidset_fini(&s->given);
	table_fini(&s->have, NULL, NULL);
	buf_fini(&s->path);
	buf_fini(&s->keywords);
	buf_fini(&s->items);
	buf_fini(&s->notes);
	buf_fini(&s->stored);
	buf_fini(&s->report);
	mem_free(sp);
}
