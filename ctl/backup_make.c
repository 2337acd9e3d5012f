/* mansioctl backup: reads from each shard what the folder has not yet. */
#include "ctl/backup.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "ctl/client.h"
#include "ctl/mail.h"
#include "ctl/output.h"

#define HEAD_BYTES	4096u		/* of a segment: what tells it from others */
#define TAG_LEN		8u		/* hex digits of what a name tells of the contents */

struct making {
	struct ctl		*ctl;
	const struct backup_opts *o;
	int			dir, shard_dir;
	struct backup		last;
	struct json_writer	w;
	struct buf		text;		/* the new manifest */
	struct ctl_progress	progress;
	uint64_t		read, total, stored, started_ms;
	int			rc;
	/* of the shard */
	const char		*shard;
	const struct json	*was;		/* in the last manifest; NULL: not there */
	struct ctl_mail		*mail;
	struct store_backup_is	is;
	struct buf		files, segments, piece;
};

static bool
fail(struct making *k, const char *what)
{
	if (k->rc == CTL_OK)
		k->rc = ctl_error("shard %s: %s: %s", k->shard, what, strerror(errno));
	return false;
}

/* From the server ------------------------------------------------------------------- */

static void
on_piece(void *arg, const void *msg)
{
	struct making *k = arg;

	buf_add_span(&k->piece, ((const struct store_backup_data *)msg)->data);
}

static void
keep_rate(struct making *k)
{
	uint64_t due_ms;

	if (k->o->rate == 0)
		return;
	due_ms = k->started_ms + k->read * 1000 / k->o->rate;
	while (clock_mono_ms() < due_ms) {
		const struct timespec t = { 0, 50 * 1000000 };

		nanosleep(&t, NULL);
	}
}

/* The next piece into k->piece; name empty: of the segment. */
static bool
read_piece(struct making *k, struct span name, uint32_t segment, uint64_t offset, uint32_t length)
{
	const struct store_backup_read rq = { k->is.copy, name, segment, offset, length };
	enum status st;

	buf_clear(&k->piece);
	st = ctl_mail_ask(k->mail, STORE_BACKUP_READ, &rq, on_piece, k);
	if (st != ST_OK && k->rc == CTL_OK)
		k->rc = st == ST_UNAVAILABLE ? CTL_UNREACHABLE : ctl_error("shard %s: the store "
		    "says: %s", k->shard, status_name(st));
	k->read += k->piece.len;
	ctl_progress_set(&k->progress, k->read, k->total);
	keep_rate(k);
	return st == ST_OK;
}

static void
tag_of(struct span bytes, char tag[TAG_LEN + 1])
{
	unsigned char sum[SHA256_LEN];
	struct buf hex = { 0 };

	sha256(bytes, sum);
	hex_encode(span(sum, TAG_LEN / 2), &hex);
	memcpy(tag, hex.data, TAG_LEN);
	tag[TAG_LEN] = '\0';
	buf_fini(&hex);
}

/* Files ------------------------------------------------------------------------------- */

static void
put_file(struct making *k, const char *name, uint64_t bytes, struct digest *d)
{
	unsigned char sum[SHA256_LEN];
	struct buf hex = { 0 };

	digest_done(d, sum);
	hex_encode(span(sum, sizeof(sum)), &hex);
	json_kv_str(&k->w, "file", name);
	json_kv_uint(&k->w, "bytes", bytes);
	json_kv_string(&k->w, "sha256", buf_span(&hex));
	buf_fini(&hex);
}

/* What a file holds already, into d; -1: it is not `bytes` long, or cannot be read. */
static bool
digest_front(int fd, uint64_t bytes, struct digest *d)
{
	static char some[65536];
	uint64_t at = 0;

	while (at < bytes) {
		size_t want = bytes - at < sizeof(some) ? (size_t)(bytes - at) : sizeof(some);
		ssize_t n = pread(fd, some, want, (off_t)at);

		if (n <= 0)
			return false;
		digest_add(d, some, (size_t)n);
		at += (uint64_t)n;
	}
	return true;
}

static bool
same_sum(struct digest *d, const struct json *file)
{
	unsigned char sum[SHA256_LEN];
	struct buf hex = { 0 };
	struct span want;
	bool same;

	digest_done(d, sum);
	hex_encode(span(sum, sizeof(sum)), &hex);
	same = json_get_string(file, "sha256", &want) && span_eq(want, buf_span(&hex));
	buf_fini(&hex);
	return same;
}

/* The entry of a file in the last manifest; NULL: it is not there. */
static const struct json *
known(const struct making *k, const char *list, const char *name)
{
	const struct json *files = k->was != NULL ? json_member(k->was, list) : NULL;
	struct span s;

	for (size_t i = 0; i < json_count(files); i++)
		if (json_get_string(json_item(files, i), "file", &s) && span_eq_str(s, name))
			return json_item(files, i);
	return NULL;
}

/* Bytes from..to of the source behind what fd holds, all of it into d. */
static bool
append_bytes(struct making *k, int fd, struct span name, uint32_t segment, uint64_t *at,
    uint64_t to, struct digest *d)
{
	while (*at < to) {
		uint32_t want = to - *at < STORE_BACKUP_PIECE ? (uint32_t)(to - *at) :
		    STORE_BACKUP_PIECE;

		if (!read_piece(k, name, segment, *at, want))
			return false;
		if (k->piece.len == 0 && to != UINT64_MAX) {
			errno = ENODATA;
			return fail(k, "a file is shorter than it was");
		}
		if (k->piece.len == 0)
			break;
		if (pwrite(fd, k->piece.data, k->piece.len, (off_t)*at) != (ssize_t)k->piece.len)
			return fail(k, "the backup cannot be written");
		digest_add(d, k->piece.data, k->piece.len);
		*at += k->piece.len;
		k->stored += k->piece.len;
	}
	return true;
}

static bool
one_segment(struct making *k, uint32_t segment, uint32_t size, uint32_t used)
{
	struct digest *d = digest_new(DIGEST_SHA256);
	char name[64], tag[TAG_LEN + 1];
	const struct json *was;
	uint64_t have = 0;
	bool ok = false;
	int fd = -1;

	if (!read_piece(k, SPAN_NONE, segment, 0, HEAD_BYTES))
		goto out;
	tag_of(buf_span(&k->piece), tag);
	snprintf(name, sizeof(name), "%010u-%s.seg", segment, tag);
	was = known(k, "segments", name);
	if (was == NULL || !json_get_uint(was, "bytes", &have) || have > used)
		have = 0;
	fd = openat(k->shard_dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		ok = fail(k, name);
		goto out;
	}
	if (have > 0 && (!digest_front(fd, have, d) || !same_sum(d, was))) {
		ctl_error("shard %s: %s in the backup is damaged: it is read anew", k->shard, name);
		have = 0;
	}
	digest_free(&d);
	d = digest_new(DIGEST_SHA256);
	if (ftruncate(fd, (off_t)have) != 0 || !digest_front(fd, have, d))
		ok = fail(k, name);
	else
		ok = append_bytes(k, fd, SPAN_NONE, segment, &have, used, d);
	if (ok && fdatasync(fd) != 0)
		ok = fail(k, name);
	if (ok) {
		json_begin_object(&k->w);
		json_kv_uint(&k->w, "segment", segment);
		json_kv_uint(&k->w, "size", size);
		put_file(k, name, have, d);
		json_end_object(&k->w);
	}
out:
	fd_close(&fd);
	digest_free(&d);
	return ok;
}

static bool
segments(struct making *k)
{
	struct reader r;
	bool ok = true;

	json_key(&k->w, "segments");
	json_begin_array(&k->w);
	reader_init(&r, k->segments.data, k->segments.len);
	while (ok && !r.bad && r.p < r.end) {
		uint32_t segment = get_u32(&r), size = get_u32(&r), used = get_u32(&r);

		ok = one_segment(k, segment, size, used);
	}
	json_end_array(&k->w);
	return ok;
}

/* The hot copy --------------------------------------------------------------------------- */

static bool
copy_file(struct making *k, int dir, struct span name, uint64_t bytes)
{
	struct digest *d = digest_new(DIGEST_SHA256);
	char text[64];
	uint64_t at = 0;
	bool ok;
	int fd;

	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.p);
	fd = openat(dir, text, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	ok = fd >= 0 || fail(k, text);
	if (ok)
		ok = append_bytes(k, fd, name, 0, &at, bytes > 0 ? bytes : UINT64_MAX, d);
	if (ok && fdatasync(fd) != 0)
		ok = fail(k, text);
	if (ok) {
		json_begin_object(&k->w);
		put_file(k, text, at, d);
		json_end_object(&k->w);
	}
	fd_close(&fd);
	digest_free(&d);
	return ok;
}

static bool
copy_files(struct making *k, const char *name)
{
	struct reader r;
	bool ok = mkdirat(k->shard_dir, name, 0700) == 0 || errno == EEXIST || fail(k, name);
	int dir = openat(k->shard_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (ok && dir < 0)
		ok = fail(k, name);
	reader_init(&r, k->files.data, k->files.len);
	while (ok && !r.bad && r.p < r.end) {
		struct span file = get_span(&r);
		uint64_t bytes = get_u64(&r);

		ok = copy_file(k, dir, file, bytes);
	}
	if (ok && fsync(dir) != 0)
		ok = fail(k, name);
	fd_close(&dir);
	return ok;
}

/* Only one that the folder has not: its manifest tells. */
static bool
copy(struct making *k)
{
	char name[64], tag[TAG_LEN + 1];
	struct span was = SPAN_NONE;
	const struct json *files;
	bool ok = true;

	if (!read_piece(k, SPAN_LIT("manifest"), 0, 0, STORE_BACKUP_PIECE))
		return false;
	tag_of(buf_span(&k->piece), tag);
	snprintf(name, sizeof(name), "copy-%u-%s", k->is.copy, tag);
	json_kv_str(&k->w, "copy", name);
	json_key(&k->w, "files");
	json_begin_array(&k->w);
	if (k->was != NULL && json_get_string(k->was, "copy", &was) && span_eq_str(was, name)) {
		files = json_member(k->was, "files");
		for (size_t i = 0; i < json_count(files); i++)
			ctl_put_json(&k->w, json_item(files, i));
	} else {
		ok = copy_files(k, name);
	}
	json_end_array(&k->w);
	return ok;
}

/* Shards ---------------------------------------------------------------------------------- */

static void
on_begun(void *arg, const void *msg)
{
	const struct store_backup_is *is = msg;
	struct making *k = arg;
	struct reader r;

	k->is = *is;
	buf_clear(&k->files);
	buf_clear(&k->segments);
	buf_add_span(&k->files, is->files);
	buf_add_span(&k->segments, is->segments);
	reader_init(&r, k->files.data, k->files.len);
	while (!r.bad && r.p < r.end) {
		(void)get_span(&r);
		k->total += get_u64(&r);
	}
	reader_init(&r, k->segments.data, k->segments.len);
	while (!r.bad && r.p < r.end) {
		(void)get_u64(&r);
		k->total += get_u32(&r);
	}
}

static const struct json *
find_shard(const struct backup *b, const char *name)
{
	const struct json *shards = b->doc != NULL ? json_member(json_root(b->doc), "shards") : NULL;
	struct span s;

	for (size_t i = 0; i < json_count(shards); i++)
		if (json_get_string(json_item(shards, i), "shard", &s) && span_eq_str(s, name))
			return json_item(shards, i);
	return NULL;
}

static bool
open_shard_dir(struct making *k)
{
	char name[32];

	snprintf(name, sizeof(name), "shard-%s", k->shard);
	if (mkdirat(k->dir, name, 0700) != 0 && errno != EEXIST)
		return fail(k, name);
	k->shard_dir = openat(k->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return k->shard_dir >= 0 || fail(k, name);
}

static void
one_shard(struct making *k, const char *name)
{
	struct store_backup_begin rq;
	enum status st;

	k->shard = name;
	k->was = find_shard(&k->last, name);
	rq.fresh = k->o->full || k->was == NULL;
	k->mail = ctl_mail_open_shard(k->ctl, name, &k->rc);
	if (k->mail == NULL || !open_shard_dir(k))
		return;
	st = ctl_mail_ask(k->mail, STORE_BACKUP_BEGIN, &rq, on_begun, k);
	if (st != ST_OK && k->rc == CTL_OK)
		k->rc = st == ST_UNAVAILABLE ? CTL_UNREACHABLE : ctl_error("shard %s: the store "
		    "says: %s", name, status_name(st));
	json_begin_object(&k->w);
	json_kv_str(&k->w, "shard", name);
	json_kv_uint(&k->w, "incarnation", k->is.incarnation);
	json_kv_uint(&k->w, "lsn", k->is.lsn);
	if (st == ST_OK && copy(k))
		(void)segments(k);
	json_end_object(&k->w);
	if (k->rc == CTL_OK && fsync(k->shard_dir) != 0)
		(void)fail(k, "the folder");
	ctl_mail_close(&k->mail);
	fd_close(&k->shard_dir);
}

static void
all_shards(struct making *k)
{
	struct buf answer = { 0 };
	struct json_doc *doc = NULL;
	const struct json *list;

	k->rc = ctl_run(k->ctl, "backup-shards", SPAN_LIT("{}"), &answer);
	if (k->rc == CTL_OK && json_parse(buf_span(&answer), answer.len, &doc) != ST_OK)
		k->rc = ctl_error("the answer is not understood");
	list = k->rc == CTL_OK ? json_member(json_root(doc), "shards") : NULL;
	for (size_t i = 0; i < json_count(list) && k->rc == CTL_OK; i++) {
		struct span s;
		char *name;

		if (!json_get_string(json_item(list, i), "shard", &s))
			continue;
		name = span_dup(s);
		one_shard(k, name);
		mem_free(&name);
	}
	json_free(&doc);
	buf_fini(&answer);
}

static int
tell(struct making *k, unsigned number)
{
	struct buf line = { 0 };
	int rc;

	if (k->ctl->json) {
		buf_addf(&line, "{\"backup\":%u,\"read\":%" PRIu64 ",\"written\":%" PRIu64 "}", number,
		    k->read, k->stored);
		rc = ctl_print_json(buf_span(&line));
	} else {
		buf_addf(&line, "backup %u is in %s, ", number, k->o->dir);
		ctl_put_size(&line, k->stored);
		buf_add_str(&line, " of it new\n");
		rc = ctl_print(&line);
	}
	buf_fini(&line);
	return rc;
}

static int
run(struct making *k)
{
	unsigned number;

	if ((k->dir = backup_open_dir(k->o->dir, true, true)) < 0)
		return CTL_FAILED;
	if ((k->rc = backup_load(k->dir, 0, true, &k->last)) != CTL_OK)
		return k->rc;
	number = k->last.number + 1;
	json_writer_init(&k->w, &k->text);
	json_begin_object(&k->w);
	json_kv_str(&k->w, "format", BACKUP_FORMAT);
	json_kv_uint(&k->w, "version", 1);
	json_kv_int(&k->w, "made", clock_wall_s());
	json_kv_str(&k->w, "server", PACKAGE_VERSION);
	json_key(&k->w, "shards");
	json_begin_array(&k->w);
	ctl_progress_start(&k->progress, k->ctl, "read");
	all_shards(k);
	ctl_progress_end(&k->progress);
	json_end_array(&k->w);
	json_end_object(&k->w);
	buf_add_c(&k->text, '\n');
	if (k->rc == CTL_OK)
		k->rc = backup_store(k->dir, number, &k->text);
	return k->rc == CTL_OK ? tell(k, number) : k->rc;
}

int
backup_make(struct ctl *ctl, const struct backup_opts *o)
{
	struct making k = { .ctl = ctl, .o = o, .dir = -1, .shard_dir = -1,
		.started_ms = clock_mono_ms() };
	int rc = run(&k);

	ctl_mail_close(&k.mail);
	fd_close(&k.shard_dir);
	fd_close(&k.dir);
	backup_fini(&k.last);
	buf_fini(&k.text);
	buf_fini(&k.files);
	buf_fini(&k.segments);
	buf_fini(&k.piece);
	return rc;
}
