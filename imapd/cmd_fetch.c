/* FETCH: chunks of rows, groups of cache blobs and bodies. */
#include "imapd/fetch.h"

#include "common/util/mem.h"
#include "imapd/annotations.h"
#include "imapd/events.h"
#include "imapd/limits.h"
#include "imapd/sync.h"

#define CHUNK_PLAIN	8192u		/* messages of which rows alone are asked for */
#define CHUNK_MORE	1024u
#define GROUP_MAX	128u		/* messages whose blobs are held at once */
#define BODY_BUDGET	(1u << 20)
#define BLOBS_MAX	(1u << 20)	/* of a group; the messages behind it are asked for again */
#define FLAGS_BYTES	(1u << 20)	/* of FLAGS that one chunk may come to */

void
fetch_release(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;

	uidset_fini(&f->todo);
	uidset_fini(&f->slow);
	buf_fini(&f->labels);
	mem_free(&f->rows);
	buf_fini(&f->blobs);
	buf_fini(&f->notes);
	buf_fini(&f->raw);
	body_reader_free(&f->reader);
	body_reader_free(&f->pass.reader);
	mime_decoder_fini(&f->pass.decoder);
	mime_digest_free(&f->digest);
}

void
fetch_abort(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;

	LOG(&s->log, ERROR, "imap.fetch-broken", KV_STATUS(((struct fetch *)cmd->data)->failed));
	imap_session_cut(s);
}

static void
fetch_end(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;

	if (f->failed == ST_NOT_FOUND)
		cmd->session->view->dirty = true;
	if (f->failed != ST_OK && f->failed != ST_NOT_FOUND)
		imap_cmd_done(cmd, f->failed);
	else if (f->no_part)
		imap_cmd_end(cmd, "BAD A message has no such part");
	else if (f->unknown_cte)
		imap_cmd_end(cmd, "NO [UNKNOWN-CTE] The encoding of a part is not known");
	else if (!cmd->uid && !f->filtered && f->told < f->asked)
		imap_cmd_end(cmd, "NO [EXPUNGEISSUED] Some of the messages are gone");
	else
		imap_cmd_done(cmd, ST_OK);
}

static void next_chunk(struct imap_cmd *cmd);

/* ---- bodies of small messages ---- */

static void ask_bodies(struct imap_cmd *cmd);

static void
message_read(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;

	fetch_put_message(cmd->session, f, &f->rows[f->reading], buf_span(&f->raw),
	    imap_out(cmd->session));
	f->reading++;
	body_reader_free(&f->reader);
	buf_clear(&f->raw);
}

static void
take_piece(struct imap_cmd *cmd, const struct store_body_piece *p)
{
	struct fetch *f = cmd->data;

	/* Rows in front of it have no body any more. */
	while (f->reading < f->group_end && f->rows[f->reading].row.uid < p->uid) {
		body_reader_free(&f->reader);
		buf_clear(&f->raw);
		f->reading++;
	}
	if (f->reading == f->group_end || f->rows[f->reading].row.uid != p->uid)
		return;
	if (f->reader == NULL)
		/* no more than was counted when it came, whatever it unpacks to */
		f->reader = body_reader_new(0, f->rows[f->reading].row.size);
	if (body_reader_feed(f->reader, p->data, &f->raw) != ST_OK) {
		f->failed = ST_CORRUPT;
		LOG(&cmd->session->log, ERROR, "imap.body-corrupt", KV_UINT("uid", p->uid));
		body_reader_free(&f->reader);
		buf_clear(&f->raw);
		f->reading++;
		return;
	}
	if (p->offset + p->data.len >= p->stored_size)
		message_read(cmd);
}

static void
on_bodies(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct fetch *f = cmd->data;
	const struct store_body_is *is = msg;
	struct store_body_piece p;
	struct reader r;

	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->pieces.p, is->pieces.len);
		while (is->pieces.len > 0 && get_store_body_piece(&r, &p))
			take_piece(cmd, &p);
		f->resume_uid = is->resume_uid;
		f->resume_offset = is->resume_offset;
	}
	if (more)
		return;
	if (st != ST_OK)
		f->failed = st;
	if (st == ST_OK && f->resume_uid != 0) {
		ask_bodies(cmd);
		return;
	}
	f->at = f->group_end;
	body_reader_free(&f->reader);
	buf_fini(&f->raw);
	fetch_next_group(cmd);
}

/* Bodies of the group, from resume_uid on. */
static void
ask_bodies(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;
	struct store_body rq = {
		.mailbox = cmd->session->view->mailbox, .offset = f->resume_offset,
		.budget = BODY_BUDGET
	};
	struct uidset uids = { 0 };
	struct buf set = { 0 };

	if (conn_full(cmd->session->conn)) {
		cmd->drained = ask_bodies;
		return;
	}
	for (size_t i = f->at; i < f->group_end; i++) {
		if (f->rows[i].row.uid >= f->resume_uid)
			uidset_add(&uids, f->rows[i].row.uid);
	}
	uidset_encode(&uids, &set);
	rq.uids = buf_span(&set);
	store_do_body(cmd->session->store, &rq, on_bodies, cmd);
	buf_fini(&set);
	uidset_fini(&uids);
}

/* Messages above it are streamed: an item is written before the next one is read. */
static uint64_t
small_max(const struct fetch *f)
{
	uint64_t times = 0;

	for (size_t i = 0; i < f->n_items; i++)
		times += f->items[i].kind >= FETCH_BODY;
	return times > 1 ? FETCH_SMALL_MAX / times : FETCH_SMALL_MAX;
}

static void
start_bodies(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;

	f->reading = f->at;
	f->resume_uid = 0;
	f->resume_offset = 0;
	if (f->group_end == f->at + 1 && f->rows[f->at].row.size > small_max(f))
		fetch_big(cmd);
	else
		ask_bodies(cmd);
}

/* ---- groups ---- */

/* Without bodies; a message whose blobs are missing is read whole for them. */
static void
print_group(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;

	for (; f->at < f->group_end; f->at++) {
		if (fetch_lacks_blobs(f, &f->rows[f->at])) {
			f->group_end = f->at + 1;
			start_bodies(cmd);
			return;
		}
		fetch_put_message(cmd->session, f, &f->rows[f->at], SPAN_NONE,
		    imap_out(cmd->session));
	}
	fetch_next_group(cmd);
}

/* ---- annotations ---- */

static void
keep_notes(struct fetch *f, struct span entries)
{
	struct store_annotation a;
	size_t at = f->at, from;
	struct reader r;

	reader_init(&r, entries.p, entries.len);
	for (;;) {
		from = f->notes.len;
		if (entries.len == 0 || !get_store_annotation(&r, &a))
			return;
		while (at < f->group_end && f->rows[at].row.uid < a.uid)
			at++;
		if (at == f->group_end || f->rows[at].row.uid != a.uid)
			continue;
		if (f->rows[at].notes_len == 0)
			f->rows[at].notes = from;
		put_store_annotation(&f->notes, &a);
		f->rows[at].notes_len = f->notes.len - f->rows[at].notes;
	}
}

/* What is behind `uid` did not fit any more: it is for the next group. */
static void
cut_group(struct fetch *f, uint32_t uid)
{
	size_t end = f->at + 1;

	while (end < f->group_end && f->rows[end].row.uid < uid)
		end++;
	for (size_t i = end; i < f->group_end; i++)
		f->rows[i].notes_len = 0;
	f->group_end = end;
}

static void group_cached(struct imap_cmd *cmd);

static void
on_notes(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct fetch *f = cmd->data;
	const struct store_annotations_are *are = msg;

	if (st == ST_OK && are != NULL) {
		keep_notes(f, are->entries);
		if (are->resume_uid != 0)
			cut_group(f, are->resume_uid);
	}
	if (more)
		return;
	if (st != ST_OK) {
		f->failed = st;
		fetch_end(cmd);
		return;
	}
	f->noted = true;
	group_cached(cmd);
}

static void
ask_notes(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;
	struct store_annotations rq = { .mailbox = cmd->session->view->mailbox,
		.budget = BLOBS_MAX };
	const struct imap_annotation_item *it = &f->items[f->n_items - 1].note;
	struct uidset uids = { 0 };
	struct buf set = { 0 }, names = { 0 };

	rq.which = (uint8_t)imap_annotation_which(it);
	if (it->attribs & (IMAP_ANNOTATION_VALUE_PRIV | IMAP_ANNOTATION_VALUE_SHARED))
		rq.max_size = UINT32_MAX;
	for (size_t k = 0; k < it->n; k++)
		put_span(&names, it->entries[k]);
	for (size_t i = f->at; i < f->group_end; i++)
		uidset_add(&uids, f->rows[i].row.uid);
	uidset_encode(&uids, &set);
	rq.uids = buf_span(&set);
	rq.names = buf_span(&names);
	store_do_annotations(cmd->session->store, &rq, on_notes, cmd);
	uidset_fini(&uids);
	buf_fini(&set);
	buf_fini(&names);
}

static void
group_cached(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;

	if (f->annotated && !f->noted) {
		ask_notes(cmd);
		return;
	}
	if (f->body)
		start_bodies(cmd);
	else
		print_group(cmd);
}

static void
keep_cache(struct fetch *f, const struct store_cache *c, size_t *at)
{
	struct fetch_row *r;

	while (*at < f->group_end && f->rows[*at].row.uid < c->uid)
		(*at)++;
	if (*at == f->group_end || f->rows[*at].row.uid != c->uid)
		return;
	if (*at > f->at && f->blobs.len + c->list.len + c->structure.len > BLOBS_MAX) {
		f->group_end = *at;
		return;
	}
	r = &f->rows[*at];
	r->list = f->blobs.len;
	r->list_len = c->list.len;
	buf_add_span(&f->blobs, c->list);
	r->structure = f->blobs.len;
	r->structure_len = c->structure.len;
	buf_add_span(&f->blobs, c->structure);
}

static void
on_cache(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct fetch *f = cmd->data;
	const struct store_cache_is *is = msg;
	struct store_cache c;
	struct reader r;
	size_t at = f->at;

	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->entries.p, is->entries.len);
		while (is->entries.len > 0 && get_store_cache(&r, &c))
			keep_cache(f, &c, &at);
	}
	if (more)
		return;
	if (st != ST_OK) {
		f->failed = st;
		fetch_end(cmd);
		return;
	}
	group_cached(cmd);
}

/* How many messages are done together. */
static size_t
measure_group(const struct fetch *f)
{
	const uint64_t small = small_max(f);
	size_t end = f->at;
	uint64_t bytes = 0;

	while (end < f->n_rows && end - f->at < GROUP_MAX) {
		uint64_t size = f->rows[end].row.size;

		if (end > f->at && f->body && (size > small || bytes + size > small))
			break;
		bytes += size;
		end++;
		if (f->body && size > small)
			break;
	}
	return end;
}

void
fetch_next_group(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct fetch *f = cmd->data;
	struct store_cache_get rq = { .mailbox = s->view->mailbox, .want = (uint8_t)f->cache };
	struct uidset uids = { 0 };
	struct buf set = { 0 };

	if (f->failed != ST_OK && f->failed != ST_CORRUPT) {
		fetch_end(cmd);
		return;
	}
	if (f->at == f->n_rows) {
		next_chunk(cmd);
		return;
	}
	if (conn_full(s->conn)) {
		cmd->drained = fetch_next_group;
		return;
	}
	f->group_end = measure_group(f);
	buf_clear(&f->blobs);
	buf_clear(&f->notes);
	f->noted = false;
	if (f->cache == 0) {
		group_cached(cmd);
		return;
	}
	for (size_t i = f->at; i < f->group_end; i++)
		uidset_add(&uids, f->rows[i].row.uid);
	uidset_encode(&uids, &set);
	rq.uids = buf_span(&set);
	store_do_cache(s->store, &rq, on_cache, cmd);
	buf_fini(&set);
	uidset_fini(&uids);
}

/* ---- \Seen ---- */

static void
on_seen(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct fetch *f = cmd->data;
	const struct store_flags_are *are = msg;
	struct store_row row;
	struct reader r;
	size_t at = 0;

	if (st == ST_OK && are != NULL) {
		imap_event_rows(cmd, cmd->session->store, cmd->session->view->mailbox, are);
		reader_init(&r, are->rows.p, are->rows.len);
		while (are->rows.len > 0 && get_store_row(&r, &row, ROW_FLAGS)) {
			while (at < f->n_rows && f->rows[at].row.uid < row.uid)
				at++;
			if (at == f->n_rows || f->rows[at].row.uid != row.uid)
				continue;
			f->rows[at].row.flags = row.flags;
			f->rows[at].row.modseq = row.modseq;
			f->rows[at].tell_flags = true;
			imap_view_own(cmd->session->view, row.uid, row.modseq);
		}
	}
	/* Mail can be read where marks cannot be set. */
	if (!more)
		fetch_next_group(cmd);
}

static bool
set_seen(struct imap_cmd *cmd)
{
	struct fetch *f = cmd->data;
	struct imap_view *v = cmd->session->view;
	struct store_flags rq = {
		.mailbox = v->mailbox, .how = FLAGS_ADD, .system = FLAG_SEEN,
		.unchanged_since = UINT64_MAX
	};
	struct uidset uids = { 0 };
	struct buf set = { 0 };

	if (!f->seen || v->readonly || !(v->rights & RIGHT_SEEN))
		return false;
	for (size_t i = 0; i < f->n_rows; i++) {
		if (!(flags_get_system(f->rows[i].row.flags) & FLAG_SEEN))
			uidset_add(&uids, f->rows[i].row.uid);
	}
	if (uidset_empty(&uids))
		return false;
	uidset_encode(&uids, &set);
	rq.uids = buf_span(&set);
	store_do_flags(cmd->session->store, &rq, on_seen, cmd);
	buf_fini(&set);
	uidset_fini(&uids);
	return true;
}

/* ---- chunks ---- */

static void
keep_row(struct fetch *f, const struct store_row *row)
{
	if (f->n_rows == f->room) {
		f->room = f->room > 0 ? f->room * 2 : 16;
		f->rows = mem_realloc_array(f->rows, f->room, sizeof(*f->rows));
	}
	f->rows[f->n_rows++] = (struct fetch_row){ .row = *row };
}

static void
on_rows(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct fetch *f = cmd->data;
	const struct store_rows_are *are = msg;
	bool plain = f->cache == 0 && !f->body && !f->annotated;
	struct fetch_row fr = { 0 };
	struct reader r;

	if (st == ST_OK && are != NULL) {
		imap_view_learn(cmd->session->view, are->keywords, imap_out(cmd->session));
		reader_init(&r, are->rows.p, are->rows.len);
		while (are->rows.len > 0 && get_store_row(&r, &fr.row, f->fields)) {
			if (f->filtered && fr.row.modseq <= f->changed_since)
				continue;
			if (plain)
				fetch_put_message(cmd->session, f, &fr, SPAN_NONE, imap_out(cmd->session));
			else
				keep_row(f, &fr.row);
		}
	}
	if (more)
		return;
	if (st != ST_OK)
		f->failed = st;
	if (st != ST_OK || plain || !set_seen(cmd))
		fetch_next_group(cmd);
}

/* The first of todo, in at most max messages. */
static void
take_chunk(struct fetch *f, uint32_t max, struct uidset *chunk)
{
	while (max > 0 && f->todo.n > 0) {
		struct uidrange r = f->todo.r[0];

		if (r.hi - r.lo >= max)
			r.hi = r.lo + max - 1;
		max -= r.hi - r.lo + 1;
		uidset_add_range(chunk, r.lo, r.hi);
		uidset_remove_range(&f->todo, r.lo, r.hi);
	}
}

/* UIDs alone: the view knows them. */
static void
print_known(struct imap_cmd *cmd, const struct uidset *chunk)
{
	struct fetch *f = cmd->data;
	struct fetch_row fr = { 0 };

	for (size_t i = 0; i < chunk->n; i++) {
		for (uint32_t uid = chunk->r[i].lo; ; uid++) {
			fr.row.uid = uid;
			fetch_put_message(cmd->session, f, &fr, SPAN_NONE, imap_out(cmd->session));
			if (uid == chunk->r[i].hi)
				break;
		}
	}
}

/* Keywords can make FLAGS long. */
static uint32_t
chunk_max(const struct imap_session *s, const struct fetch *f)
{
	uint32_t max = f->cache == 0 && !f->body && !f->annotated ? CHUNK_PLAIN : CHUNK_MORE;
	uint32_t fit = FLAGS_BYTES / ((uint32_t)s->view->keywords.len + 100);

	if (fit >= max || !(f->fields & ROW_FLAGS))
		return max;
	return fit > 0 ? fit : 1;
}

static void
next_chunk(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct fetch *f = cmd->data;
	struct store_rows rq = { .mailbox = s->view->mailbox, .fields = (uint8_t)f->fields };
	struct uidset chunk = { 0 };
	struct buf set = { 0 };

	if (uidset_empty(&f->todo)) {
		fetch_end(cmd);
		return;
	}
	if (conn_full(s->conn)) {
		cmd->drained = next_chunk;
		return;
	}
	f->n_rows = f->at = 0;
	if (f->columns) {
		fetch_columns(cmd);
		return;
	}
	take_chunk(f, chunk_max(s, f), &chunk);
	if (f->fields == 0) {
		print_known(cmd, &chunk);
		uidset_fini(&chunk);
		next_chunk(cmd);
		return;
	}
	uidset_encode(&chunk, &set);
	rq.uids = buf_span(&set);
	store_do_rows(s->store, &rq, on_rows, cmd);
	buf_fini(&set);
	uidset_fini(&chunk);
}

void
fetch_start(struct imap_cmd *cmd, struct fetch *f)
{
	cmd->data = f;
	cmd->release = fetch_release;
	next_chunk(cmd);
}

static void
changed_known(struct imap_cmd *cmd, enum status st, struct uidset *changed)
{
	struct fetch *f = cmd->data;

	if (st != ST_OK) {
		imap_cmd_done(cmd, st);
		return;
	}
	uidset_intersect(&f->todo, changed);
	imap_limit_uids(cmd, &f->todo);
	next_chunk(cmd);
}

/* CHANGEDSINCE: the store knows which, so that nobody looks at the others. */
static void
ask_changed(struct imap_cmd *cmd, struct span set)
{
	const struct imap_view *v = cmd->session->view;
	struct fetch *f = cmd->data;
	uint32_t star = imap_view_last_uid(v);
	struct uidset known = { 0 };

	if (f->vanished)
		uidset_parse(&known, set, star > 0 ? star : v->uidnext, IMAP_RANGES_MAX);
	imap_earlier(cmd, f->changed_since, f->vanished ? &known : NULL, f->vanished, 0,
	    changed_known);
	uidset_fini(&known);
}

/* fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" ... ")") */
static enum imap_cap
item_cap(enum fetch_kind kind)
{
	switch (kind) {
	case FETCH_BINARY:
	case FETCH_BINARY_SIZE:
		return CAP_BINARY;
	case FETCH_MODSEQ:
		return CAP_CONDSTORE;
	case FETCH_EMAILID:
	case FETCH_THREADID:
		return CAP_OBJECTID;
	case FETCH_SAVEDATE:
		return CAP_SAVEDATE;
	case FETCH_PREVIEW:
		return CAP_PREVIEW;
	case FETCH_ANNOTATION:
		return CAP_ANNOTATE;
	default:
		return CAP_NONE;
	}
}

/* PARTIAL (RFC 9394 §3.3) comes before CHANGEDSINCE. */
static void
keep_partial(struct fetch *f)
{
	uint64_t n = uidset_count(&f->todo), lo = f->partial.lo, hi = f->partial.hi;
	uint32_t first, last;

	if (lo > n) {
		uidset_clear(&f->todo);
		return;
	}
	if (hi > n)
		hi = n;
	first = uidset_at(&f->todo, f->partial.from_end ? n - hi : lo - 1);
	last = uidset_at(&f->todo, f->partial.from_end ? n - lo : hi - 1);
	if (first > 1)
		uidset_remove_range(&f->todo, 1, first - 1);
	if (last < UINT32_MAX)
		uidset_remove_range(&f->todo, last + 1, UINT32_MAX);
}

/* false: the command was ended.  A part is refused whole: RFC 9738 §3.1. */
static bool
limit_fetch(struct imap_cmd *cmd, struct fetch *f)
{
	if (f->partial.lo != 0 && imap_limit_refuse(cmd, uidset_count(&f->todo),
	    imap_message_limit(cmd->session), NULL))
		return false;
	imap_limit_uids(cmd, &f->todo);
	return true;
}

static void
cmd_fetch(struct imap_cmd *cmd)
{
	struct fetch *f = arena_zalloc(&cmd->arena, sizeof(*f));
	struct span set;

	imap_args_sp(&cmd->args);
	set = imap_args_sequence_set(&cmd->args);
	imap_args_sp(&cmd->args);
	fetch_parse(&cmd->args, f, cmd->uid);
	for (size_t i = 0; i < f->n_items; i++) {
		if (!imap_cap_on(cmd->session, item_cap(f->items[i].kind)))
			imap_args_fail(&cmd->args, "No such item");
	}
	if (f->partial.lo != 0 && !imap_cap_on(cmd->session, CAP_PARTIAL))
		imap_args_fail(&cmd->args, "No such modifier");
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (f->vanished && !cmd->session->qresync) {
		imap_args_fail(&cmd->args, "Enable QRESYNC first");
		imap_cmd_syntax(cmd);
		return;
	}
	for (size_t i = 0; i < f->n_items; i++) {
		if (f->items[i].kind == FETCH_MODSEQ)
			imap_condstore(cmd->session);
	}
	if (!imap_cmd_uids(cmd, set, &f->todo))
		return;
	cmd->data = f;
	cmd->release = fetch_release;
	if (f->partial.lo != 0)
		keep_partial(f);
	if (!f->filtered && !limit_fetch(cmd, f))
		return;
	f->asked = uidset_count(&f->todo);
	f->columns = fetch_columns_plan(f);
	if (f->filtered)
		ask_changed(cmd, set);
	else
		next_chunk(cmd);
}

const struct imap_command imap_cmds_fetch[] = {
	/* name		allowed in		flags */
	{ "FETCH",	IMAP_IN_SELECTED,	IMAP_CMD_UID | IMAP_CMD_NO_EXPUNGE, CAP_NONE, cmd_fetch },
	{ 0 }
};
