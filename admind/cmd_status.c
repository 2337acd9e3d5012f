/* The server as a whole:
 *   status   ready version pid processes workers listeners certificates shards: what
 *            the monitor, the master and every shard tell of themselves; outward: what was
 *            fetched from elsewhere
 *   stats    the counters of every process: processes, workers, shards, authd
 *   reload   text: settings that wait for a restart; ST_SYNTAX with the reasons
 * Who does not answer within a few seconds is told to be away. */
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "admind/commands.h"
#include "admind/report.h"
#include "common/crypto/x509.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/mem.h"

#define GATHER_MS 3000
#define PEM_MAX (256u << 10)

struct gather;

struct shard_ask {
	struct gather		*g;
	struct store_ask	*ask;
	uint32_t		no;
	struct buf		text;
	bool			available;
};

struct gather {
	struct request		*rq;
	struct loop_timer	*timer;
	uint32_t		monitor_req;	/* 0: none under way */
	unsigned		waiting;
	struct buf		monitor, authd;	/* lines; JSON text */
	size_t			n_shards;
	struct shard_ask	shards[];
};

static void
stop(struct request *rq)
{
	struct gather *g = rq->state;

	loop_timer_free(&g->timer);
	if (g->monitor_req != 0)
		ipc_cancel(rq->admind->helper.control, g->monitor_req);
	for (size_t i = 0; i < g->n_shards; i++) {
		store_ask_cancel(&g->shards[i].ask);
		buf_fini(&g->shards[i].text);
	}
	buf_fini(&g->monitor);
	buf_fini(&g->authd);
	mem_free(&g);
}

/* Certificates --------------------------------------------------------------- */

/* The chain alone is read, never the key; often our user may not even do that, and then
 * mansioctl, which may run as root, reads it. */
static void
put_certificate(struct json_writer *w, const struct conf_certificate *c)
{
	struct x509_info info;
	char *pem = NULL;
	size_t len;

	json_begin_object(w);
	json_kv_str(w, "name", c->head.name);
	json_kv_str(w, "path", c->chain);
	if (!fd_slurp_path(c->chain, PEM_MAX, &pem, &len)) {
		json_kv_str(w, "error", log_strerror(errno));
	} else if (x509_info_read(span(pem, len), &info) != ST_OK) {
		json_kv_str(w, "error", "no certificate in it");
	} else {
		json_kv_str(w, "subject", info.subject);
		json_kv_int(w, "not_after", info.not_after_s);
		json_kv_int(w, "days_left", (info.not_after_s - clock_wall_s()) / 86400);
		x509_info_fini(&info);
	}
	mem_free(&pem);
	json_end_object(w);
}

static void
put_certificates(struct json_writer *w, const struct mansio_conf *conf)
{
	json_key(w, "certificates");
	json_begin_array(w);
	for (size_t i = 0; i < conf->n_certificates; i++)
		put_certificate(w, &conf->certificates[i]);
	json_end_array(w);
}

/* The answer ----------------------------------------------------------------- */

static void
see_disk(const struct mansio_conf *conf, uint32_t no, struct report_shard *s)
{
	struct buf path = { 0 };
	struct statvfs v;

	conf_shard_path(conf, no, &path);
	if (statvfs(buf_cstr(&path), &v) == 0) {
		s->disk_total = (uint64_t)v.f_blocks * v.f_frsize;
		s->disk_free = (uint64_t)v.f_bavail * v.f_frsize;
	}
	buf_fini(&path);
}

static bool
put_shards(struct json_writer *w, struct gather *g)
{
	struct report_shard *s = mem_array(g->n_shards, sizeof(*s));
	bool all;

	for (size_t i = 0; i < g->n_shards; i++) {
		const struct shard_ask *a = &g->shards[i];

		if (a->no == CONTROL_SHARD_SYSTEM)
			snprintf(s[i].name, sizeof(s[i].name), "system");
		else
			snprintf(s[i].name, sizeof(s[i].name), "%u", a->no);
		s[i].available = a->available;
		s[i].stats = buf_span(&a->text);
		see_disk(g->rq->admind->conf, a->no, &s[i]);
	}
	all = report_shards(w, s, g->n_shards);
	mem_free(&s);
	return all;
}

/* {"outward":[...]} as a member of ours. */
static void
put_outward(struct json_writer *w, struct span authd)
{
	if (span_has_prefix(authd, "{\"outward\":") && authd.len > 12) {
		json_key(w, "outward");
		json_raw(w, span_sub(authd, 11, authd.len - 12));
	}
}

static void
answer(struct gather *g)
{
	struct request *rq = g->rq;
	bool status = strcmp(rq->command->name, "status") == 0, ready;
	struct buf out = { 0 };
	struct json_writer w;

	json_writer_init(&w, &out);
	json_begin_object(&w);
	ready = report_processes(&w, buf_span(&g->monitor));
	ready = put_shards(&w, g) && ready;
	if (status) {
		put_certificates(&w, rq->admind->conf);
		put_outward(&w, buf_span(&g->authd));
	} else {
		json_key(&w, "authd");
		if (g->authd.len > 0)
			json_raw(&w, buf_span(&g->authd));
		else
			json_null(&w);
	}
	json_kv_bool(&w, "ready", ready);
	json_end_object(&w);
	request_done(rq, ST_OK, buf_span(&out));
	buf_fini(&out);
}

static void
one_came(struct gather *g)
{
	if (--g->waiting == 0)
		answer(g);
}

static void
on_time(void *arg)
{
	answer(arg);
}

static void
on_monitor(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct gather *g = arg;

	g->monitor_req = 0;
	if (m != NULL && m->no == CONTROL_STATUS_IS)
		buf_add_span(&g->monitor, ((const struct control_status_is *)msg)->text);
	one_came(g);
}

static void
on_shard(void *arg, enum status st, bool more, const void *msg)
{
	struct shard_ask *a = arg;

	a->ask = NULL;
	a->available = st == ST_OK;
	if (msg != NULL)
		buf_add_span(&a->text, ((const struct store_stats_are *)msg)->text);
	one_came(a->g);
}

static void
on_authd(void *arg, enum status st, struct span result)
{
	struct request *rq = arg;
	struct gather *g = rq->state;

	rq->lookup = NULL;
	if (st == ST_OK)
		buf_add_span(&g->authd, result);
	one_came(g);
}

static void
gather(struct request *rq)
{
	struct admind *a = rq->admind;
	size_t n = a->conf->store.shards + 1;
	struct gather *g = mem_zalloc(sizeof(*g) + n * sizeof(g->shards[0]));

	rq->state = g;
	rq->stop = stop;
	g->rq = rq;
	g->n_shards = n;
	g->timer = loop_timer_new(a->loop, on_time, g);
	loop_timer_set(g->timer, GATHER_MS);
	g->waiting = (unsigned)n + 1;
	g->monitor_req = ipc_request(a->helper.control, 0, CONTROL_STATUS, NULL, on_monitor, g);
	for (size_t i = 0; i < n; i++) {
		g->shards[i].g = g;
		g->shards[i].no = i + 1 < n ? (uint32_t)i : CONTROL_SHARD_SYSTEM;
		g->shards[i].ask = store_ask_stats(a->pool, g->shards[i].no, on_shard,
		    &g->shards[i]);
	}
	g->waiting++;
	ask_authd(rq, strcmp(rq->command->name, "stats") == 0 ? "stats" : "outward", SPAN_LIT("{}"),
	    on_authd);
}

/* Reload --------------------------------------------------------------------- */

struct reloading { uint32_t req; };

static void
stop_reload(struct request *rq)
{
	struct reloading *r = rq->state;

	if (r->req != 0)
		ipc_cancel(rq->admind->helper.control, r->req);
	mem_free(&r);
}

static void
on_reloaded(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct request *rq = arg;
	struct reloading *r = rq->state;
	const struct control_reload_is *is = msg;
	struct buf out = { 0 };
	struct json_writer w;

	r->req = 0;
	if (m == NULL || m->no != CONTROL_RELOAD_IS) {
		request_fail(rq, h->status != ST_OK ? h->status : ST_BUG,
		    "the monitor does not reload: %s", status_name(h->status));
		return;
	}
	json_writer_init(&w, &out);
	json_begin_object(&w);
	json_kv_string(&w, h->status == ST_OK ? "text" : "error", span_trim(is->text));
	json_end_object(&w);
	request_done(rq, h->status, buf_span(&out));
	buf_fini(&out);
}

static void
reload(struct request *rq)
{
	struct reloading *r = mem_zalloc(sizeof(*r));

	rq->state = r;
	rq->stop = stop_reload;
	r->req = ipc_request(rq->admind->helper.control, 0, CONTROL_RELOAD, NULL, on_reloaded, rq);
}

const struct admin_command admin_cmds_status[] = {
	{ "status", gather, NULL },
	{ "stats", gather, NULL },
	{ "reload", reload, NULL },
	{ NULL, NULL, NULL }
};
