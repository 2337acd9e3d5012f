#include "fake_store.h"

#include <stdlib.h>
#include <string.h>

#include "common/util/fd.h"
#include "storage/api/store_proto.h"

static struct fake_record *
find(struct fake_store *s, struct span key)
{
	for (size_t i = 0; i < s->n; i++)
		if (span_eq(buf_span(&s->r[i].key), key))
			return &s->r[i];
	return NULL;
}

static int
by_key(const void *a, const void *b)
{
	return span_cmp(buf_span(&((const struct fake_record *)a)->key),
	    buf_span(&((const struct fake_record *)b)->key));
}

static void
put(struct fake_store *s, struct span key, struct span value)
{
	struct fake_record *r = find(s, key);

	if (r == NULL) {
		if (s->n == FAKE_RECORDS)
			abort();
		r = &s->r[s->n++];
		memset(r, 0, sizeof(*r));
		buf_add_span(&r->key, key);
	}
	buf_clear(&r->value);
	buf_add_span(&r->value, value);
	r->version = s->modseq;
	qsort(s->r, s->n, sizeof(s->r[0]), by_key);
}

static void
del(struct fake_store *s, struct span key)
{
	struct fake_record *r = find(s, key);

	if (r == NULL)
		return;
	buf_fini(&r->key);
	buf_fini(&r->value);
	s->n--;
	memmove(r, r + 1, (size_t)(&s->r[s->n] - r) * sizeof(*r));
}

static void
dirty(struct fake_store *s, struct span keys)
{
	struct store_dir_dirty d = { s->modseq, keys };

	if (s->watched && s->ipc != NULL)
		ipc_note(s->ipc, 0, STORE_DIR_DIRTY, &d);
}

static void
do_read(struct fake_store *s, const struct ipc_head *h, const struct store_dir_read *rq)
{
	struct store_dir_records out = { .modseq = s->modseq };
	struct buf b = { 0 };
	uint32_t n = 0;

	s->reads++;
	for (size_t i = 0; i < s->n && n < rq->limit; i++) {
		struct span key = buf_span(&s->r[i].key);
		struct store_dir_record rec = { key, s->r[i].version, buf_span(&s->r[i].value) };

		if (rq->to.len == 0 ? !span_eq(key, rq->from) :
		    span_cmp(key, rq->from) < 0 || span_cmp(key, rq->to) >= 0)
			continue;
		put_store_dir_record(&b, &rec);
		n++;
	}
	out.records = buf_span(&b);
	ipc_reply(s->ipc, h, ST_OK, STORE_DIR_RECORDS, &out);
	buf_fini(&b);
}

static bool
checks_hold(struct fake_store *s, struct span steps)
{
	struct store_dir_step st;
	struct reader r;

	reader_init(&r, steps.p, steps.len);
	while (get_store_dir_step(&r, &st)) {
		struct fake_record *rec = find(s, st.key);

		if ((st.check == DIR_ABSENT && rec != NULL) ||
		    (st.check == DIR_VERSION && (rec == NULL || rec->version != st.version)))
			return false;
	}
	return true;
}

static void
do_write(struct fake_store *s, const struct ipc_head *h, const struct store_dir_write *rq)
{
	struct store_dir_written w;
	struct store_dir_step st;
	struct buf keys = { 0 };
	struct reader r;

	s->writes++;
	if (s->conflicts > 0 || !checks_hold(s, rq->steps)) {
		s->conflicts -= s->conflicts > 0;
		ipc_reply(s->ipc, h, ST_CONFLICT, 0, NULL);
		return;
	}
	s->modseq++;
	reader_init(&r, rq->steps.p, rq->steps.len);
	while (get_store_dir_step(&r, &st)) {
		if (st.change == 1)
			put(s, st.key, st.value);
		else if (st.change == 2)
			del(s, st.key);
		put_span(&keys, st.key);
	}
	w.modseq = s->modseq;
	ipc_reply(s->ipc, h, ST_OK, STORE_DIR_WRITTEN, &w);
	dirty(s, buf_span(&keys));
	buf_fini(&keys);
}

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct fake_store *s = arg;

	switch (m->no) {
	case STORE_DIR_READ:
		do_read(s, h, msg);
		break;
	case STORE_DIR_WRITE:
		do_write(s, h, msg);
		break;
	case STORE_DIR_WATCH:
		s->watched = true;
		ipc_reply(ipc, h, ST_OK, 0, NULL);
		break;
	default:
		abort();
	}
}

int
fake_store_connect(struct fake_store *s)
{
	struct ipc_config cf = { .loop = s->loop, .protocol = &store_protocol, .peer = "authd",
	    .allowed = STORE_ROLE_DIRECTORY, .request = on_request, .arg = s };
	int sv[2];

	if (!fd_socketpair(sv))
		abort();
	ipc_free(&s->ipc);
	s->watched = false;
	s->ipc = ipc_new(&cf, sv[0]);
	return sv[1];
}

void
fake_store_cut(struct fake_store *s)
{
	ipc_free(&s->ipc);
	s->watched = false;
}

void
fake_store_put(struct fake_store *s, struct span key, struct span value)
{
	struct buf keys = { 0 };

	s->modseq++;
	put(s, key, value);
	put_span(&keys, key);
	dirty(s, buf_span(&keys));
	buf_fini(&keys);
}

void
fake_store_fini(struct fake_store *s)
{
	ipc_free(&s->ipc);
	for (size_t i = 0; i < s->n; i++) {
		buf_fini(&s->r[i].key);
		buf_fini(&s->r[i].value);
	}
	s->n = 0;
}
