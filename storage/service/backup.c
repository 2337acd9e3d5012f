/* A backup of the shard, read piece by piece by who writes it elsewhere: a hot copy, pinned while
 * that lasts, and the segments that it needs, up to what was durable when it began.  All of these
 * bytes stay as they are meanwhile, so that what was read is one moment of the shard. */
#include "storage/service/service_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"
#include "storage/service/copy_files.h"

struct reading {
	struct request		*rq;
	char			*path;
	uint64_t		offset;
	size_t			length;
	char			*data;
	ssize_t			got;
	int			error;
};

/* The pins of a socket go with it. */
static bool
pin(struct peer *p, uint32_t copy)
{
	for (size_t i = 0; i < ARRAY_LEN(p->pinned); i++)
		if (p->pinned[i] == 0 && copies_pin(p->svc, copy) == ST_OK) {
			p->pinned[i] = copy;
			return true;
		}
	return false;
}

static bool
is_pinned(const struct peer *p, uint32_t copy)
{
	for (size_t i = 0; i < ARRAY_LEN(p->pinned); i++)
		if (copy != 0 && p->pinned[i] == copy)
			return true;
	return false;
}

void
backup_end(struct peer *p, uint32_t copy)
{
	for (size_t i = 0; i < ARRAY_LEN(p->pinned); i++)
		if (p->pinned[i] != 0 && (copy == 0 || p->pinned[i] == copy)) {
			copies_unpin(p->svc, p->pinned[i]);
			p->pinned[i] = 0;
			if (copy != 0)
				return;
		}
}

/* Beginning --------------------------------------------------------------------------- */

static enum status
put_files(struct service *svc, uint32_t copy, struct buf *out)
{
	struct copy_manifest m = { 0 };
	char *path = copies_path(svc, copy);
	enum status st = path != NULL ? copy_files_manifest(path, &m) : ST_NOT_FOUND;

	put_span(out, SPAN_LIT(COPY_MANIFEST_NAME));
	put_u64(out, 0);
	for (size_t i = 0; st == ST_OK && i < m.n_files; i++) {
		put_span(out, span_str(m.files[i].name));
		put_u64(out, m.files[i].bytes);
	}
	copy_manifest_fini(&m);
	mem_free(&path);
	return st;
}

/* Number, bytes of the file, bytes of it that count. */
static enum status
put_segments(struct service *svc, uint32_t copy, const struct journal_pos *end,
    struct buf *out)
{
	struct journal_segment *all = NULL;
	uint32_t *list = NULL;
	size_t n_all = 0, n = 0, at = 0;
	enum status st = copies_segments(svc, copy, &list, &n);

	if (st == ST_OK)
		journal_segments(svc->journal, &all, &n_all);
	for (size_t i = 0; i < n_all && at < n; i++) {
		const struct journal_segment *s = &all[i];

		if (s->segment != list[at])
			continue;
		at++;
		if (s->segment > end->segment)
			break;
		put_u32(out, s->segment);
		put_u32(out, s->bytes);
		put_u32(out, s->segment == end->segment && end->offset < s->bytes ? end->offset :
		    s->bytes);
	}
	mem_free(&all);
	mem_free(&list);
	return st;
}

static void
begun(struct request *rq, uint32_t copy)
{
	struct service *svc = rq->svc;
	struct buf files = { 0 }, segments = { 0 };
	struct store_backup_is is = { .copy = copy };
	struct journal_pos end;
	enum status st = ST_CANCELLED;

	if (rq->chan == NULL) {
		request_free(rq);
		return;
	}
	journal_end(svc->journal, &end);
	st = pin(rq->chan->peer, copy) ? put_files(svc, copy, &files) : ST_LIMIT;
	if (st == ST_OK)
		st = put_segments(svc, copy, &end, &segments);
	if (st != ST_OK)
		backup_end(rq->chan->peer, copy);
	is.incarnation = state_incarnation(svc->state);
	is.lsn = end.lsn;
	is.files = buf_span(&files);
	is.segments = buf_span(&segments);
	request_answer(rq, st, STORE_BACKUP_IS, &is);
	request_free(rq);
	buf_fini(&files);
	buf_fini(&segments);
}

static void
on_made(void *arg, enum status st, uint32_t number)
{
	struct request *rq = arg;

	if (st == ST_OK) {
		begun(rq, number);
		return;
	}
	request_answer(rq, st, 0, NULL);
	request_free(rq);
}

void
backup_begin(struct request *rq, const struct store_backup_begin *msg)
{
	struct copy_info *list;
	uint32_t newest = 0;
	size_t n;

	rq->busy = true;
	copies_list(rq->svc, &list, &n);
	for (size_t i = 0; i < n; i++)
		if (list[i].incarnation == state_incarnation(rq->svc->state))
			newest = list[i].number;
	mem_free(&list);
	if (msg->fresh || newest == 0)
		copies_make(rq->svc, on_made, rq);
	else
		begun(rq, newest);
}

/* Reading ------------------------------------------------------------------------------ */

static void
read_run(void *arg)
{
	struct reading *r = arg;
	int fd = open(r->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	r->error = errno;
	r->got = fd >= 0 ? pread(fd, r->data, r->length, (off_t)r->offset) : -1;
	if (fd >= 0 && r->got < 0)
		r->error = errno;
	fd_close(&fd);
}

static void
read_done(void *arg, bool ran)
{
	struct reading *r = arg;
	struct store_backup_data is = { SPAN_NONE };
	enum status st = ST_OK;

	if (!ran)
		st = ST_CANCELLED;
	else if (r->got < 0)
		st = r->error == ENOENT ? ST_NOT_FOUND : ST_UNAVAILABLE;
	else
		is.data = span(r->data, (size_t)r->got);
	request_answer(r->rq, st, STORE_BACKUP_DATA, &is);
	request_free(r->rq);
	mem_free(&r->path);
	mem_free(&r->data);
	mem_free(&r);
}

static bool
name_good(struct span name)
{
	return span_eq_str(name, COPY_MANIFEST_NAME) || copy_file_name_good(name);
}

/* NULL: there is no such thing, or it is not for him. */
static char *
path_of(struct request *rq, const struct store_backup_read *msg)
{
	struct buf b = { 0 };
	char *copy, name[COPY_FILE_NAME_MAX + 1];

	if (!is_pinned(rq->chan->peer, msg->copy))
		return NULL;
	if (msg->name.len == 0) {
		buf_addf(&b, "%s/journal/%010u.seg", rq->svc->dir, (unsigned)msg->segment);
	} else {
		snprintf(name, sizeof(name), "%.*s", (int)msg->name.len, msg->name.p);
		copy = copies_path(rq->svc, msg->copy);
		if (copy == NULL || !name_good(msg->name)) {
			mem_free(&copy);
			return NULL;
		}
		buf_addf(&b, "%s/%s", copy, name);
		mem_free(&copy);
	}
	buf_cstr(&b);
	return buf_take(&b);
}

void
backup_read(struct request *rq, const struct store_backup_read *msg)
{
	char *path = path_of(rq, msg);
	struct reading *r;

	rq->busy = true;
	if (path == NULL) {
		request_answer(rq, ST_NOT_FOUND, 0, NULL);
		request_free(rq);
		return;
	}
	r = mem_zalloc(sizeof(*r));
	r->rq = rq;
	r->path = path;
	r->offset = msg->offset;
	r->length = msg->length;
	r->data = mem_alloc(r->length);
	background_submit(rq->svc->background, read_run, read_done, r);
}
