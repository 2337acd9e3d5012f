/* The file of an account: a head, then blocks, each written at once behind the last good one.
 * What was written last may be torn; its head, or what it counts, tells. */
#include "storage/search/text_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util/bytes.h"
#include "common/util/fd.h"
#include "common/util/mem.h"

#define NAME_LEN	16u
#define READ_AHEAD	(24u << 10)	/* head, list and filter of most blocks */
#define MERGE_BLOCKS	8u		/* as many of a class become one of the next */
#define CLASS_FIRST	4096u		/* bytes of text; each class holds MERGE_BLOCKS times as much */
#define FIND_BYTES	(256u << 10)	/* looked through at once for a block */
#define DEAD_MIN	(64u << 10)	/* bytes before a file is written anew */

/* Counting -------------------------------------------------------------------------- */

static void
file_unref(struct text_file **fp)
{
	struct text_file *f = *fp;

	*fp = NULL;
	if (f == NULL || atomic_fetch_sub(&f->refs, 1) != 1)
		return;
	fd_close(&f->fd);
	mem_free(&f);
}

static struct text_file *
file_new(int fd)
{
	struct text_file *f = mem_zalloc(sizeof(*f));

	atomic_init(&f->refs, 1);
	f->fd = fd;
	return f;
}

void
text_block_unref(struct text_block **bp)
{
	struct text_block *b = *bp;

	*bp = NULL;
	if (b == NULL || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	mem_free(&b->docs);
	mem_free(&b->filter);
	mem_free(&b);
}

struct text_view *
text_view_ref(struct text_view *v)
{
	atomic_fetch_add(&v->refs, 1);
	return v;
}

void
text_view_unref(struct text_view **vp)
{
	struct text_view *v = *vp;

	*vp = NULL;
	if (v == NULL || atomic_fetch_sub(&v->refs, 1) != 1)
		return;
	for (size_t i = 0; i < v->n; i++)
		text_block_unref(&v->blocks[i]);
	mem_free(&v->blocks);
	file_unref(&v->file);
	mem_free(&v);
}

void
text_view_stats(const struct text_view *v, struct text_view_stats *st)
{
	*st = (struct text_view_stats){ .bytes = v->end, .dead = v->dead,
	    .memory = sizeof(*v) + v->room * sizeof(*v->blocks) };
	for (size_t i = 0; i < v->n; i++) {
		const struct text_head *h = &v->blocks[i]->head;

		st->docs += h->docs;
		st->text += (uint64_t)h->header_raw + h->body_raw;
		st->memory += sizeof(struct text_block) + h->docs * sizeof(struct text_doc) +
		    h->filter_len;
	}
}

/* Blocks ---------------------------------------------------------------------------- */

static void
add_block(struct text_view *v, struct text_block *b)
{
	if (v->n == v->room) {
		v->room = v->room > 0 ? v->room * 2 : 16;
		v->blocks = mem_realloc_array(v->blocks, v->room, sizeof(struct text_block *));
	}
	v->blocks[v->n++] = b;
}

/* Out of list and filter; false: damaged. */
static bool
take_block(struct text_view *v, const struct text_head *h, struct span rest)
{
	struct text_block *b;

	if (crc32c(0, rest.p, h->meta_len + h->filter_len) != h->meta_crc)
		return false;
	b = mem_zalloc(sizeof(*b));
	atomic_init(&b->refs, 1);
	atomic_init(&b->bad, false);
	b->head = *h;
	b->docs = mem_array(h->docs, sizeof(*b->docs));
	if (!text_meta_get(h, span_sub(rest, 0, h->meta_len), b->docs)) {
		text_block_unref(&b);
		return false;
	}
	b->filter = mem_dup(rest.p + h->meta_len, h->filter_len);
	add_block(v, b);
	return true;
}

static bool
read_at(int fd, uint64_t at, size_t len, struct buf *out)
{
	size_t got = 0;

	buf_clear(out);
	while (got < len) {
		ssize_t n = pread(fd, buf_reserve(out, len - got), len - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf_added(out, (size_t)n);
		got += (size_t)n;
	}
	return true;
}

bool
text_block_read(const struct text_view *v, struct text_block *b, struct buf *header,
    struct buf *body)
{
	const struct text_head *h = &b->head;
	uint64_t at = h->at + TEXT_HEAD_BYTES + h->meta_len + h->filter_len;
	struct buf raw = { 0 };
	bool good;

	good = header == NULL || (read_at(v->file->fd, at, h->header_len, &raw) &&
	    text_unpack(buf_span(&raw), h->header_crc, h->header_raw, header));
	good = good && (body == NULL || (read_at(v->file->fd, at + h->header_len, h->body_len, &raw) &&
	    text_unpack(buf_span(&raw), h->body_crc, h->body_raw, body)));
	if (!good)
		atomic_store(&b->bad, true);
	buf_fini(&raw);
	return good;
}

/* What a merge left behind. */
static void
drop_replaced(struct text_view *v, const struct text_head *h)
{
	while (v->n > 0 && v->blocks[v->n - 1]->head.at >= h->from) {
		v->dead += v->blocks[v->n - 1]->head.length;
		text_block_unref(&v->blocks[--v->n]);
	}
}

/* Opening --------------------------------------------------------------------------- */

static void
name_of(uint64_t account, char name[NAME_LEN + 5])
{
	snprintf(name, NAME_LEN + 5, "%016llx", (unsigned long long)account);
}

static struct text_view *
view_new(int dir, uint16_t shard, uint64_t account, struct text_file *f)
{
	struct text_view *v = mem_zalloc(sizeof(*v));

	atomic_init(&v->refs, 1);
	v->dir = dir;
	v->shard = shard;
	v->account = account;
	v->file = f;
	return v;
}

/* One block at v->end; false: nothing good is there. */
static bool
load_block(struct text_view *v, struct buf *raw, uint64_t size)
{
	uint64_t left = size - v->end;
	struct text_head h;
	size_t head;

	if (!read_at(v->file->fd, v->end, left < READ_AHEAD ? (size_t)left : READ_AHEAD, raw) ||
	    !text_head_get(buf_span(raw), v->end, &h) || h.length > left)
		return false;
	head = TEXT_HEAD_BYTES + h.meta_len + h.filter_len;
	if (raw->len < head && !read_at(v->file->fd, v->end, head, raw))
		return false;
	drop_replaced(v, &h);
	if (!take_block(v, &h, span_sub(buf_span(raw), TEXT_HEAD_BYTES, head - TEXT_HEAD_BYTES)))
		v->dead += h.length;
	v->end += h.length;
	return true;
}

/* A head is damaged: blocks name their places, so the next one is found.  false: none, what is
 * left was torn. */
static bool
find_block(struct text_view *v, struct buf *raw, uint64_t size)
{
	const char magic[] = TEXT_BLOCK_MAGIC;
	uint64_t at = v->end + 1;

	while (at + TEXT_HEAD_BYTES <= size) {
		size_t n = size - at < FIND_BYTES ? (size_t)(size - at) : FIND_BYTES, i = 0;
		struct text_head h;
		const char *p;

		if (!read_at(v->file->fd, at, n, raw))
			return false;
		while ((p = memmem(raw->data + i, n - i, magic, 4)) != NULL) {
			i = (size_t)(p - raw->data);
			if (text_head_get(span_sub(buf_span(raw), i, n), at + i, &h)) {
				v->dead += at + i - v->end;
				v->end = at + i;
				return true;
			}
			i++;
		}
		if (n < FIND_BYTES)
			return false;
		at += n - TEXT_HEAD_BYTES;
	}
	return false;
}

struct text_view *
text_open(int dir, uint16_t shard, uint64_t account)
{
	struct text_view *v = view_new(dir, shard, account, file_new(-1));
	struct buf raw = { 0 };
	char name[NAME_LEN + 5];
	struct stat sb;

	name_of(account, name);
	v->file->fd = openat(dir, name, O_RDWR | O_CLOEXEC);
	if (v->file->fd >= 0 && fstat(v->file->fd, &sb) == 0 && sb.st_size >= TEXT_FILE_HEADER &&
	    read_at(v->file->fd, 0, TEXT_FILE_HEADER, &raw) &&
	    text_file_header_good(buf_span(&raw), shard, account)) {
		v->end = TEXT_FILE_HEADER;
		while (v->end < (uint64_t)sb.st_size && (load_block(v, &raw, (uint64_t)sb.st_size) ||
		    find_block(v, &raw, (uint64_t)sb.st_size)))
			;
	}
	buf_fini(&raw);
	return v;
}

void
text_list(int dir, struct buf *out)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL) {
		fd_close(&fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		char *end;
		unsigned long long id = strtoull(e->d_name, &end, 16);

		if (*end == '\0' && end == e->d_name + NAME_LEN)
			put_u64(out, id);
	}
	closedir(d);
}

void
text_remove(int dir, uint64_t account)
{
	char name[NAME_LEN + 5];

	name_of(account, name);
	unlinkat(dir, name, 0);
}

/* Writing --------------------------------------------------------------------------- */

static enum status
write_at(int fd, uint64_t at, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = pwrite(fd, bytes.p, bytes.len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno == ENOSPC || errno == EDQUOT ? ST_NO_SPACE : ST_UNAVAILABLE;
		at += (uint64_t)n;
		bytes = span_sub(bytes, (size_t)n, bytes.len);
	}
	return ST_OK;
}

/* Cuts docs into blocks and adds them to what goes to the file at v->end; nothing is written. */
static void
put_blocks(struct text_view *v, const struct text_docs *d, uint64_t replaces, struct buf *out)
{
	uint64_t at = v->end + out->len;

	for (size_t from = 0, to; from < d->n; from = to) {
		size_t bytes = 0, start = out->len;
		struct text_head h;

		for (to = from; to < d->n && (to == from || bytes < TEXT_BLOCK_BYTES); to++)
			bytes += d->v[to].header_len + d->v[to].body_len;
		text_block_put(out, d, from, to, at, from == 0 ? replaces : at, &h);
		(void)take_block(v, &h, span_sub(buf_span(out), start + TEXT_HEAD_BYTES,
		    h.meta_len + h.filter_len));
		at += h.length;
	}
}

static struct text_view *
view_copy(const struct text_view *v)
{
	struct text_view *c = view_new(v->dir, v->shard, v->account, v->file);

	atomic_fetch_add(&v->file->refs, 1);
	c->end = v->end;
	c->dead = v->dead;
	for (size_t i = 0; i < v->n; i++) {
		atomic_fetch_add(&v->blocks[i]->refs, 1);
		add_block(c, v->blocks[i]);
	}
	return c;
}

static unsigned
class_of(size_t bytes)
{
	unsigned c = 0;

	for (size_t most = CLASS_FIRST; bytes > most; most *= MERGE_BLOCKS)
		c++;
	return c;
}

static size_t
block_bytes(const struct text_block *b)
{
	return (size_t)b->head.header_raw + b->head.body_raw;
}

/* How many of the last blocks go together with so many bytes. */
static size_t
to_merge(const struct text_view *v, size_t bytes)
{
	unsigned c = class_of(bytes);
	size_t n = 0, sum = bytes;

	if (bytes >= TEXT_BLOCK_BYTES)
		return 0;
	while (n < v->n && class_of(block_bytes(v->blocks[v->n - 1 - n])) <= c &&
	    sum + block_bytes(v->blocks[v->n - 1 - n]) <= TEXT_BLOCK_MAX)
		sum += block_bytes(v->blocks[v->n - 1 - n++]);
	return n + 1 >= MERGE_BLOCKS ? n : 0;
}

/* Messages of a block that are kept; false: it cannot be read. */
static bool
gather(const struct text_view *v, struct text_block *b, text_there_fn there, void *arg,
    struct text_docs *out)
{
	struct buf header = { 0 }, body = { 0 };
	bool good = text_block_read(v, b, &header, &body);

	for (uint32_t i = 0; good && i < b->head.docs; i++) {
		const struct text_doc *d = &b->docs[i];

		if (there == NULL || there(arg, d->message))
			good = text_docs_add(out, d->message, d->version, d->cut,
			    span_sub(buf_span(&header), d->header_at, d->header_len),
			    span_sub(buf_span(&body), d->body_at, d->body_len));
	}
	buf_fini(&header);
	buf_fini(&body);
	return good;
}

/* The last blocks and docs as one; false: they cannot. */
static bool
merge(struct text_view *v, size_t n, const struct text_docs *docs, struct text_docs *all)
{
	bool good = true;

	for (size_t i = v->n - n; good && i < v->n; i++)
		good = gather(v, v->blocks[i], NULL, NULL, all);
	for (size_t i = 0; good && i < docs->n; i++) {
		const struct text_doc *d = &docs->v[i];

		good = text_docs_add(all, d->message, d->version, d->cut,
		    span_sub(buf_span(&docs->header), d->header_at, d->header_len),
		    span_sub(buf_span(&docs->body), d->body_at, d->body_len));
	}
	return good;
}

/* A new file under another name, with its head. */
static enum status
make_file(const struct text_view *v, const char *name, struct text_file **f)
{
	struct buf head = { 0 };
	int fd = openat(v->dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	enum status st;

	*f = NULL;
	if (fd < 0)
		return errno == ENOSPC || errno == EDQUOT ? ST_NO_SPACE : ST_UNAVAILABLE;
	text_file_header(&head, v->shard, v->account);
	st = write_at(fd, 0, buf_span(&head));
	buf_fini(&head);
	if (st == ST_OK)
		*f = file_new(fd);
	else
		fd_close(&fd);
	return st;
}

static enum status
write_tail(struct text_view *v, const struct buf *out)
{
	enum status st;

	/* What a crash left behind the last good block must not be taken for one. */
	if (ftruncate(v->file->fd, (off_t)v->end) != 0)
		return ST_UNAVAILABLE;
	st = write_at(v->file->fd, v->end, buf_span(out));
	if (st == ST_OK)
		v->end += out->len;
	else
		(void)!ftruncate(v->file->fd, (off_t)v->end);
	return st;
}

static enum status
begin_file(struct text_view *v)
{
	char name[NAME_LEN + 5];
	struct text_file *f;
	enum status st;

	if (v->end > 0)
		return ST_OK;
	name_of(v->account, name);
	st = make_file(v, name, &f);
	if (st != ST_OK)
		return st;
	file_unref(&v->file);
	v->file = f;
	v->end = TEXT_FILE_HEADER;
	return ST_OK;
}

enum status
text_append(struct text_view *v, struct text_docs *docs, struct text_view **out)
{
	struct text_view *next = view_copy(v);
	struct text_docs all = { 0 };
	struct buf bytes = { 0 };
	enum status st = begin_file(next);
	size_t n = to_merge(next, text_docs_bytes(docs));
	uint64_t from = next->end;

	if (st == ST_OK && n > 0 && merge(next, n, docs, &all)) {
		from = next->blocks[next->n - n]->head.at;
		drop_replaced(next, &(struct text_head){ .from = from });
		docs = &all;
	}
	if (st == ST_OK) {
		put_blocks(next, docs, from, &bytes);
		st = write_tail(next, &bytes);
	}
	text_docs_fini(&all);
	buf_fini(&bytes);
	if (st != ST_OK) {
		text_view_unref(&next);
		*out = text_view_ref(v);
		return st;
	}
	if (next->dead > DEAD_MIN && next->dead > next->end / 3) {
		(void)text_sweep(next, NULL, NULL, out);
		text_view_unref(&next);
		return ST_OK;
	}
	*out = next;
	return ST_OK;
}

/* Writing anew ------------------------------------------------------------------------ */

static bool
all_there(const struct text_block *b, text_there_fn there, void *arg)
{
	if (atomic_load(&b->bad))
		return false;
	for (uint32_t i = 0; there != NULL && i < b->head.docs; i++) {
		if (!there(arg, b->docs[i].message))
			return false;
	}
	return true;
}

/* A block as it is, at another place. */
static bool
copy_block(const struct text_view *v, const struct text_block *b, struct text_view *to,
    struct buf *raw, struct buf *out)
{
	struct text_head h = b->head;

	if (!read_at(v->file->fd, b->head.at + TEXT_HEAD_BYTES, h.length - TEXT_HEAD_BYTES, raw))
		return false;
	h.at = h.from = to->end;
	text_head_put(out, &h);
	buf_add_span(out, buf_span(raw));
	return take_block(to, &h, buf_span(raw));
}

static enum status
write_anew(struct text_view *v, text_there_fn there, void *arg, struct text_view *to)
{
	struct buf raw = { 0 }, out = { 0 };
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < v->n; i++) {
		struct text_docs docs = { 0 };

		buf_clear(&out);
		if (all_there(v->blocks[i], there, arg))
			(void)copy_block(v, v->blocks[i], to, &raw, &out);
		else if (gather(v, v->blocks[i], there, arg, &docs))
			put_blocks(to, &docs, to->end, &out);
		st = write_at(to->file->fd, to->end, buf_span(&out));
		to->end += out.len;
		text_docs_fini(&docs);
	}
	buf_fini(&raw);
	buf_fini(&out);
	return st;
}

/* Is there anything to leave out? */
static bool
sweep_needed(const struct text_view *v, text_there_fn there, void *arg)
{
	if (there == NULL)
		return true;
	for (size_t i = 0; i < v->n; i++) {
		if (!all_there(v->blocks[i], there, arg))
			return true;
	}
	return false;
}

enum status
text_sweep(struct text_view *v, text_there_fn there, void *arg, struct text_view **out)
{
	char name[NAME_LEN + 5], temp[NAME_LEN + 5];
	struct text_view *to;
	struct text_file *f;
	enum status st;

	*out = text_view_ref(v);
	if (v->end == 0 || !sweep_needed(v, there, arg))
		return ST_OK;
	name_of(v->account, name);
	snprintf(temp, sizeof(temp), "%016llx.new", (unsigned long long)v->account);
	st = make_file(v, temp, &f);
	if (st != ST_OK)
		return st;
	to = view_new(v->dir, v->shard, v->account, f);
	to->end = TEXT_FILE_HEADER;
	st = write_anew(v, there, arg, to);
	if (st == ST_OK && (fdatasync(f->fd) != 0 || renameat(v->dir, temp, v->dir, name) != 0))
		st = ST_UNAVAILABLE;
	if (st != ST_OK) {
		unlinkat(v->dir, temp, 0);
		text_view_unref(&to);
		return st;
	}
	text_view_unref(out);
	*out = to;
	return ST_OK;
}

/* Checking ------------------------------------------------------------------------------ */

static void
complain(struct buf *report, uint64_t account, const struct text_block *b, const char *what,
    uint64_t *wrong)
{
	buf_addf(report, "text of account %llu, block at %llu: %s\n", (unsigned long long)account,
	    (unsigned long long)b->head.at, what);
	++*wrong;
}

static void
check_block(const struct text_view *v, struct text_block *b, text_there_fn there, void *arg,
    struct buf *report, uint64_t *wrong)
{
	struct buf header = { 0 }, body = { 0 }, filter = { 0 };

	if (!text_block_read(v, b, &header, &body)) {
		complain(report, v->account, b, "damaged", wrong);
	} else {
		text_filter_make(buf_span(&header), buf_span(&body), &filter);
		if (filter.len != b->head.filter_len || memcmp(filter.data, b->filter, filter.len) != 0)
			complain(report, v->account, b, "its filter is not that of its text", wrong);
	}
	for (uint32_t i = 0; there != NULL && i < b->head.docs; i++) {
		if (there(arg, b->docs[i].message))
			continue;
		complain(report, v->account, b, "holds a message that is gone", wrong);
		break;
	}
	buf_fini(&header);
	buf_fini(&body);
	buf_fini(&filter);
}

bool
text_check_block(const struct text_view *v, size_t i, text_there_fn there, void *arg,
    struct buf *report, uint64_t *wrong)
{
	if (i >= v->n)
		return false;
	check_block(v, v->blocks[i], there, arg, report, wrong);
	return true;
}

void
text_check(int dir, uint16_t shard, uint64_t account, text_there_fn there, void *arg,
    struct buf *report, uint64_t *wrong)
{
	struct text_view *v = text_open(dir, shard, account);

	for (size_t i = 0; text_check_block(v, i, there, arg, report, wrong); i++)
		;
	text_view_unref(&v);
}
