/* SEARCH (RFC 3501 §6.4.4), ESEARCH (RFC 4731): the worker judges every message by
 * the tree, with as little of it as will do: the view, then rows, then the LIST blob,
 * then the bytes. */
#include "imapd/sync.h"

#include "common/mime/digest.h"
#include "common/proto/imap_search.h"
#include "common/util/mem.h"
#include "imapd/search_text.h"
#include "storage/client/body.h"

#define CHUNK		8192u		/* messages whose rows are asked for at once */
#define GROUP		128u		/* LIST blobs asked for at once */
#define BODY_BUDGET	(512u << 10)

struct searching {
	struct imap_search	q;
	unsigned		needs;
	struct uidset		todo;		/* not looked at */
	struct uidset		open;		/* need LIST or bytes */
	struct uidset		group, bodies;
	struct uidset		found;
	uint64_t		modseq;		/* highest of what was found */
	/* rows of the chunk, for judging again later */
	struct store_row	*rows;
	size_t			n_rows, room;
	struct buf		blobs;
	struct body_reader	*reader;
	struct buf		raw;
	uint32_t		reading;	/* uid; 0: none */
	uint32_t		resume_uid;
	uint64_t		resume_offset;
	enum status		failed;
};

static void
search_release(struct imap_cmd *cmd)
{
	struct searching *s = cmd->data;

	search_fini(s->q.root);
	uidset_fini(&s->todo);
	uidset_fini(&s->open);
	uidset_fini(&s->group);
	uidset_fini(&s->bodies);
	uidset_fini(&s->found);
	mem_free(&s->rows);
	buf_fini(&s->blobs);
	buf_fini(&s->raw);
	body_reader_free(&s->reader);
}

/* ---- the answer ---- */

static uint32_t
number_of(const struct imap_cmd *cmd, uint32_t uid)
{
	return cmd->uid ? uid : imap_view_seq(cmd->session->view, uid);
}

static void
put_plain(struct imap_cmd *cmd, const struct searching *s, struct buf *out)
{
	buf_add_str(out, "* SEARCH");
	for (size_t i = 0; i < s->found.n; i++) {
		for (uint32_t uid = s->found.r[i].lo; ; uid++) {
			buf_add_c(out, ' ');
			buf_add_u64(out, number_of(cmd, uid));
			if (uid == s->found.r[i].hi)
				break;
		}
	}
	if (s->q.modseq && s->found.n > 0) {
		buf_add_str(out, " (MODSEQ ");
		buf_add_u64(out, s->modseq);
		buf_add_c(out, ')');
	}
	buf_add_str(out, "\r\n");
}

static void
put_all(struct imap_cmd *cmd, const struct searching *s, struct buf *out)
{
	struct uidset numbers = { 0 };

	for (uint32_t uid = uidset_next(&s->found, 0); uid != 0; uid = uidset_next(&s->found, uid))
		uidset_add(&numbers, number_of(cmd, uid));
	buf_add_str(out, " ALL ");
	uidset_print(&numbers, out);
	uidset_fini(&numbers);
}

static void
put_extended(struct imap_cmd *cmd, const struct searching *s, struct buf *out)
{
	bool any = s->found.n > 0;

	buf_add_str(out, "* ESEARCH (TAG \"");
	buf_add_span(out, cmd->tag);
	buf_add_str(out, cmd->uid ? "\") UID" : "\")");
	if (any && (s->q.wants & IMAP_RETURN_MIN)) {
		buf_add_str(out, " MIN ");
		buf_add_u64(out, number_of(cmd, s->found.r[0].lo));
	}
	if (any && (s->q.wants & IMAP_RETURN_MAX)) {
		buf_add_str(out, " MAX ");
		buf_add_u64(out, number_of(cmd, s->found.r[s->found.n - 1].hi));
	}
	if (s->q.wants & IMAP_RETURN_COUNT) {
		buf_add_str(out, " COUNT ");
		buf_add_u64(out, uidset_count(&s->found));
	}
	if (any && (s->q.wants & IMAP_RETURN_ALL))
		put_all(cmd, s, out);
	if (any && s->q.modseq) {
		buf_add_str(out, " MODSEQ ");
		buf_add_u64(out, s->modseq);
	}
	buf_add_str(out, "\r\n");
}

static void
search_end(struct imap_cmd *cmd)
{
	struct searching *s = cmd->data;

	if (s->failed == ST_OK && s->q.extended)
		put_extended(cmd, s, imap_out(cmd->session));
	else if (s->failed == ST_OK)
		put_plain(cmd, s, imap_out(cmd->session));
	imap_cmd_done(cmd, s->failed);
}

/* ---- judging ---- */

static const struct store_row *
row_of(const struct searching *s, uint32_t uid)
{
	size_t lo = 0, hi = s->n_rows;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->rows[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n_rows && s->rows[lo].uid == uid ? &s->rows[lo] : NULL;
}

struct judged {
	const struct imap_view	*view;
	const struct store_row	*row;
};

static bool
has_keyword(void *arg, struct span name)
{
	const struct judged *j = arg;
	int bit = imap_view_keyword(j->view, name);

	return bit >= 0 && flags_has_keyword(j->row->flags, (unsigned)bit);
}

static int32_t
local_day(const struct store_row *row)
{
	int64_t local = row->received_s + (int64_t)row->received_zone * 60;

	return (int32_t)(local / 86400 - (local % 86400 < 0));
}

/* m holds what else is known of the message. */
static enum search_answer
judge(struct imap_cmd *cmd, const struct store_row *row, uint32_t uid, struct search_message *m)
{
	struct searching *s = cmd->data;
	struct judged j = { cmd->session->view, row };
	enum search_answer a;

	m->uid = uid;
	m->recent = uidset_has(&j.view->recent, uid);
	if (row != NULL) {
		m->has |= SEARCH_HAS_ROW;
		m->flags = flags_get_system(row->flags);
		m->keyword = has_keyword;
		m->arg = &j;
		m->modseq = row->modseq;
		m->size = row->size;
		m->received_day = local_day(row);
	}
	a = search_judge(s->q.root, m);
	if (a == SEARCH_YES && imap_view_seq(j.view, uid) != 0) {
		uidset_add(&s->found, uid);
		if (row != NULL && row->modseq > s->modseq)
			s->modseq = row->modseq;
	}
	return a;
}

static void next_group(struct imap_cmd *cmd);
static void next_chunk(struct imap_cmd *cmd);
static void ask_bodies(struct imap_cmd *cmd);

/* ---- bytes ---- */

static void
judge_bytes(struct imap_cmd *cmd, uint32_t uid)
{
	struct searching *s = cmd->data;
	struct mime_digest *digest = mime_digest_new(0);
	struct mime_digest_result d;
	struct mime_structure st;
	struct mime_part_view top;
	struct mime_list list;
	struct buf header = { 0 }, body = { 0 };
	struct search_message m = { .has = SEARCH_HAS_TEXT };

	mime_digest_feed(digest, s->raw.data, s->raw.len);
	mime_digest_finish(digest, &d);
	if (mime_list_read(d.list, &list) == ST_OK) {
		m.has |= SEARCH_HAS_LIST;
		m.list = &list;
	}
	if (mime_structure_open(d.structure, &st) == ST_OK) {
		mime_structure_part(&st, 0, &top);
		m.header = span_sub(buf_span(&s->raw), 0, (size_t)(top.at.header_start + top.at.header_len));
		search_text(buf_span(&s->raw), &st, &header, &body);
		mime_structure_close(&st);
	}
	m.header_text = buf_span(&header);
	m.body_text = buf_span(&body);
	judge(cmd, row_of(s, uid), uid, &m);
	buf_fini(&header);
	buf_fini(&body);
	mime_digest_free(&digest);
}

static void
take_piece(struct imap_cmd *cmd, const struct store_body_piece *p)
{
	struct searching *s = cmd->data;
	const struct store_row *row = row_of(s, p->uid);

	if (row == NULL)
		return;
	if (s->reading != p->uid) {
		body_reader_free(&s->reader);
		buf_clear(&s->raw);
		s->reader = body_reader_new(0, row->size);
		s->reading = p->uid;
	}
	if (body_reader_feed(s->reader, p->data, &s->raw) != ST_OK) {
		s->failed = ST_CORRUPT;
		return;
	}
	if (p->offset + p->data.len >= p->stored_size) {
		judge_bytes(cmd, p->uid);
		buf_clear(&s->raw);
	}
}

static void
on_bodies(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct searching *s = cmd->data;
	const struct store_body_is *is = msg;
	struct store_body_piece p;
	struct reader r;

	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->pieces.p, is->pieces.len);
		while (is->pieces.len > 0 && s->failed == ST_OK && get_store_body_piece(&r, &p))
			take_piece(cmd, &p);
		s->resume_uid = is->resume_uid;
		s->resume_offset = is->resume_offset;
	}
	if (more)
		return;
	if (st != ST_OK)
		s->failed = st;
	if (s->failed != ST_OK) {
		search_end(cmd);
	} else if (s->resume_uid != 0) {
		ask_bodies(cmd);
	} else {
		uidset_clear(&s->bodies);
		buf_fini(&s->raw);
		next_group(cmd);
	}
}

static void
ask_bodies(struct imap_cmd *cmd)
{
	struct searching *s = cmd->data;
	struct store_body rq = {
		.mailbox = cmd->session->view->mailbox, .offset = s->resume_offset,
		.budget = BODY_BUDGET
	};
	struct buf set = { 0 };

	if (s->resume_uid > 1)
		uidset_remove_range(&s->bodies, 1, s->resume_uid - 1);
	uidset_encode(&s->bodies, &set);
	rq.uids = buf_span(&set);
	store_do_body(cmd->session->store, &rq, on_bodies, cmd);
	buf_fini(&set);
}

/* ---- LIST blobs ---- */

static void
judge_list(struct imap_cmd *cmd, const struct store_cache *c)
{
	struct searching *s = cmd->data;
	struct search_message m = { .has = SEARCH_HAS_LIST };
	struct mime_list list;

	if (mime_list_read(c->list, &list) != ST_OK)
		return;
	m.list = &list;
	if (judge(cmd, row_of(s, c->uid), c->uid, &m) != SEARCH_UNKNOWN)
		uidset_remove_range(&s->bodies, c->uid, c->uid);
}

static void
group_listed(struct imap_cmd *cmd)
{
	struct searching *s = cmd->data;

	if (uidset_empty(&s->bodies)) {
		next_group(cmd);
		return;
	}
	s->resume_uid = 0;
	s->resume_offset = 0;
	s->reading = 0;
	ask_bodies(cmd);
}

static void
on_cache(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct searching *s = cmd->data;
	const struct store_cache_is *is = msg;
	struct store_cache c;
	struct reader r;

	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->entries.p, is->entries.len);
		while (is->entries.len > 0 && get_store_cache(&r, &c))
			judge_list(cmd, &c);
	}
	if (more)
		return;
	if (st != ST_OK) {
		s->failed = st;
		search_end(cmd);
	} else {
		group_listed(cmd);
	}
}

static void
take_some(struct uidset *from, uint32_t max, struct uidset *some)
{
	while (max > 0 && from->n > 0) {
		struct uidrange r = from->r[0];

		if (r.hi - r.lo >= max)
			r.hi = r.lo + max - 1;
		max -= r.hi - r.lo + 1;
		uidset_add_range(some, r.lo, r.hi);
		uidset_remove_range(from, r.lo, r.hi);
	}
}

static void
next_group(struct imap_cmd *cmd)
{
	struct searching *s = cmd->data;
	struct store_cache_get rq = {
		.mailbox = cmd->session->view->mailbox, .want = CACHE_LIST
	};
	struct buf set = { 0 };

	if (uidset_empty(&s->open)) {
		next_chunk(cmd);
		return;
	}
	uidset_clear(&s->bodies);
	take_some(&s->open, GROUP, &s->bodies);
	if (!(s->needs & SEARCH_HAS_LIST)) {
		group_listed(cmd);
		return;
	}
	uidset_encode(&s->bodies, &set);
	rq.uids = buf_span(&set);
	store_do_cache(cmd->session->store, &rq, on_cache, cmd);
	buf_fini(&set);
}

/* ---- rows ---- */

static void
keep_row(struct searching *s, const struct store_row *row)
{
	if (s->n_rows == s->room) {
		s->room = s->room > 0 ? s->room * 2 : 64;
		s->rows = mem_realloc_array(s->rows, s->room, sizeof(*s->rows));
	}
	s->rows[s->n_rows++] = *row;
}

static void
on_rows(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct searching *s = cmd->data;
	const struct store_rows_are *are = msg;
	struct store_row row;
	struct reader r;

	if (st == ST_OK && are != NULL) {
		reader_init(&r, are->rows.p, are->rows.len);
		while (are->rows.len > 0 && get_store_row(&r, &row, ROW_FLAGS | ROW_SIZE)) {
			struct search_message m = { 0 };

			if (judge(cmd, &row, row.uid, &m) != SEARCH_UNKNOWN)
				continue;
			uidset_add(&s->open, row.uid);
			keep_row(s, &row);
		}
	}
	if (more)
		return;
	if (st != ST_OK) {
		s->failed = st;
		search_end(cmd);
	} else {
		next_group(cmd);
	}
}

static void
next_chunk(struct imap_cmd *cmd)
{
	struct searching *s = cmd->data;
	struct store_rows rq = {
		.mailbox = cmd->session->view->mailbox, .fields = ROW_FLAGS | ROW_SIZE
	};
	struct uidset some = { 0 };
	struct buf set = { 0 };

	if (uidset_empty(&s->todo)) {
		search_end(cmd);
		return;
	}
	s->n_rows = 0;
	take_some(&s->todo, CHUNK, &some);
	uidset_encode(&some, &set);
	rq.uids = buf_span(&set);
	store_do_rows(cmd->session->store, &rq, on_rows, cmd);
	buf_fini(&set);
	uidset_fini(&some);
}

/* ---- the beginning ---- */

struct resolving {
	const struct imap_view	*view;
	bool			bad;
};

static void
resolve_set(struct search_node *n, void *arg)
{
	struct resolving *r = arg;
	bool uid = n->op == SEARCH_UIDS;
	uint32_t star = uid ? imap_view_last_uid(r->view) : r->view->count;
	struct uidset named = { 0 };

	if (n->set.p == NULL)
		return;
	if (!uidset_parse(&named, n->set, star > 0 ? star : uid ? r->view->uidnext : 0, IMAP_RANGES_MAX))
		r->bad = true;
	for (size_t i = 0; i < named.n && !r->bad; i++) {
		if (uid)
			imap_view_add_uids(r->view, named.r[i].lo, named.r[i].hi, &n->uids);
		else if (named.r[i].hi > r->view->count)
			r->bad = true;
		else
			imap_view_add_seqs(r->view, named.r[i].lo, named.r[i].hi, &n->uids);
	}
	uidset_fini(&named);
}

/* Messages that the view alone does not rule out; those it settles are found. */
static void
choose_candidates(struct imap_cmd *cmd)
{
	struct searching *s = cmd->data;
	const struct imap_view *v = cmd->session->view;

	for (size_t i = 0; i < v->n; i++) {
		for (uint32_t uid = v->r[i].lo; ; uid++) {
			struct search_message m = { 0 };

			if (uidset_has(&v->expunged, uid) && !cmd->uid)
				;
			else if (judge(cmd, NULL, uid, &m) == SEARCH_UNKNOWN)
				uidset_add(&s->todo, uid);
			if (uid == v->r[i].hi)
				break;
		}
	}
}

static void
cmd_search(struct imap_cmd *cmd)
{
	struct searching *s = arena_zalloc(&cmd->arena, sizeof(*s));
	struct resolving r = { cmd->session->view, false };

	imap_search_parse(&cmd->args, &s->q);
	if (s->q.extended && !imap_cap_on(cmd->session, CAP_ESEARCH))
		imap_args_fail(&cmd->args, "No such search key");
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (s->q.bad_charset) {
		imap_cmd_end(cmd, "NO [BADCHARSET (US-ASCII UTF-8)] The charset is not known");
		return;
	}
	if (s->q.modseq)
		imap_condstore(cmd->session);
	s->needs = search_needs(s->q.root);
	cmd->data = s;
	cmd->release = search_release;
	search_each(s->q.root, resolve_set, &r);
	if (r.bad) {
		imap_args_fail(&cmd->args, "No such message number");
		imap_cmd_syntax(cmd);
		return;
	}
	choose_candidates(cmd);
	next_chunk(cmd);
}

const struct imap_command imap_cmds_search[] = {
	/* name		allowed in		flags */
	{ "SEARCH",	IMAP_IN_SELECTED,	IMAP_CMD_UID | IMAP_CMD_NO_EXPUNGE, CAP_NONE, cmd_search },
	{ 0 }
};
