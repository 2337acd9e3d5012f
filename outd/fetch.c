#include "outd/fetch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/out/out_proto.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "outd/address.h"
#include "outd/freshness.h"

#define CONNECTIONS_MAX	16L		/* open, to all servers */
#define HEADER_MAX	(64u << 10)	/* bytes of an answer's header */

struct fetcher {
	struct loop		*loop;
	const struct conf_outd	*conf;
	CURLM			*multi;
	struct loop_timer	*timer;
	struct buf		ca;
	unsigned		n;
};

struct fetch {
	struct fetcher		*f;
	CURL			*easy;
	struct curl_slist	*headers;
	fetch_done_fn		fn;
	void			*arg;
	struct buf		posted, body;
	struct freshness	fresh;
	size_t			header_bytes;
	bool			too_large, refused;
	char			why[CURL_ERROR_SIZE];
};

bool
fetch_init(void)
{
	const curl_version_info_data *v;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return false;
	v = curl_version_info(CURLVERSION_NOW);
	/* a resolver that blocks would stop all */
	return (v->features & CURL_VERSION_ASYNCHDNS) != 0 && (v->features & CURL_VERSION_SSL) != 0;
}

static void
fetch_free(struct fetch *q)
{
	if (q->easy != NULL) {
		curl_multi_remove_handle(q->f->multi, q->easy);
		curl_easy_cleanup(q->easy);
	}
	for (struct curl_slist *s = q->headers; s != NULL; s = s->next)
		mem_wipe(s->data, strlen(s->data));
	curl_slist_free_all(q->headers);
	buf_fini_secret(&q->posted);
	buf_fini_secret(&q->body);
	q->f->n--;
	mem_free(&q);
}

void
fetch_cancel(struct fetch **qp)
{
	if (*qp != NULL)
		fetch_free(*qp);
	*qp = NULL;
}

/* What libcurl asks ------------------------------------------------------------ */

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *q = arg;
	size_t most = q->f->conf->max_answer_bytes;

	if (n > most - q->body.len) {
		q->too_large = true;
		return 0;
	}
	buf_add(&q->body, p, n);
	return n;
}

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *q = arg;

	if (n > HEADER_MAX - q->header_bytes) {
		q->too_large = true;
		return 0;
	}
	q->header_bytes += n;
	freshness_line(&q->fresh, span(p, n));
	return n;
}

static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct fetch *q = arg;
	char text[NET_IP_STR];
	struct net_ip ip;
	int fd;

	if (!address_allowed(&a->addr, &q->f->conf->allow)) {
		q->refused = true;
		ip = net_ip_of(&a->addr, NULL);
		LOG(NULL, WARN, "out.refused", KV_STR("address", net_ip_print(&ip, text)),
		    KV_STR("why", "not public, and not in outd allow"));
		return CURL_SOCKET_BAD;
	}
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int
on_close_socket(void *arg, curl_socket_t fd)
{
	return close(fd);
}

/* The loop --------------------------------------------------------------------- */

static void
finish(struct fetch *q, CURLcode rc)
{
	struct fetch_result r = { .st = ST_UNAVAILABLE, .max_age_s = freshness_s(&q->fresh),
	    .retry_after_s = q->fresh.retry_after_s, .why = q->why };
	long status = 0;

	curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);
	if (q->too_large) {
		r.why = "the answer is too large";
	} else if (q->refused && rc != CURLE_OK) {
		r.refused = true;
		r.why = "its address is not public, and not in outd allow";
	} else if (rc != CURLE_OK) {
		if (q->why[0] == '\0')
			snprintf(q->why, sizeof(q->why), "%s", curl_easy_strerror(rc));
	} else if (status != 200) {
		snprintf(q->why, sizeof(q->why), "HTTP status %ld", status);
	} else {
		r.st = ST_OK;
		r.body = buf_span(&q->body);
	}
	if (rc == CURLE_OK && status > 0)
		r.http = (uint32_t)status;
	q->fn(q->arg, &r);
	fetch_free(q);
}

static void
finish_all(struct fetcher *f)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
		struct fetch *q = NULL;
		CURLcode rc = m->data.result;	/* m is gone with the handle */

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&q);
		finish(q, rc);
	}
}

static void
on_io(int fd, unsigned events, void *arg)
{
	struct fetcher *f = arg;
	int running, what = ((events & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) |
	    ((events & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(f->multi, fd, what, &running);
	finish_all(f);
}

static void
on_timer(void *arg)
{
	struct fetcher *f = arg;
	int running;

	curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_all(f);
}

static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watched)
{
	struct fetcher *f = arg;
	struct loop_io *io = watched;
	unsigned events = (what & CURL_POLL_IN ? LOOP_READ : 0u) |
	    (what & CURL_POLL_OUT ? LOOP_WRITE : 0u);

	if (what == CURL_POLL_REMOVE) {
		loop_io_free(&io);
		curl_multi_assign(f->multi, fd, NULL);
	} else if (io != NULL) {
		loop_io_set(io, events);
	} else {
		io = loop_io_new(f->loop, fd, events, on_io, f);
		curl_multi_assign(f->multi, fd, io);
	}
	return 0;
}

static int
set_timer(CURLM *multi, long ms, void *arg)
{
	struct fetcher *f = arg;

	if (ms < 0)
		loop_timer_clear(f->timer);
	else
		loop_timer_set(f->timer, (uint64_t)ms);
	return 0;
}

struct fetcher *
fetcher_new(struct loop *l, const struct conf_outd *conf, struct span ca)
{
	struct fetcher *f = mem_zalloc(sizeof(*f));

	f->loop = l;
	f->conf = conf;
	buf_add_span(&f->ca, ca);
	f->timer = loop_timer_new(l, on_timer, f);
	f->multi = curl_multi_init();
	if (f->multi == NULL)
		abort();	/* no memory */
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX);
	curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
	curl_multi_setopt(f->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	return f;
}

void
fetcher_free(struct fetcher **fp)
{
	struct fetcher *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	curl_multi_cleanup(f->multi);
	loop_timer_free(&f->timer);
	buf_fini(&f->ca);
	mem_free(&f);
}

/* Beginning -------------------------------------------------------------------- */

/* false: this libcurl lacks something of it. */
static bool
set_security(const struct fetch *q)
{
	const struct conf_outd *c = q->f->conf;
	struct curl_blob ca = { q->f->ca.data, q->f->ca.len, CURL_BLOB_NOCOPY };
	CURL *e = q->easy;

	return curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, c->cleartext ? "https,http" : "https") == 0 &&
	    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == 0 &&
	    curl_easy_setopt(e, CURLOPT_PROXY, "") == 0 &&
	    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == 0 &&
	    curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) == 0 &&
	    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) == 0 &&
	    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) == 0 &&
	    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == 0 &&
	    (q->f->ca.len == 0 || (curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &ca) == 0 &&
	    curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == 0)) &&
	    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket) == 0 &&
	    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, q) == 0 &&
	    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket) == 0;
}

static bool
set_limits(const struct fetch *q)
{
	const struct conf_outd *c = q->f->conf;
	CURL *e = q->easy;

	return curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)c->timeout_s * 1000) == 0 &&
	    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)c->timeout_s * 1000) == 0 &&
	    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == 0 &&
	    /* a name that does not resolve in time is not waited for */
	    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) == 0 &&
	    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == 0 &&
	    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == 0 &&
	    curl_easy_setopt(e, CURLOPT_WRITEDATA, q) == 0 &&
	    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == 0 &&
	    curl_easy_setopt(e, CURLOPT_HEADERDATA, q) == 0;
}

static bool
set_request(struct fetch *q, const struct fetch_rq *rq)
{
	struct buf line = { 0 };
	CURL *e = q->easy;
	bool ok = curl_easy_setopt(e, CURLOPT_URL, rq->url) == 0 &&
	    curl_easy_setopt(e, CURLOPT_PRIVATE, q) == 0 &&
	    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, q->why) == 0 &&
	    curl_easy_setopt(e, CURLOPT_USERAGENT, "mansio") == 0;

	q->headers = curl_slist_append(NULL, "Accept: application/json");
	if (rq->authorization.len > 0) {
		buf_add_str(&line, "Authorization: ");
		buf_add_span(&line, rq->authorization);
		q->headers = curl_slist_append(q->headers, buf_cstr(&line));
		buf_fini_secret(&line);
	}
	for (size_t i = 0; i < rq->n_fields; i++)
		q->headers = curl_slist_append(q->headers, rq->fields[i]);
	if (rq->body.p != NULL) {
		buf_add_span(&q->posted, rq->body);
		q->headers = curl_slist_append(q->headers, "Expect:");
		ok = ok && curl_easy_setopt(e, CURLOPT_POST, 1L) == 0 &&
		    curl_easy_setopt(e, CURLOPT_POSTFIELDS, q->posted.data) == 0 &&
		    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)q->posted.len) == 0;
	}
	return ok && curl_easy_setopt(e, CURLOPT_HTTPHEADER, q->headers) == 0;
}

struct fetch *
fetch_start(struct fetcher *f, const struct fetch_rq *rq, fetch_done_fn fn, void *arg)
{
	struct fetch *q;

	if (f->n >= FETCHES_MAX)
		return NULL;
	q = mem_zalloc(sizeof(*q));
	f->n++;
	q->f = f;
	q->fn = fn;
	q->arg = arg;
	q->easy = curl_easy_init();
	if (q->easy == NULL || !set_security(q) || !set_limits(q) || !set_request(q, rq) ||
	    curl_multi_add_handle(f->multi, q->easy) != CURLM_OK) {
		LOG(NULL, ERROR, "out.curl", KV_STR("why", "this libcurl cannot do what is needed"));
		fetch_free(q);
		return NULL;
	}
	return q;
}
