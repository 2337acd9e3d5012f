#include "indexd/server.h"

#include <sys/resource.h>

#include "common/ipc/ipc.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "indexd/work.h"
#include "storage/api/index_proto.h"

struct indexd {
	struct loop	*loop;
	struct ipc	*stored;	/* NULL: none */
	struct work	*work;		/* NULL: none, or it has failed */
	struct ipc_head	head;		/* of its job */
	struct extract	*extract;	/* NULL: none */
	unsigned	cpu_s;
	uint64_t	hashes, digests, damaged, bytes, extracted, failed;
};

static void
limit_cpu(const struct indexd *d)
{
	struct rusage used;
	struct rlimit rl;

	if (d->cpu_s == 0 || getrusage(RUSAGE_SELF, &used) != 0 ||
	    getrlimit(RLIMIT_CPU, &rl) != 0)
		return;
	rl.rlim_cur = (rlim_t)used.ru_utime.tv_sec + (rlim_t)used.ru_stime.tv_sec + d->cpu_s + 2;
	if (rl.rlim_cur > rl.rlim_max)
		rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_CPU, &rl);
}

static void
take_job(struct indexd *d, const struct ipc_head *h, const struct index_job_rq *rq)
{
	work_free(&d->work);
	if (rq->text_max > INDEX_TEXT_MAX) {
		ipc_refuse(d->stored, h, ST_SYNTAX);
		return;
	}
	d->work = work_new(rq, d->extract);
	d->head = *h;
}

static void
end_job(struct indexd *d, enum status st)
{
	struct index_hash_is hash;
	struct index_digest_is digest;
	struct index_text text;

	if (st == ST_OK)
		st = work_finish(d->work, &hash, &digest);
	if (st != ST_OK) {
		d->damaged++;
		ipc_reply(d->stored, &d->head, st, 0, NULL);
	} else if (digest.sha256.len == 0) {
		d->hashes++;
		ipc_reply(d->stored, &d->head, ST_OK, INDEX_HASH_IS, &hash);
	} else {
		d->digests++;
		d->extracted += digest.extracted;
		d->failed += digest.failed;
		while (work_text(d->work, &text))
			ipc_reply_more(d->stored, &d->head, INDEX_TEXT, &text);
		ipc_reply(d->stored, &d->head, ST_OK, INDEX_DIGEST_IS, &digest);
	}
	work_free(&d->work);
}

/* The answer to the last piece goes out behind that to its job. */
static void
take_piece(struct indexd *d, const struct ipc_head *h, const struct index_piece *p)
{
	enum status st;

	d->bytes += p->data.len;
	if (d->work != NULL) {
		st = work_feed(d->work, p->data);
		if (st != ST_OK || p->last)
			end_job(d, st);
	}
	ipc_reply(d->stored, h, ST_OK, 0, NULL);
}

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct indexd *d = arg;

	limit_cpu(d);
	if (m->no == INDEX_JOB)
		take_job(d, h, msg);
	else if (m->no == INDEX_PIECE)
		take_piece(d, h, msg);
	else
		ipc_refuse(ipc, h, ST_UNSUPPORTED);
}

static void
hang_up(struct indexd *d)
{
	work_free(&d->work);
	ipc_free(&d->stored);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	hang_up(arg);
}

void
indexd_connect(struct indexd *d, int fd)
{
	struct ipc_config cf = { .loop = d->loop, .protocol = &index_protocol, .peer = "stored",
	    .allowed = INDEX_PEER_STORED, .request = on_request, .closed = on_closed, .arg = d };

	hang_up(d);
	d->stored = ipc_new(&cf, fd);
}

void
indexd_extract(struct indexd *d, struct extract *x)
{
	d->extract = x;
}

void
indexd_limit_cpu(struct indexd *d, unsigned seconds)
{
	d->cpu_s = seconds;
}

void
indexd_status(const struct indexd *d, struct buf *out)
{
#define COUNT(name, v) buf_addf(out, name "=%llu\n", (unsigned long long)(v))
	COUNT("hashes", d->hashes);
	COUNT("digests", d->digests);
	COUNT("damaged", d->damaged);
	COUNT("stored_bytes", d->bytes);
	COUNT("extracted", d->extracted);
	COUNT("extracts_failed", d->failed);
#undef COUNT
}

struct indexd *
indexd_new(struct loop *l)
{
	struct indexd *d = mem_zalloc(sizeof(*d));

	d->loop = l;
	return d;
}

void
indexd_free(struct indexd **dp)
{
	struct indexd *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	hang_up(d);
	extract_free(&d->extract);
	mem_free(&d);
}
