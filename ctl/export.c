/* mansioctl export: asks for folders, rows and bodies, a bounded piece at a time, lets the helper
 * unpack the bodies and hands all of it to the files. */
#include "ctl/export.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/mail/mailbox_name.h"
#include "common/util/mem.h"
#include "ctl/client.h"
#include "ctl/helper.h"
#include "ctl/mail.h"
#include "ctl/output.h"

#define BATCH		100u		/* messages whose rows are asked for at once */
#define BODY_BUDGET	(1u << 20)

struct export {
	struct ctl		*ctl;
	const struct export_opts *o;
	struct ctl_mail		*mail;
	struct helper		*helper;
	struct export_file	*file;
	struct ctl_progress	progress;
	struct buf		list;		/* put_store_mailbox()... */
	struct buf		scripts;	/* put_store_script()... */
	uint64_t		total, done, bytes, folders, damaged, left;
	struct json_writer	w;
	struct buf		report;		/* JSON: what was damaged */
	int			rc;
	/* of the folder at hand */
	struct transfer_folder	folder;
	uint64_t		mailbox;
	struct buf		keywords;
	struct uidset		uids;
	struct transfer_message	batch[BATCH];
	unsigned		n;
	/* of the message at hand */
	struct digest		*digest;
	uint64_t		got;
	bool			good;		/* the helper's word */
	uint64_t		resume;
	uint32_t		resume_uid;
};

int
transfer_format_parse(const char *text, enum transfer_format *format)
{
	static const char *const names[] = { "maildir", "mbox", "archive" };

	for (size_t i = 0; text != NULL && i < ARRAY_LEN(names); i++)
		if (strcmp(text, names[i]) == 0) {
			*format = (enum transfer_format)i;
			return CTL_OK;
		}
	return ctl_usage("--format is maildir, mbox or archive");
}

static void
store_failed(struct export *x, const char *what, enum status st)
{
	if (x->rc == CTL_OK && st != ST_UNAVAILABLE)
		ctl_error("%s: the store says: %s", what, status_name(st));
	x->rc = st == ST_UNAVAILABLE ? CTL_UNREACHABLE : CTL_FAILED;
}

static bool
ask(struct export *x, uint16_t no, const void *rq, ctl_mail_fn fn)
{
	enum status st = ctl_mail_ask(x->mail, no, rq, fn, x);

	if (st != ST_OK)
		store_failed(x, x->folder.path.len > 0 ? buf_cstr(&x->folder.path) :
		    x->o->address, st);
	return st == ST_OK;
}

/* Rows ------------------------------------------------------------------------------ */

static struct transfer_message *
find(struct export *x, uint32_t uid)
{
	for (unsigned i = 0; i < x->n; i++)
		if (x->batch[i].uid == uid)
			return &x->batch[i];
	return NULL;
}

static void
put_keywords(struct export *x, struct flags flags, struct buf *out)
{
	struct span name;
	struct reader r;

	reader_init(&r, x->keywords.data, x->keywords.len);
	for (unsigned bit = 0; get_store_keyword(&r, &name); bit++)
		if (flags_has_keyword(flags, bit))
			put_span(out, name);
}

static void
on_rows(void *arg, const void *msg)
{
	const struct store_rows_are *are = msg;
	struct export *x = arg;
	struct store_row row;
	struct reader r;

	buf_clear(&x->keywords);
	buf_add_span(&x->keywords, are->keywords);
	reader_init(&r, are->rows.p, are->rows.len);
	while (x->n < BATCH && get_store_row(&r, &row, ROW_ALL)) {
		struct transfer_message *m = &x->batch[x->n++];

		transfer_message_clear(m);
		m->uid = row.uid;
		m->system = flags_get_system(row.flags);
		m->received_s = row.received_s;
		m->received_zone = row.received_zone;
		m->message = row.message;
		m->thread = row.thread;
		m->size = row.size;
		put_keywords(x, row.flags, &m->keywords);
	}
}

static void
on_sums(void *arg, const void *msg)
{
	const struct store_sums_are *are = msg;
	struct transfer_message *m;
	struct store_sum s;
	struct reader r;

	reader_init(&r, are->sums.p, are->sums.len);
	while (get_store_sum(&r, &s))
		if ((m = find(arg, s.uid)) != NULL) {
			memcpy(m->sha256, s.sha256.p, sizeof(m->sha256));
			m->summed = true;
		}
}

static void
on_uidls(void *arg, const void *msg)
{
	const struct store_uidls_are *are = msg;
	struct transfer_message *m;
	struct store_uidl u;
	struct reader r;

	reader_init(&r, are->list.p, are->list.len);
	while (get_store_uidl(&r, &u))
		if ((m = find(arg, u.uid)) != NULL) {
			buf_clear(&m->uidl);
			buf_add_span(&m->uidl, u.text);
		}
}

static void
on_annotations(void *arg, const void *msg)
{
	const struct store_annotations_are *are = msg;
	struct export *x = arg;
	struct transfer_message *m;
	struct store_annotation a;
	struct reader r;

	reader_init(&r, are->entries.p, are->entries.len);
	while (get_store_annotation(&r, &a))
		if (a.given && (m = find(x, a.uid)) != NULL) {
			put_span(&m->annotations, a.entry);
			put_u8(&m->annotations, a.shared);
			put_span(&m->annotations, a.value);
		}
	x->resume_uid = are->resume_uid;
}

/* The rows of the next messages above `after`, with all that goes with them. */
static bool
read_batch(struct export *x, uint32_t after)
{
	struct uidset some = { 0 };
	struct buf uids = { 0 }, all = { 0 };
	struct store_rows rows = { .mailbox = x->mailbox, .fields = ROW_ALL };
	struct store_sums sums = { .mailbox = x->mailbox };
	struct store_uidls uidls = { .mailbox = x->mailbox, .limit = BATCH };
	struct store_annotations notes = { .mailbox = x->mailbox,
	    .which = ANNOTATIONS_PRIVATE | ANNOTATIONS_SHARED,
	    .max_size = STORE_ANNOTATION_VALUE_MAX };
	uint32_t uid = after;
	bool ok;

	x->n = 0;
	for (unsigned n = 0; n < BATCH && (uid = uidset_next(&x->uids, uid)) != 0; n++)
		uidset_add(&some, uid);
	uidls.from = uidset_next(&some, 0);
	uidset_encode(&some, &uids);
	rows.uids = sums.uids = notes.uids = buf_span(&uids);
	put_span(&all, SPAN_LIT("*"));
	notes.names = buf_span(&all);
	ok = ask(x, STORE_ROWS, &rows, on_rows) && ask(x, STORE_SUMS, &sums, on_sums) &&
	    ask(x, STORE_UIDLS, &uidls, on_uidls) &&
	    ask(x, STORE_ANNOTATIONS, &notes, on_annotations);
	uidset_fini(&some);
	buf_fini(&uids);
	buf_fini(&all);
	return ok;
}

/* Bodies ----------------------------------------------------------------------------- */

static void
on_helper(void *arg, enum helper_kind kind, struct span data)
{
	struct export *x = arg;

	if (kind == HELPER_DONE) {
		x->good = data.len == 1 && data.p[0] != 0;
	} else if (kind == HELPER_RAW) {
		digest_add(x->digest, data.p, data.len);
		x->got += data.len;
		export_data(x->file, data);
	}
}

static void
on_body(void *arg, const void *msg)
{
	const struct store_body_is *is = msg;
	struct export *x = arg;
	struct store_body_piece p;
	struct reader r;

	reader_init(&r, is->pieces.p, is->pieces.len);
	while (get_store_body_piece(&r, &p))
		(void)helper_send(x->helper, p.data);
	x->resume_uid = is->resume_uid;
	x->resume = is->resume_offset;
}

static void
say_damaged(struct export *x, const struct transfer_message *m, const char *why)
{
	x->damaged++;
	ctl_error("%s: message %" PRIu32 ": %s", buf_cstr(&x->folder.path), m->uid, why);
	json_begin_object(&x->w);
	json_kv_string(&x->w, "mailbox", buf_span(&x->folder.path));
	json_kv_uint(&x->w, "uid", m->uid);
	json_kv_str(&x->w, "why", why);
	json_end_object(&x->w);
}

/* The body through the helper into the file.  *st: of the store. */
static bool
fetch(struct export *x, const struct transfer_message *m, enum status *st)
{
	struct uidset one = { 0 };
	struct buf uids = { 0 };
	struct store_body rq = { .mailbox = x->mailbox, .budget = BODY_BUDGET };
	unsigned char sum[SHA256_LEN];

	uidset_add(&one, m->uid);
	uidset_encode(&one, &uids);
	rq.uids = buf_span(&uids);
	x->got = 0;
	do {
		x->resume_uid = 0;
		*st = ctl_mail_ask(x->mail, STORE_BODY, &rq, on_body, x);
		rq.offset = x->resume;
	} while (*st == ST_OK && x->resume_uid == m->uid);
	uidset_fini(&one);
	buf_fini(&uids);
	if (!helper_end(x->helper)) {
		x->rc = CTL_FAILED;
		return false;
	}
	digest_done(x->digest, sum);
	return *st == ST_OK && x->good && x->got == m->size &&
	    (!m->summed || memcmp(sum, m->sha256, sizeof(sum)) == 0);
}

static void
one_message(struct export *x, const struct transfer_message *m)
{
	bool good = false, raw = false, taken;
	enum status st;

	do {
		export_begin(x->file, m, raw);
		good = fetch(x, m, &st);
		if (x->rc != CTL_OK)
			return;
		taken = export_end(x->file, !good);
		raw = true;
	} while (!taken);
	if (st == ST_UNAVAILABLE)
		store_failed(x, buf_cstr(&x->folder.path), st);
	else if (!good && x->got == 0 && st == ST_OK)
		say_damaged(x, m, "it has no body, or was expunged meanwhile");
	else if (!good)
		say_damaged(x, m, "its body is damaged: it is not in the export");
	x->done++;
	x->bytes += good ? m->size : 0;
	ctl_progress_set(&x->progress, x->done, x->total);
}

static void
messages(struct export *x)
{
	uint32_t uid = 0;

	while (x->rc == CTL_OK && uidset_next(&x->uids, uid) != 0) {
		if (!read_batch(x, uid))
			return;
		for (unsigned i = 0; i < x->n && x->rc == CTL_OK; i++) {
			one_message(x, &x->batch[i]);
			if (export_file_failed(x->file))
				x->rc = CTL_FAILED;
		}
		for (unsigned i = 0; i < BATCH && uidset_next(&x->uids, uid) != 0; i++)
			uid = uidset_next(&x->uids, uid);
	}
}

/* Folders ----------------------------------------------------------------------------- */

static void
on_metadata(void *arg, const void *msg)
{
	const struct store_metadata_is *is = msg;
	struct export *x = arg;
	struct store_metadata md;
	struct reader r;

	reader_init(&r, is->entries.p, is->entries.len);
	while (get_store_metadata(&r, &md))
		if (md.given) {
			put_span(&x->folder.metadata, md.name);
			put_span(&x->folder.metadata, md.value);
		}
	x->resume_uid = is->resume;
}

static bool
read_metadata(struct export *x, uint64_t mailbox)
{
	struct store_metadata_get rq = { .mailbox = mailbox, .depth = 255,
	    .max_size = STORE_METADATA_VALUE_MAX };
	struct buf names = { 0 };
	bool ok;

	put_span(&names, SPAN_LIT("/private"));
	put_span(&names, SPAN_LIT("/shared"));
	rq.names = buf_span(&names);
	do {
		x->resume_uid = 0;
		ok = ask(x, STORE_METADATA_GET, &rq, on_metadata);
		rq.from = x->resume_uid;
	} while (ok && rq.from != 0);
	buf_fini(&names);
	return ok;
}

static void
read_acl(struct export *x)
{
	struct buf args = { 0 }, answer = { 0 };
	struct json_doc *doc = NULL;
	const struct json *list;
	struct span who, rights;

	ctl_args(&args, "address", x->o->address, "mailbox", buf_cstr(&x->folder.path), NULL);
	if (ctl_run(x->ctl, "acl-list", buf_span(&args), &answer) == CTL_OK &&
	    json_parse(buf_span(&answer), answer.len, &doc) == ST_OK) {
		list = json_member(json_root(doc), "acl");
		for (size_t i = 0; i < json_count(list); i++)
			if (json_get_string(json_item(list, i), "identifier", &who) &&
			    json_get_string(json_item(list, i), "rights", &rights)) {
				put_span(&x->folder.acl, who);
				put_span(&x->folder.acl, rights);
			}
	} else {
		x->rc = CTL_FAILED;
	}
	json_free(&doc);
	buf_fini(&args);
	buf_fini(&answer);
}

static void
on_opened(void *arg, const void *msg)
{
	const struct store_opened *o = msg;
	struct export *x = arg;
	struct reader r;

	x->mailbox = o->mailbox;
	x->folder.uidvalidity = o->uidvalidity;
	x->folder.uidnext = o->uidnext;
	x->folder.modseq = o->highestmodseq;
	reader_init(&r, o->uids.p, o->uids.len);
	(void)uidset_decode(&x->uids, &r, SIZE_MAX);
}

static void
on_scripts(void *arg, const void *msg)
{
	const struct store_scripts_are *are = msg;
	struct export *x = arg;

	buf_add_span(&x->scripts, are->scripts);
}

static void
on_script(void *arg, const void *msg)
{
	const struct store_script_is *is = msg;
	struct export *x = arg;

	put_span(&x->folder.scripts, is->text);
}

/* Names with their texts. */
static bool
read_scripts(struct export *x)
{
	struct store_script one;
	struct reader r;
	bool ok;

	buf_clear(&x->scripts);
	ok = ask(x, STORE_SCRIPTS, NULL, on_scripts);
	reader_init(&r, x->scripts.data, x->scripts.len);
	while (ok && x->scripts.len > 0 && get_store_script(&r, &one)) {
		const struct store_script_get rq = { .name = one.name };

		put_span(&x->folder.scripts, one.name);
		if (one.active)
			buf_add_span(&x->folder.active, one.name);
		ok = ask(x, STORE_SCRIPT, &rq, on_script);
	}
	return ok;
}

/* The account's own annotations and its scripts stand in a folder without a name. */
static void
account_itself(struct export *x)
{
	transfer_folder_clear(&x->folder);
	if (x->o->format != FORMAT_ARCHIVE || x->o->mailbox != NULL || !read_metadata(x, 0) ||
	    !read_scripts(x))
		return;
	if (x->folder.metadata.len > 0 || x->folder.scripts.len > 0)
		export_folder(x->file, &x->folder);
}

static void
folder(struct export *x, const struct store_mailbox *m)
{
	struct store_open rq;

	transfer_folder_clear(&x->folder);
	buf_add_span(&x->folder.path, m->path);
	buf_add_str(&x->folder.role, mailbox_role_name(m->role));
	x->folder.exists = m->id != 0;
	x->folder.subscribed = m->subscribed;
	uidset_clear(&x->uids);
	rq = (struct store_open){ .path = buf_span(&x->folder.path) };
	if (m->id != 0 && !ask(x, STORE_OPEN, &rq, on_opened))
		return;
	if (m->id != 0 && x->o->format == FORMAT_ARCHIVE) {
		if (!read_metadata(x, m->id))
			return;
		read_acl(x);
	}
	if (x->rc != CTL_OK)
		return;
	export_folder(x->file, &x->folder);
	x->folders += m->id != 0;
	if (m->id != 0)
		messages(x);
}

static void
on_list(void *arg, const void *msg)
{
	const struct store_mailboxes *are = msg;
	struct export *x = arg;

	buf_add_span(&x->list, are->list);
}

static bool
wanted(const struct export *x, const struct store_mailbox *m, struct span path)
{
	if (m->id == 0 && x->o->format != FORMAT_ARCHIVE)
		return false;
	return path.len == 0 || span_eq(m->path, path);
}

static void
all_folders(struct export *x, struct span path)
{
	struct store_mailbox m;
	struct reader r;
	unsigned n = 0;

	reader_init(&r, x->list.data, x->list.len);
	while (get_store_mailbox(&r, &m))
		x->total += wanted(x, &m, path) ? m.messages : 0;
	account_itself(x);
	reader_init(&r, x->list.data, x->list.len);
	while (x->rc == CTL_OK && get_store_mailbox(&r, &m))
		if (wanted(x, &m, path)) {
			n++;
			folder(x, &m);
			if (export_file_failed(x->file))
				x->rc = CTL_FAILED;
		}
	if (n == 0 && x->rc == CTL_OK)
		x->rc = ctl_error("%s has no mailbox of that name", x->o->address);
}

static int
tell(struct export *x)
{
	struct buf line = { 0 };
	int rc;

	json_end_array(&x->w);
	json_kv_uint(&x->w, "folders", x->folders);
	json_kv_uint(&x->w, "messages", x->done - x->damaged);
	json_kv_uint(&x->w, "bytes", x->bytes);
	json_kv_uint(&x->w, "keywords_left_out", x->left);
	json_end_object(&x->w);
	if (x->ctl->json)
		return ctl_print_json(buf_span(&x->report));
	if (x->left > 0)
		buf_addf(&line, "%" PRIu64 " keywords found no place: a Maildir holds 26 of them\n",
		    x->left);
	buf_addf(&line, "%" PRIu64 " messages in %" PRIu64 " mailboxes, ", x->done - x->damaged,
	    x->folders);
	ctl_put_size(&line, x->bytes);
	buf_addf(&line, ", are in %s\n", x->o->path);
	rc = ctl_print(&line);
	buf_fini(&line);
	return rc;
}

static int
run(struct export *x, struct span path)
{
	struct store_list all = { SPAN_NONE };
	struct buf user = { 0 };

	transfer_user(x->ctl, &user);
	x->helper = helper_start(HELPER_UNPACK, buf_cstr(&user), on_helper, x);
	buf_fini(&user);
	if (x->helper == NULL)
		return CTL_FAILED;
	if ((x->mail = ctl_mail_open(x->ctl, x->o->address, &x->rc)) == NULL)
		return x->rc;
	if (!ask(x, STORE_LIST, &all, on_list))
		return x->rc;
	x->file = export_file_new(x->o->format, x->o->path, x->o->address,
	    x->o->mailbox != NULL);
	if (export_file_failed(x->file))
		x->rc = CTL_FAILED;
	ctl_progress_start(&x->progress, x->ctl, "exported");
	if (x->rc == CTL_OK)
		all_folders(x, path);
	ctl_progress_end(&x->progress);
	x->left = export_left(x->file);
	if (export_close(&x->file, x->rc == CTL_OK) != CTL_OK && x->rc == CTL_OK)
		x->rc = CTL_FAILED;
	if (x->rc == CTL_OK)
		x->rc = tell(x);
	return x->rc == CTL_OK && x->damaged > 0 ? CTL_FAILED : x->rc;
}

int
export_run(struct ctl *ctl, const struct export_opts *o)
{
	struct export *x = mem_zalloc(sizeof(*x));
	struct buf path = { 0 };
	int rc;

	x->ctl = ctl;
	x->o = o;
	x->digest = digest_new(DIGEST_SHA256);
	json_writer_init(&x->w, &x->report);
	json_begin_object(&x->w);
	json_key(&x->w, "damaged");
	json_begin_array(&x->w);
	if (o->mailbox != NULL && !mailbox_name_from_utf8(span_str(o->mailbox), &path))
		rc = ctl_usage("%s: no name of a mailbox", o->mailbox);
	else
		rc = run(x, buf_span(&path));
	helper_stop(&x->helper);
	ctl_mail_close(&x->mail);
	for (size_t i = 0; i < BATCH; i++)
		transfer_message_fini(&x->batch[i]);
	transfer_folder_fini(&x->folder);
	uidset_fini(&x->uids);
	digest_free(&x->digest);
	buf_fini(&x->list);
	buf_fini(&x->scripts);
	buf_fini(&x->keywords);
	buf_fini(&x->report);
	buf_fini(&path);
	mem_free(&x);
	return rc;
}
