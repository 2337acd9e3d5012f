#include "authd/dovecot.h"

#include <string.h>
#include <unistd.h>

#include "authd/exchange.h"
#include "common/crypto/encode.h"
#include "common/crypto/random.h"
#include "common/net/conn.h"
#include "common/net/linebuf.h"
#include "common/net/listener.h"
#include "common/proto/dovecot_auth.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define CLIENTS_MAX	4096u
#define REQUESTS_MAX	1024u		/* of one client at a time */
#define LINE_BYTES	20480u
#define COOKIE_LEN	16

struct door {
	struct list		in;
	struct authd		*a;
	char			*name;
	int			fd;
	struct listener		*listener;
};

/* What has to be kept of a request. */
struct asked {
	bool		final_ok;
	struct buf	ok;		/* the last line, until the client took the data before it */
};

struct client {
	struct list		in;
	struct authd		*a;
	struct conn		*conn;
	struct linebuf		*lines;
	struct exchange_owner	owner;
	struct table		asked;		/* by number */
	char			*door;		/* name of the section */
	uint64_t		no;
	bool			greeted, lost;
};

/* Answers ------------------------------------------------------------------------- */

static void
asked_free(void *v, void *arg)
{
	struct asked *q = v;

	buf_fini(&q->ok);
	mem_free(&q);
}

static void
forget(struct client *c, uint32_t no)
{
	struct asked *q = table_del_u64(&c->asked, no);

	if (q != NULL)
		asked_free(q, NULL);
}

static void
put_challenge(struct client *c, uint32_t no, struct span data)
{
	struct buf *out = conn_out(c->conn);

	buf_addf(out, "CONT\t%u\t", no);
	base64_encode(data, out);
	buf_add_c(out, '\n');
}

static void
tell_challenge(void *arg, const struct ipc_head *head, struct span data)
{
	put_challenge(arg, head->chan, data);
}

/* The server's last words (SCRAM) go before OK, unless the client takes them with it. */
static bool
tell_granted(void *arg, const struct ipc_head *head, const struct exchange_grant *g)
{
	struct client *c = arg;
	struct asked *q = table_get_u64(&c->asked, head->chan);
	bool first = g->data.len > 0 && q != NULL && !q->final_ok;
	struct buf *out = first ? &q->ok : conn_out(c->conn);

	buf_addf(out, "OK\t%u\tuser=", head->chan);
	dovecot_put(out, buf_span(&g->found->address));
	if (g->data.len > 0 && !first) {
		buf_add_str(out, "\tresp=");
		base64_encode(g->data, out);
	}
	buf_add_c(out, '\n');
	if (first)
		put_challenge(c, head->chan, g->data);
	else
		forget(c, head->chan);
	return true;
}

static void
tell_failed(void *arg, const struct ipc_head *head, enum status st, uint8_t reason,
    struct span user, struct span data)
{
	struct client *c = arg;
	struct buf *out = conn_out(c->conn);

	buf_addf(out, "FAIL\t%u", head->chan);
	if (user.len > 0) {
		buf_add_str(out, "\tuser=");
		dovecot_put(out, user);
	}
	if (st == ST_UNAVAILABLE || st == ST_LIMIT)
		buf_add_str(out, "\ttemp\tcode=temp_fail");
	else if (reason == AUTH_WHY_EXPIRED)
		buf_add_str(out, "\tpass_expired\tcode=pass_expired");
	else if (reason == AUTH_WHY_DISABLED)
		buf_add_str(out, "\tuser_disabled\tcode=user_disabled");
	else if (reason == AUTH_WHY_AUTHZ)
		buf_add_str(out, "\tauthz\tcode=authz_fail");
	else if (reason == AUTH_WHY_CLEARTEXT)
		buf_add_str(out, "\treason=Encrypt the connection first");
	buf_add_c(out, '\n');
	forget(c, head->chan);
}

static const struct exchange_replies replies = { tell_challenge, tell_granted, tell_failed };

/* Requests ------------------------------------------------------------------------- */

static uint8_t
service_of(struct span name)
{
	static const struct { const char *name; uint8_t service; } names[] = {
		{ "smtp", AUTH_SUBMIT }, { "submission", AUTH_SUBMIT }, { "imap", AUTH_IMAP },
		{ "pop3", AUTH_POP3 }, { "sieve", AUTH_SIEVE }, { "managesieve", AUTH_SIEVE },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (span_eq_str(name, names[i].name))
			return names[i].service;
	return 0;
}

static uint8_t
flags_of(const struct client *c, const struct dovecot_line *l)
{
	const struct conf_listener *door = conf_listener_find(c->a->conf, c->door);

	return (uint8_t)((l->secured ? AUTH_TLS : 0) | (l->initial ? AUTH_IR : 0) |
	    (door != NULL && door->cleartext_login ? AUTH_CLEAR_OK : 0));
}

/* An MTA whose client went away says nothing about it: those time out. */
static bool
has_room(struct client *c)
{
	size_t pos = 0;
	struct span key;
	void *q;

	if (c->asked.count < REQUESTS_MAX)
		return true;
	while (table_next(&c->asked, &pos, &key, &q)) {
		if (table_get(&c->owner.exchanges, key) != NULL)
			continue;
		table_del(&c->asked, key);
		asked_free(q, NULL);
	}
	return c->asked.count < REQUESTS_MAX;
}

static void
on_auth(struct client *c, const struct dovecot_line *l)
{
	struct ipc_head head = { .chan = l->number, .fd = -1 };
	struct auth_start s = { .mechanism = l->mechanism, .flags = flags_of(c, l),
	    .service = service_of(l->service),
	    .peer = l->rip.len > 0 ? span_sub(l->rip, 0, 64) : SPAN_LIT("unix") };
	struct buf data = { 0 }, conn = { 0 };
	struct asked *q;

	forget(c, l->number);
	if (s.service == 0 || !has_room(c) ||
	    !base64_decode(l->data, AUTH_DATA_MAX, &data)) {
		LOG(NULL, WARN, "auth.dovecot.refused", KV_SPAN("service", l->service),
		    KV_SPAN("peer", s.peer));
		tell_failed(c, &head, ST_SYNTAX, AUTH_WHY_PROTOCOL, SPAN_NONE, SPAN_NONE);
		buf_fini_secret(&data);
		return;
	}
	q = mem_zalloc(sizeof(*q));
	q->final_ok = l->final_ok;
	table_put_u64(&c->asked, l->number, q);
	buf_addf(&conn, "a%llu-%u", (unsigned long long)c->no, l->number);
	s.conn = buf_span(&conn);
	s.initial = buf_span(&data);
	exchange_start(&c->owner, &head, &s);
	buf_fini(&conn);
	buf_fini_secret(&data);
}

static void
on_cont(struct client *c, const struct dovecot_line *l)
{
	struct ipc_head head = { .chan = l->number, .fd = -1 };
	struct asked *q = table_get_u64(&c->asked, l->number);
	struct buf data = { 0 };
	struct auth_step step;

	if (q != NULL && q->ok.len > 0) {
		buf_add_span(conn_out(c->conn), buf_span(&q->ok));
		forget(c, l->number);
		return;
	}
	if (!base64_decode(l->data, AUTH_DATA_MAX, &data)) {
		exchange_cancel(&c->owner, l->number);
		tell_failed(c, &head, ST_SYNTAX, AUTH_WHY_PROTOCOL, SPAN_NONE, SPAN_NONE);
	} else {
		step.data = buf_span(&data);
		exchange_step(&c->owner, &head, &step);
	}
	buf_fini_secret(&data);
}

static bool
on_line(struct client *c, struct span line)
{
	struct dovecot_line l;

	if (!dovecot_line_parse(line, &l))
		return false;
	if (l.word == DOVECOT_VERSION) {
		c->greeted = true;
		return l.number == 1;
	}
	if (!c->greeted)
		return false;
	if (l.word == DOVECOT_AUTH) {
		on_auth(c, &l);
	} else if (l.word == DOVECOT_CONT) {
		on_cont(c, &l);
	} else if (l.word == DOVECOT_CANCEL) {
		exchange_cancel(&c->owner, l.number);
		forget(c, l.number);
	}
	return true;
}

/* Clients --------------------------------------------------------------------------- */

static void
client_free(struct client *c)
{
	exchange_free_all(&c->owner);
	table_fini(&c->asked, asked_free, NULL);
	list_remove(&c->in);
	c->a->n_dovecot_clients--;
	conn_free(&c->conn);
	linebuf_free(&c->lines);
	mem_free(&c->door);
	mem_free(&c);
}

static void
on_data(struct conn *conn, void *arg)
{
	struct client *c = arg;
	struct buf *in = conn_in(conn);
	enum linebuf_result r;
	const char *line;
	size_t n;

	linebuf_feed(c->lines, in->data, in->len);
	mem_wipe(in->data, in->len);
	buf_drop(in, in->len);
	while (!c->lost && (r = linebuf_next(c->lines, &line, &n)) != LINEBUF_MORE)
		c->lost = r == LINEBUF_TOO_LONG || !on_line(c, span(line, n));
	if (c->lost) {
		LOG(NULL, WARN, "auth.dovecot.protocol", KV_STR("listener", c->door));
		conn_finish(conn);
	} else if (conn_full(conn)) {
		conn_pause(conn);
	}
}

static void
on_drained(struct conn *conn, void *arg)
{
	conn_resume(conn);
}

static void
on_eof(struct conn *conn, void *arg)
{
	conn_finish(conn);
}

static void
on_closed(struct conn *conn, enum conn_end why, void *arg)
{
	client_free(arg);
}

static const struct conn_ops client_ops = {
	.data = on_data, .eof = on_eof, .drained = on_drained, .closed = on_closed
};

/* Channel bindings cannot be passed on: no -PLUS. */
static void
greet(struct client *c)
{
	struct buf *out = conn_out(c->conn), names = { 0 };
	unsigned char cookie[COOKIE_LEN];
	struct span rest;

	exchange_mechanisms(c->a, AUTH_TLS, &names);
	rest = buf_span(&names);
	buf_add_str(out, "VERSION\t1\t2\n");
	while (rest.len > 0) {
		struct span name = span_cut(&rest, ' ');

		if (span_has_prefix(name, "SCRAM-") && name.p[name.len - 1] != 'S')
			buf_addf(out, "MECH\t%.*s\tmutual-auth\n", (int)name.len, name.p);
		else if (span_eq_str(name, "PLAIN") || span_eq_str(name, "LOGIN"))
			buf_addf(out, "MECH\t%.*s\tplaintext\n", (int)name.len, name.p);
	}
	random_bytes(cookie, sizeof(cookie));
	buf_addf(out, "SPID\t%ld\nCUID\t%llu\nCOOKIE\t", (long)getpid(), (unsigned long long)c->no);
	hex_encode(span(cookie, sizeof(cookie)), out);
	buf_add_str(out, "\nDONE\n");
	buf_fini(&names);
}

static void
on_accept(int fd, const struct net_ip *peer, uint16_t port, void *arg)
{
	struct door *d = arg;
	struct authd *a = d->a;
	struct client *c;

	if (a->n_dovecot_clients >= CLIENTS_MAX) {
		LOG(NULL, WARN, "auth.dovecot.full", KV_STR("listener", d->name));
		close(fd);
		return;
	}
	c = mem_zalloc(sizeof(*c));
	c->a = a;
	c->no = ++a->last_dovecot_client;
	c->door = mem_strdup(d->name);
	c->lines = linebuf_new(LINE_BYTES);
	c->owner = (struct exchange_owner){ .a = a, .to = &replies, .arg = c };
	c->conn = conn_new(a->loop, fd, NULL, &client_ops, c);
	list_push_back(&a->dovecot_clients, &c->in);
	a->n_dovecot_clients++;
	greet(c);
}

/* Listeners ------------------------------------------------------------------------- */

void
dovecot_add(struct authd *a, struct span name, int fd)
{
	struct door *d = mem_zalloc(sizeof(*d));

	d->a = a;
	d->name = span_dup(name);
	d->fd = fd;
	d->listener = listener_new(a->loop, fd, on_accept, d);
	list_push_back(&a->dovecot_doors, &d->in);
}

static void
door_free(struct door *d)
{
	list_remove(&d->in);
	listener_free(&d->listener);
	fd_close(&d->fd);
	mem_free(&d->name);
	mem_free(&d);
}

void
dovecot_drop(struct authd *a, struct span name)
{
	struct list *n, *tmp;

	list_each(n, tmp, &a->dovecot_doors) {
		struct door *d = list_entry(n, struct door, in);

		if (span_eq_str(name, d->name))
			door_free(d);
	}
}

void
dovecot_end(struct authd *a)
{
	while (!list_empty(&a->dovecot_doors))
		door_free(list_entry(a->dovecot_doors.next, struct door, in));
	while (!list_empty(&a->dovecot_clients))
		client_free(list_entry(a->dovecot_clients.next, struct client, in));
}
