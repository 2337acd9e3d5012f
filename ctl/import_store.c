#include "ctl/import_store_priv.h"

#include "common/crypto/random.h"

enum status
import_ask(struct import_store *s, uint16_t no, const void *rq, ctl_mail_fn fn)
{
	return ctl_mail_ask(s->mail, no, rq, fn, s);
}

void
import_failed(struct import_store *s, enum status st, const char *what)
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

/* Messages ------------------------------------------------------------------------------- */

void
import_forget(struct import_store *s)
{
	import_drop_stage(s, s->stage);
	s->stage = 0;
	buf_clear(&s->stored);
}

void
import_begin(struct import_store *s)
{
	import_forget(s);
}

static void
stage_some(struct import_store *s, bool all)
{
	while (s->rc == CTL_OK && s->stored.len > (all ? 0 : STORE_CHUNK_MAX)) {
		struct store_stage rq = { s->stage, 0, span_sub(buf_span(&s->stored), 0,
		    STORE_CHUNK_MAX) };
		enum status st = import_ask(s, STORE_STAGE, &rq, NULL);

		if (st != ST_OK)
			import_failed(s, st, buf_cstr(&s->path));
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
	import_forget(s);
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
	uint64_t same = import_key(s, SAME, sha, m->uid);

	if (s->o->again || import_take_one(s, import_key(s, THERE, sha, 0)) == 0)
		return false;
	import_set_have(s, same, import_have(s, same) + 1);
	s->n_passed++;
	return true;
}

static void
add_to_batch(struct import_store *s, const struct transfer_message *m,
    struct store_append_item *it, const char *from)
{
	struct import_one *k = &s->one[s->n_one++];

	*k = (struct import_one){ .from = s->items.len, .notes_from = s->notes.len, .uid = m->uid,
	    .stage = s->stage, .owed = import_key(s, OWED, it->sha256, 0),
	    .same = import_key(s, SAME, it->sha256, m->uid), .name = span_dup(span_str(from)) };
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
		import_forget(s);
		return;
	}
	if (m->uid == 0 || m->uid <= s->last_uid)
		s->place = s->exact = false;
	s->last_uid = m->uid > s->last_uid ? m->uid : s->last_uid;
	if (s->stage != 0)
		stage_some(s, true);
	add_to_batch(s, m, it, from);
	if (s->n_one == BATCH || s->items.len >= BATCH_BYTES)
		import_flush(s);
}

/* The end ----------------------------------------------------------------------------------- */

static int
by_validity(const void *a, const void *b)
{
	const struct import_done *x = *(const struct import_done *const *)a;
	const struct import_done *y = *(const struct import_done *const *)b;

	return (x->was_validity > y->was_validity) - (x->was_validity < y->was_validity);
}

/* What an account takes must rise, so the lowest comes first. */
static void
take_validities(struct import_store *s)
{
	struct import_done **order = mem_alloc((s->n_list + 1) * sizeof(*order));

	for (size_t i = 0; i < s->n_list; i++)
		order[i] = &s->list[i];
	qsort(order, s->n_list, sizeof(*order), by_validity);
	for (size_t i = 0; i < s->n_list && s->rc == CTL_OK; i++) {
		struct import_done *d = order[i];
		const struct store_uidvalidity rq = { .mailbox = d->mailbox,
		    .if_modseq = d->modseq, .uidvalidity = d->was_validity,
		    .uidnext = d->was_next };

		d->kept |= d->was_validity != 0 && import_ask(s, STORE_UIDVALIDITY, &rq, NULL) == ST_OK;
		if (d->kept && d->was_validity != 0) {
			d->uidvalidity = d->was_validity;
			if (d->uidnext < d->was_next)
				d->uidnext = d->was_next;
		}
	}
	mem_free(&order);
}

static void
put_report(struct import_store *s, const struct import_done *d, struct buf *out)
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

	import_finish_folder(s);
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
