/* The view: runs of uids with running numbers, found by halving. */
#include "imapd/view.h"

#include <assert.h>

#include "common/util/mem.h"
#include "common/util/table.h"
#include "imapd/annotations.h"
#include "imapd/context.h"

#define OWN_MAX 64	/* own modseqs remembered; older ones are told twice, which harms nobody */

#define SHARED_RUNS 32u	/* fewer are not worth looking for others that have the same */

/* A run of uids and the sequence number of its first. */
struct view_range {
	uint32_t	lo, hi, seq;
};

struct view_uids {
	uint64_t		mailbox;	/* it is what `shelf` has for it; 0: it is not */
	uint32_t		refs;		/* views */
	uint32_t		count, n, room;
	struct view_range	r[];
};

/* By mailbox (their ids are unique over the installation): the set that was shown last. */
static struct table shelf;

static struct view_uids *
uids_new(uint32_t room)
{
	struct view_uids *u = mem_alloc(sizeof(*u) + room * sizeof(u->r[0]));

	*u = (struct view_uids){ .refs = 1, .room = room };
	return u;
}

static void
off_the_shelf(struct view_uids *u)
{
	if (u->mailbox != 0)
		table_del_u64(&shelf, u->mailbox);
	u->mailbox = 0;
	if (shelf.count == 0)
		table_fini(&shelf, NULL, NULL);
}

static void
uids_drop(struct view_uids **up)
{
	struct view_uids *u = *up;

	*up = NULL;
	if (--u->refs > 0)
		return;
	off_the_shelf(u);
	mem_free(&u);
}

/* What v may change: nobody else's, and not to be found. */
static void
make_own(struct imap_view *v)
{
	struct view_uids *u = v->u, *copy;

	if (u->refs == 1) {
		off_the_shelf(u);
		return;
	}
	copy = uids_new(u->n + 1);
	copy->n = u->n;
	copy->count = u->count;
	memcpy(copy->r, u->r, u->n * sizeof(u->r[0]));
	uids_drop(&v->u);
	v->u = copy;
}

/* The same that another view has, or what others may have. */
static void
share(struct imap_view *v)
{
	struct view_uids *u = v->u, *have;

	if (u->n < SHARED_RUNS || u->mailbox != 0)
		return;
	have = table_get_u64(&shelf, v->mailbox);
	if (have != NULL && have->n == u->n &&
	    memcmp(have->r, u->r, u->n * sizeof(u->r[0])) == 0) {
		uids_drop(&v->u);
		have->refs++;
		v->u = have;
		return;
	}
	if (have != NULL)
		have->mailbox = 0;
	table_put_u64(&shelf, v->mailbox, u);
	u->mailbox = v->mailbox;
}

/* v->u is its own. */
static void
add_run(struct imap_view *v, uint32_t lo, uint32_t hi)
{
	struct view_uids *u = v->u;

	if (u->n > 0 && u->r[u->n - 1].hi + 1 == lo) {
		u->r[u->n - 1].hi = hi;
	} else {
		if (u->n == u->room) {
			uint32_t room = u->room * 2;

			v->u = u = mem_realloc(u, sizeof(*u) + room * sizeof(u->r[0]));
			u->room = room;
		}
		u->r[u->n++] = (struct view_range){ lo, hi, u->count + 1 };
	}
	u->count += hi - lo + 1;
	v->count = u->count;
}

struct imap_view *
imap_view_new(const struct store_opened *o, struct span path, bool readonly)
{
	struct imap_view *v = mem_zalloc(sizeof(*v));
	struct uidset set = { 0 };
	struct reader r;

	v->mailbox = o->mailbox;
	v->uidvalidity = o->uidvalidity;
	v->uidnext = o->uidnext;
	v->modseq = v->safe = v->settled = v->settling = o->highestmodseq;
	v->rights = o->rights;
	v->readonly = readonly;
	buf_add_span(&v->path, path);
	reader_init(&r, o->uids.p, o->uids.len);
	if (o->uids.len > 0)
		uidset_decode(&set, &r, SIZE_MAX);
	v->u = uids_new(set.n > 0 ? (uint32_t)set.n : 1);
	for (size_t i = 0; i < set.n; i++)
		add_run(v, set.r[i].lo, set.r[i].hi);
	uidset_fini(&set);
	share(v);
	if (o->recent_from > 0 && o->recent_from < o->uidnext)
		uidset_add_range(&v->recent, o->recent_from, o->uidnext - 1);
	imap_view_keywords(v, o->keywords);
	return v;
}

static void forget_own(struct imap_view *v);

void
imap_view_free(struct imap_view **v)
{
	if (*v == NULL)
		return;
	imap_contexts_free(&(*v)->contexts);
	uidset_fini(&(*v)->saved);
	buf_fini(&(*v)->path);
	buf_fini(&(*v)->keywords);
	uidset_fini(&(*v)->expunged);
	uidset_fini(&(*v)->recent);
	uidset_fini(&(*v)->changed);
	uids_drop(&(*v)->u);
	forget_own(*v);
	imap_annotated_free(&(*v)->annotated);
	mem_free(v);
}

uint32_t
imap_view_sharers(const struct imap_view *v)
{
	return v->u->refs;
}

/* Index of the first run that ends at or behind uid. */
static size_t
run_of_uid(const struct imap_view *v, uint32_t uid)
{
	size_t lo = 0, hi = v->u->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->u->r[mid].hi < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t
imap_view_seq(const struct imap_view *v, uint32_t uid)
{
	size_t i = run_of_uid(v, uid);

	if (i == v->u->n || v->u->r[i].lo > uid)
		return 0;
	return v->u->r[i].seq + (uid - v->u->r[i].lo);
}

static size_t
run_of_seq(const struct imap_view *v, uint32_t seq)
{
	size_t lo = 0, hi = v->u->n;

	while (lo + 1 < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->u->r[mid].seq <= seq)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

uint32_t
imap_view_uid(const struct imap_view *v, uint32_t seq)
{
	const struct view_range *r;

	if (seq == 0 || seq > v->count)
		return 0;
	r = &v->u->r[run_of_seq(v, seq)];
	return r->lo + (seq - r->seq);
}

uint32_t
imap_view_last_uid(const struct imap_view *v)
{
	return v->u->n > 0 ? v->u->r[v->u->n - 1].hi : 0;
}

void
imap_view_add_uids(const struct imap_view *v, uint32_t lo, uint32_t hi, struct uidset *out)
{
	const struct view_uids *u = v->u;

	for (size_t i = run_of_uid(v, lo); i < u->n && u->r[i].lo <= hi; i++) {
		uint32_t from = u->r[i].lo > lo ? u->r[i].lo : lo;
		uint32_t to = u->r[i].hi < hi ? u->r[i].hi : hi;

		uidset_add_range(out, from, to);
	}
}

void
imap_view_add_seqs(const struct imap_view *v, uint32_t lo, uint32_t hi, struct uidset *out)
{
	if (hi > v->count)
		hi = v->count;
	if (lo == 0 || lo > hi)
		return;
	imap_view_add_uids(v, imap_view_uid(v, lo), imap_view_uid(v, hi), out);
}

void
imap_view_append(struct imap_view *v, uint32_t uid)
{
	if (uid <= imap_view_last_uid(v))
		return;
	make_own(v);
	add_run(v, uid, uid);
}

void
imap_view_remove(struct imap_view *v, const struct uidset *uids)
{
	struct view_uids *old = v->u;
	size_t k = 0;

	if (uidset_empty(uids))
		return;
	v->u = uids_new(old->n > 0 ? old->n : 1);
	v->count = 0;
	for (size_t i = 0; i < old->n; i++) {
		uint32_t lo = old->r[i].lo, hi = old->r[i].hi;

		while (k < uids->n && uids->r[k].hi < lo)
			k++;
		for (size_t j = k; j < uids->n && uids->r[j].lo <= hi; j++) {
			if (uids->r[j].lo > lo)
				add_run(v, lo, uids->r[j].lo - 1);
			lo = uids->r[j].hi + 1;
			if (lo == 0 || lo > hi)
				break;
		}
		if (lo != 0 && lo <= hi)
			add_run(v, lo, hi);
	}
	uids_drop(&old);
	uidset_remove_set(&v->saved, uids);
	uidset_remove_set(&v->recent, uids);
	uidset_remove_set(&v->changed, uids);
}

uint32_t
imap_view_recent(const struct imap_view *v)
{
	struct uidset here = { 0 };
	uint64_t n;

	for (size_t i = 0; i < v->recent.n; i++)
		imap_view_add_uids(v, v->recent.r[i].lo, v->recent.r[i].hi, &here);
	n = uidset_count(&here);
	uidset_fini(&here);
	return (uint32_t)n;
}

void
imap_view_no_recent(struct imap_view *v)
{
	uidset_fini(&v->recent);
	v->no_recent = true;
}

void
imap_view_keywords(struct imap_view *v, struct span list)
{
	struct reader r;
	struct span name;
	uint32_t n = 0;

	reader_init(&r, list.p, list.len);
	while (list.len > 0 && n < KEYWORD_MAX && get_store_keyword(&r, &name))
		n++;
	if (n <= v->n_keywords)
		return;
	buf_clear(&v->keywords);
	buf_add_span(&v->keywords, list);
	buf_trim(&v->keywords);
	v->n_keywords = n;
}

int
imap_view_keyword(const struct imap_view *v, struct span name)
{
	struct reader r;
	struct span have;

	reader_init(&r, v->keywords.data, v->keywords.len);
	for (uint32_t i = 0; i < v->n_keywords && get_store_keyword(&r, &have); i++) {
		if (span_caseeq(have, name))
			return (int)i;
	}
	return -1;
}

static void
put_system(unsigned system, struct buf *out)
{
	for (unsigned bit = 1; bit <= FLAG_DRAFT; bit <<= 1) {
		if (system & bit) {
			buf_add_str(out, flag_system_name(bit));
			buf_add_c(out, ' ');
		}
	}
}

void
imap_view_put_flags(const struct imap_view *v, uint32_t uid, struct flags f, struct buf *out)
{
	buf_add_c(out, '(');
	if (flags_get_system(f) != 0)
		put_system(flags_get_system(f), out);
	if ((f.w[0] >> 8 | f.w[1]) != 0) {
		struct reader r;
		struct span name;

		reader_init(&r, v->keywords.data, v->keywords.len);
		for (uint32_t i = 0; i < v->n_keywords && get_store_keyword(&r, &name); i++) {
			if (flags_has_keyword(f, i)) {
				buf_add_span(out, name);
				buf_add_c(out, ' ');
			}
		}
	}
	if (v->recent.n > 0 && uidset_has(&v->recent, uid))
		buf_add_str(out, "\\Recent ");
	if (out->data[out->len - 1] == ' ')
		out->data[out->len - 1] = ')';
	else
		buf_add_c(out, ')');
}

static void
put_keywords(const struct imap_view *v, struct buf *out)
{
	struct reader r;
	struct span name;

	reader_init(&r, v->keywords.data, v->keywords.len);
	for (uint32_t i = 0; i < v->n_keywords && get_store_keyword(&r, &name); i++) {
		buf_add_span(out, name);
		buf_add_c(out, ' ');
	}
}

void
imap_view_tell_keywords(struct imap_view *v, bool permanent, struct buf *out)
{
	buf_add_str(out, "* FLAGS (");
	put_system(FLAG_SYSTEM_ALL, out);
	put_keywords(v, out);
	out->data[out->len - 1] = ')';
	buf_add_str(out, "\r\n");
	v->told_keywords = v->n_keywords;
	if (!permanent)
		return;
	buf_add_str(out, "* OK [PERMANENTFLAGS (");
	if (!v->readonly) {
		put_system(FLAG_SYSTEM_ALL, out);
		put_keywords(v, out);
		buf_add_str(out, v->n_keywords < KEYWORD_MAX ? "\\*" : "");
	}
	buf_add_str(out, ")] Flags kept\r\n");
}

void
imap_view_learn(struct imap_view *v, struct span list, struct buf *out)
{
	imap_view_keywords(v, list);
	if (v->told_keywords < v->n_keywords)
		imap_view_tell_keywords(v, true, out);
}

static bool
own_modseq(const struct imap_view *v, uint64_t modseq)
{
	for (size_t i = 0; i < v->n_own && i < OWN_MAX; i++) {
		if (v->own[i] == modseq)
			return true;
	}
	return false;
}

void
imap_view_own(struct imap_view *v, uint32_t uid, uint64_t modseq)
{
	imap_contexts_touch(v->contexts, uid);
	if (modseq <= v->modseq)
		return;
	uidset_add(&v->own_uids, uid);
	if (own_modseq(v, modseq))
		return;
	if (v->own == NULL)
		v->own = mem_array(OWN_MAX, sizeof(*v->own));
	v->own[v->n_own++ % OWN_MAX] = modseq;
}

static bool
is_own(const struct imap_view *v, const struct store_row *row)
{
	return v->n_own > 0 && own_modseq(v, row->modseq) && uidset_has(&v->own_uids, row->uid);
}

static void
forget_own(struct imap_view *v)
{
	uidset_fini(&v->own_uids);
	mem_free(&v->own);
	v->n_own = 0;
}

static void
merge_rows(struct imap_view *v, struct span rows)
{
	struct store_row row;
	struct reader r;
	uint32_t known = imap_view_last_uid(v);

	reader_init(&r, rows.p, rows.len);
	while (rows.len > 0 && get_store_row(&r, &row, ROW_FLAGS)) {
		imap_contexts_touch(v->contexts, row.uid);
		if (row.uid > known)
			imap_contexts_new(v->contexts, row.uid);
		if (row.uid > known)
			imap_view_append(v, row.uid);
		else if (!is_own(v, &row) && imap_view_seq(v, row.uid) != 0)
			uidset_add(&v->changed, row.uid);
	}
}

void
imap_view_merge(struct imap_view *v, const struct store_changes_are *c)
{
	struct uidset gone = { 0 };
	struct reader r;

	if (c->gone) {
		v->gone = true;
		return;
	}
	imap_view_keywords(v, c->keywords);
	merge_rows(v, c->rows);
	reader_init(&r, c->vanished.p, c->vanished.len);
	if (c->vanished.len > 0 && uidset_decode(&gone, &r, SIZE_MAX)) {
		for (size_t i = 0; i < gone.n; i++)
			imap_view_add_uids(v, gone.r[i].lo, gone.r[i].hi, &v->expunged);
		uidset_remove_set(&v->changed, &v->expunged);
	}
	uidset_fini(&gone);
	if (!v->readonly && !v->no_recent && c->recent_from > 0 && c->recent_from < c->uidnext)
		uidset_add_range(&v->recent, c->recent_from, c->uidnext - 1);
	if (c->uidnext > v->uidnext)
		v->uidnext = c->uidnext;
	if (c->highestmodseq > v->modseq)
		v->modseq = c->highestmodseq;
	if (v->settling < v->modseq)
		v->settling = v->modseq;
}

static void
tell_number(struct buf *out, uint32_t n, const char *what)
{
	buf_add_str(out, "* ");
	buf_add_u64(out, n);
	buf_add_str(out, what);
}

#define VANISHED_RANGES 500u	/* of one line */

void
imap_put_vanished(const struct uidset *uids, bool earlier, struct buf *out)
{
	for (size_t i = 0; i < uids->n; i += VANISHED_RANGES) {
		size_t n = uids->n - i < VANISHED_RANGES ? uids->n - i : VANISHED_RANGES;
		const struct uidset part = { uids->r + i, n, n };

		buf_add_str(out, earlier ? "* VANISHED (EARLIER) " : "* VANISHED ");
		uidset_print(&part, out);
		buf_add_str(out, "\r\n");
	}
}

/* Only what the client counts in: what it never heard of cannot vanish. */
static void
tell_vanished(struct imap_view *v, const struct uidset *uids, struct buf *out)
{
	struct uidset told = { 0 };

	imap_view_add_seqs(v, 1, v->told_count, &told);
	uidset_intersect(&told, uids);
	imap_put_vanished(&told, false, out);
	v->told_count -= (uint32_t)uidset_count(&told);
	uidset_fini(&told);
}

static void
tell_expunges(struct imap_view *v, const struct uidset *uids, struct buf *out)
{
	/* From the end: numbers in front keep their meaning while we tell. */
	for (size_t i = uids->n; i > 0; i--) {
		for (uint32_t uid = uids->r[i - 1].hi; uid >= uids->r[i - 1].lo; uid--) {
			uint32_t seq = imap_view_seq(v, uid);

			if (seq != 0) {
				tell_number(out, seq, " EXPUNGE\r\n");
				if (seq <= v->told_count)
					v->told_count--;
			}
		}
	}
}

void
imap_view_tell_expunged(struct imap_view *v, const struct uidset *uids, bool vanished,
    struct buf *out)
{
	imap_contexts_expunged(v, uids, out);
	if (vanished)
		tell_vanished(v, uids, out);
	else
		tell_expunges(v, uids, out);
	imap_view_remove(v, uids);
	uidset_remove_set(&v->expunged, uids);
}

uint32_t
imap_view_match(const struct imap_view *v, const struct uidset *seqs, const struct uidset *uids)
{
	uint64_t lo = 0, hi = uidset_count(seqs);

	/* When a pair is true, so are all before it. */
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;
		uint32_t seq = uidset_at(seqs, mid);

		if (seq <= v->count && imap_view_uid(v, seq) == uidset_at(uids, mid))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 ? uidset_at(uids, lo - 1) : 0;
}

void
imap_view_tell(struct imap_view *v, bool expunges, bool vanished, struct buf *out)
{
	uint32_t recent;

	forget_own(v);
	if (v->settled < v->settling)
		v->settled = v->settling;
	if (expunges && !uidset_empty(&v->expunged)) {
		struct uidset gone = v->expunged;

		v->expunged = (struct uidset){ 0 };
		/* What came and went before it was told was never there. */
		if (v->told_count < v->count) {
			struct uidset untold = { 0 };

			imap_view_add_seqs(v, v->told_count + 1, v->count, &untold);
			uidset_intersect(&untold, &gone);
			imap_view_remove(v, &untold);
			uidset_remove_set(&gone, &untold);
			uidset_fini(&untold);
		}
		imap_view_tell_expunged(v, &gone, vanished, out);
		uidset_fini(&gone);
	}
	if (uidset_empty(&v->expunged)) {
		v->safe = v->modseq;
		share(v);
	}
	if (v->told_keywords < v->n_keywords)
		imap_view_tell_keywords(v, true, out);
	recent = imap_view_recent(v);
	if (v->count != v->told_count) {
		tell_number(out, v->count, " EXISTS\r\n");
		v->told_count = v->count;
		if (!v->no_recent)
			tell_number(out, recent, " RECENT\r\n");
	}
	v->told_recent = recent;
}
