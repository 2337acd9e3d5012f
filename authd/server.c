/* The peers and what they ask. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "authd/admin.h"
#include "authd/authd.h"
#include "authd/dovecot.h"
#include "authd/exchange.h"
#include "authd/lookup.h"
#include "common/crypto/random.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define HASH_TIMEOUT_MS	20000
#define FAKE_KEY	"key/scram"	/* record of the directory: 32 bytes */

void
found_take(struct found *f, const struct dir_account *a)
{
	f->id = a->id;
	f->shard = a->shard;
	f->disabled = a->disabled;
	buf_clear(&f->address);
	buf_add_span(&f->address, a->address);
	buf_clear(&f->groups);
	buf_add_span(&f->groups, a->groups);
	f->referral_stays = a->referral_stays;
	buf_clear(&f->referral);
	buf_add_span(&f->referral, a->referral);
}

void
found_copy(struct found *to, const struct found *from)
{
	const struct dir_account a = { .id = from->id, .shard = from->shard,
		.disabled = from->disabled, .address = buf_span(&from->address),
		.groups = buf_span(&from->groups), .referral = buf_span(&from->referral),
		.referral_stays = from->referral_stays };

	found_take(to, &a);
}

void
found_fini(struct found *f)
{
	buf_fini(&f->address);
	buf_fini(&f->groups);
	buf_fini(&f->referral);
}

struct resolve_rules
authd_rules(const struct authd *a)
{
	return (struct resolve_rules){ a->conf->auth.default_domain,
	    a->conf->lmtp.recipient_delimiter };
}

struct hash_params
authd_hash_params(const struct authd *a)
{
	const struct conf_auth *c = &a->conf->auth;

	return (struct hash_params){
		.kind = c->hash_scheme == CONF_HASH_YESCRYPT ? HASH_YESCRYPT : HASH_ARGON2ID,
		.memory_kib = (uint32_t)(c->hash_memory_bytes >> 10), .passes = c->hash_passes,
		.cost = c->hash_cost, .scram_iterations = c->scram_iterations };
}

/* Requests --------------------------------------------------------------------------- */

static void
do_revocations(struct peer *p, const struct ipc_head *head, const struct auth_revocations *rq)
{
	struct auth_revocations_are r = { .ids = SPAN_NONE };
	struct voids *v = tickets_voids(p->a->tickets, clock_wall_s(), &r.epoch_from);
	struct buf page = { 0 };

	r.more = voids_page(v, rq->after, &page, &r.last);
	r.before_s = v->before_s;
	r.ids = buf_span(&page);
	ipc_reply(p->ipc, head, ST_OK, AUTH_REVOCATIONS_ARE, &r);
	buf_fini(&page);
}

static void
take_known(struct peer *p, const struct auth_known_voids *k)
{
	bool good = tickets_inherit(p->a->tickets, k->ids, k->before_s, clock_wall_s());

	if (good && k->last)
		tickets_inherited(p->a->tickets, k->epoch_from);
	else if (!good)
		LOG(NULL, ERROR, "auth.voids", KV_STR("peer", p->name));
}

/* What becomes of a worker's exchanges ------------------------------------------------ */

static void
tell_challenge(void *arg, const struct ipc_head *head, struct span data)
{
	struct auth_challenge c = { data };

	ipc_reply(((struct peer *)arg)->ipc, head, ST_OK, AUTH_CHALLENGE, &c);
}

static bool
tell_granted(void *arg, const struct ipc_head *head, const struct exchange_grant *e)
{
	struct peer *p = arg;
	struct login like = { .account = e->found->id, .shard = e->found->shard,
	    .service = e->service, .master = e->master, .submits = e->submits };
	struct auth_granted g = { .user = buf_span(&e->found->address), .account = e->found->id,
	    .shard = e->found->shard, .data = e->data,
	    .referral = buf_span(&e->found->referral) };
	struct ticket_made made;
	bool good;

	like.user = span_dup(g.user);
	like.peer = span_dup(e->peer);
	like.conn = span_dup(e->conn);
	like.app = e->app.len > 0 ? span_dup(e->app) : NULL;
	login_set_groups(&like, buf_span(&e->found->groups));
	good = tickets_login(p->a->tickets, &p->holder, &like, clock_wall_s(), &made);
	mem_free(&like.user);
	mem_free(&like.peer);
	mem_free(&like.conn);
	mem_free(&like.app);
	if (!good)
		return false;
	g.ticket = span(made.bytes, sizeof(made.bytes));
	g.expires_s = made.expires_s;
	ipc_reply(p->ipc, head, ST_OK, AUTH_GRANTED, &g);
	mem_wipe(&made, sizeof(made));
	return true;
}

static void
tell_failed(void *arg, const struct ipc_head *head, enum status st, uint8_t reason,
    struct span user, struct span data)
{
	struct auth_failure f = { reason, data };

	ipc_reply(((struct peer *)arg)->ipc, head, st, AUTH_FAILURE, &f);
}

static const struct exchange_replies worker_replies = {
	tell_challenge, tell_granted, tell_failed
};

/* Peers ------------------------------------------------------------------------------ */

static void
do_mechanisms(struct peer *p, const struct ipc_head *head, const struct auth_mechanisms *rq)
{
	struct buf names = { 0 };
	struct auth_mechanisms_are are;

	exchange_mechanisms(p->a, rq->flags, &names);
	are.names = buf_span(&names);
	ipc_reply(p->ipc, head, ST_OK, AUTH_MECHANISMS_ARE, &are);
	buf_fini(&names);
}

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct peer *p = arg;

	switch (m->no) {
	case AUTH_START:
		exchange_start(&p->owner, h, msg);
		break;
	case AUTH_STEP:
		exchange_step(&p->owner, h, msg);
		break;
	case AUTH_CANCEL:
		exchange_cancel(&p->owner, h->chan);
		break;
	case AUTH_MECHANISMS:
		do_mechanisms(p, h, msg);
		break;
	case AUTH_RENEW:
		lookup_renew(p, h, msg);
		break;
	case AUTH_LOGOUT:
		tickets_logout(p->a->tickets, &p->holder, ((const struct auth_logout *)msg)->ticket,
		    clock_wall_s());
		break;
	case AUTH_RCPT:
		lookup_rcpt(p, h, msg);
		break;
	case AUTH_WHO:
		lookup_who(p, h, msg);
		break;
	case AUTH_REVOCATIONS:
		do_revocations(p, h, msg);
		break;
	case AUTH_KNOWN_VOIDS:
		take_known(p, msg);
		break;
	case AUTH_ADMIN:
		admin_run(p->a, p->id, h, ((const struct auth_admin *)msg)->command,
		    ((const struct auth_admin *)msg)->args);
		break;
	default:		/* notes that are ours to send */
		break;
	}
}

static void
peer_free(struct peer *p)
{
	exchange_free_all(&p->owner);
	table_del_u64(&p->a->peers_by_id, p->id);
	list_remove(&p->in);
	ipc_free(&p->ipc);
	mem_free(&p);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct peer *p = arg;

	LOG(NULL, DEBUG, "auth.peer.gone", KV_STR("peer", p->name));
	if (p->kind == AUTH_PEER_WORKER || p->kind == AUTH_PEER_ADMIN)
		tickets_holder_gone(p->a->tickets, &p->holder);
	peer_free(p);
}

static uint32_t
kind_of(uint8_t program)
{
	switch (program) {
	case PROGRAM_IMAPD:
	case PROGRAM_POP3D:
	case PROGRAM_JMAPD:
	case PROGRAM_SIEVED:
		return AUTH_PEER_WORKER;
	case PROGRAM_LMTPD:
		return AUTH_PEER_DELIVER;
	case PROGRAM_STORED:
		return AUTH_PEER_STORED;
	case PROGRAM_ADMIND:
		return AUTH_PEER_ADMIN;
	default:
		return 0;
	}
}

/* A worker that asks anew after a restart of authd is the same; one that comes twice has
 * lost the first socket. */
static void
drop_older(struct authd *a, const struct ticket_holder *h)
{
	struct list *n, *tmp;

	list_each(n, tmp, &a->peers) {
		struct peer *p = list_entry(n, struct peer, in);

		if (p->holder.program == h->program && p->holder.slot == h->slot &&
		    p->holder.generation == h->generation && h->program != PROGRAM_STORED)
			peer_free(p);
	}
}

void
authd_add_peer(struct authd *a, const struct control_peer *who, int fd)
{
	struct ticket_holder h = { who->program, who->slot, who->generation };
	struct ipc_config cf = { .loop = a->loop, .protocol = &auth_protocol,
	    .allowed = kind_of(who->program), .request = on_request, .closed = on_closed };
	struct peer *p;

	if (cf.allowed == 0) {
		LOG(NULL, ERROR, "auth.peer.unknown", KV_UINT("program", who->program));
		close(fd);
		return;
	}
	drop_older(a, &h);
	p = mem_zalloc(sizeof(*p));
	p->a = a;
	p->id = ++a->next_peer;
	p->kind = cf.allowed;
	p->owner = (struct exchange_owner){ .a = a, .to = &worker_replies, .arg = p };
	p->holder = h;
	snprintf(p->name, sizeof(p->name), "%s.%u", program_name((enum program)who->program), who->slot);
	cf.peer = p->name;
	cf.arg = p;
	p->ipc = ipc_new(&cf, fd);
	list_push_back(&a->peers, &p->in);
	table_put_u64(&a->peers_by_id, p->id, p);
}

struct peer *
authd_peer_by_id(struct authd *a, uint64_t id)
{
	return table_get_u64(&a->peers_by_id, id);
}

/* What others must hear --------------------------------------------------------------- */

static void
tell_storeds(struct authd *a, uint16_t no, const void *msg)
{
	struct list *n, *tmp;

	list_each(n, tmp, &a->peers) {
		struct peer *p = list_entry(n, struct peer, in);

		if (p->kind == AUTH_PEER_STORED)
			ipc_note(p->ipc, 0, no, msg);
	}
}

static void
on_void(void *arg, const unsigned char id[TICKET_ID_LEN], uint64_t account, int64_t expires_s)
{
	struct auth_ticket_void v = { span(id, TICKET_ID_LEN), account, expires_s };

	tell_storeds(arg, AUTH_TICKET_VOID, &v);
}

void
authd_credentials_gone(struct authd *a, uint64_t account)
{
	struct auth_ticket_void v = { SPAN_NONE, account, 0 };

	tell_storeds(a, AUTH_TICKET_VOID, &v);
}

static void
on_void_before(void *arg, int64_t before_s)
{
	struct auth_void_before v = { before_s };

	tell_storeds(arg, AUTH_VOID_BEFORE, &v);
}

static void
on_revoked(void *arg, const struct login *l)
{
	struct authd *a = arg;
	struct auth_revoked r = { .account = l->account };
	struct list *n, *tmp;

	list_each(n, tmp, &a->peers) {
		struct peer *p = list_entry(n, struct peer, in);

		if (p->kind != AUTH_PEER_WORKER || p->holder.slot != l->holder.slot ||
		    p->holder.generation != l->holder.generation)
			continue;
		/* the worker may have shown any of them last */
		for (size_t i = 0; i < l->n; i++) {
			r.id = span(l->t[i].id, TICKET_ID_LEN);
			ipc_note(p->ipc, 0, AUTH_REVOKED, &r);
		}
	}
}

static void
on_changed(void *arg, uint64_t account)
{
	struct authd *a = arg;

	if (account == 0)
		login_cache_flush(a->cache);
	else
		login_cache_drop_account(a->cache, account);
}

static void
take_spares_back(void *arg)
{
	struct authd *a = arg;
	struct list *n, *tmp;

	list_each(n, tmp, &a->peers) {
		struct peer *p = list_entry(n, struct peer, in);

		if (p->spares)
			ipc_note(p->ipc, 0, AUTH_CHANGED, NULL);
		p->spares = false;
	}
}

/* The key that makes fake salts is the installation's, kept in its directory. */
static enum status
run_key(struct dir_job *job, void *arg)
{
	struct authd *a = arg;
	const struct dir_rec *r = dir_get(job, SPAN_LIT(FAKE_KEY));

	if (r == NULL)
		return ST_UNAVAILABLE;
	if (r->version != 0 && r->value.len == sizeof(a->fake_key))
		memcpy(a->fake_key, r->value.p, sizeof(a->fake_key));
	else
		dir_put(job, SPAN_LIT(FAKE_KEY), span(a->fake_key, sizeof(a->fake_key)));
	return ST_OK;
}

static void
end_key(void *arg, enum status st)
{
	struct authd *a = arg;

	a->key_job = NULL;
	if (st != ST_OK)
		LOG(NULL, WARN, "auth.scram.key", KV_STATUS(st));
}

static void
on_up(void *arg)
{
	struct authd *a = arg;

	if (a->key_job == NULL)
		a->key_job = dir_job_start(a->dir, run_key, end_key, a);
	if (a->ready != NULL)
		a->ready(a->ready_arg);
}

/* The whole ----------------------------------------------------------------------------- */

static void
on_dummy(void *arg, enum status st, struct span reply)
{
	struct authd *a = arg;
	struct pool_made made;

	a->dummy_job = NULL;
	if (st == ST_OK && pool_made_decode(reply, &made)) {
		buf_clear(&a->dummy);
		buf_add_span(&a->dummy, made.hash);
	} else {
		LOG(NULL, ERROR, "auth.hash.make", KV_STATUS(st));
	}
}

static void
make_dummy(struct authd *a)
{
	struct hash_params p = authd_hash_params(a);
	char password[33];

	p.scram_iterations = 0;
	random_id(password, sizeof(password) - 1);
	a->dummy_job = pool_make(a->hashers, &p, span_str(password), on_dummy, a);
	mem_wipe(password, sizeof(password));
}

static void
start_pools(struct authd *a)
{
	const struct conf_auth *c = &a->conf->auth;
	struct pool_config hp = { a->loop, "hash", conf_workers(c->workers), c->queue,
	    HASH_TIMEOUT_MS, a->exec, NULL };
	struct pool_config pp = { a->loop, "pam", a->conf->pam.workers, c->queue,
	    a->conf->pam.timeout_s * 1000, a->exec, a->spawner };

	a->hashers = pool_new(&hp);
	if (a->spawner != NULL)
		a->pam = pool_new(&pp);
	make_dummy(a);
}

static struct throttle_config
throttle_conf(const struct mansio_conf *c)
{
	const struct conf_throttle *t = &c->throttle;

	return (struct throttle_config){ t->enabled, t->free_failures, t->delay_ms,
	    t->max_delay_ms, t->forget_time_s, t->allow.v, t->proxies.v, t->allow.n, t->proxies.n };
}

static void
open_passwd_file(struct authd *a)
{
	if (conf_has_backend(a->conf, CONF_BACKEND_PASSWD_FILE))
		a->passwd = passwd_file_new(a->conf->passwd_file.path);
}

struct authd *
authd_new(struct loop *l, struct mansio_conf *conf, uint64_t epoch, bool exec, struct spawner *s)
{
	struct authd *a = mem_zalloc(sizeof(*a));
	struct tickets_config tc = { &a->keys, conf->auth.ticket_time_s, on_void,
	    on_void_before, on_revoked, a };
	struct directory_config dc = { l, on_changed, take_spares_back, on_up, a };
	struct throttle_config thc = throttle_conf(conf);

	a->loop = l;
	a->conf = conf;
	a->exec = exec;
	a->spawner = s;
	a->started_s = clock_wall_s();
	list_init(&a->peers);
	list_init(&a->dovecot_doors);
	list_init(&a->dovecot_clients);
	random_bytes(a->fake_key, sizeof(a->fake_key));
	start_pools(a);
	a->tickets = tickets_new(&tc);
	tickets_set_epoch(a->tickets, epoch);
	a->cache = login_cache_new(conf->auth.cache_time_s * 1000ull);
	a->throttle = throttle_new(&thc);
	a->dir = directory_new(&dc);
	a->bearer = bearer_new(l, conf);
	open_passwd_file(a);
	return a;
}

void
authd_configure(struct authd *a, struct mansio_conf *conf)
{
	struct mansio_conf *old = a->conf;
	struct throttle_config thc = throttle_conf(conf);
	struct list *n, *tmp;

	a->conf = conf;
	throttle_configure(a->throttle, &thc);
	tickets_set_life(a->tickets, conf->auth.ticket_time_s);
	login_cache_free(&a->cache);
	a->cache = login_cache_new(conf->auth.cache_time_s * 1000ull);
	passwd_file_free(&a->passwd);
	open_passwd_file(a);
	pool_set_queue(a->hashers, conf->auth.queue);
	if (a->pam != NULL)
		pool_set_queue(a->pam, conf->auth.queue);
	pool_cancel(&a->dummy_job);
	make_dummy(a);
	bearer_configure(a->bearer, conf);
	conf_free(&old);
	list_each(n, tmp, &a->peers) {
		struct peer *p = list_entry(n, struct peer, in);

		if (p->kind == AUTH_PEER_WORKER)
			ipc_note(p->ipc, 0, AUTH_CHANGED, NULL);
	}
	take_spares_back(a);
}

void
authd_free(struct authd **ap)
{
	struct authd *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	dovecot_end(a);
	while (!list_empty(&a->peers))
		peer_free(list_entry(a->peers.next, struct peer, in));
	table_fini(&a->peers_by_id, NULL, NULL);
	dir_job_cancel(&a->key_job);
	pool_cancel(&a->dummy_job);
	pool_free(&a->hashers);
	pool_free(&a->pam);
	spawner_free(&a->spawner);
	directory_free(&a->dir);
	bearer_free(&a->bearer);
	passwd_file_free(&a->passwd);
	login_cache_free(&a->cache);
	throttle_free(&a->throttle);
	tickets_free(&a->tickets);
	buf_fini_secret(&a->dummy);
	mem_wipe(&a->keys, sizeof(a->keys));
	conf_free(&a->conf);
	mem_free(&a);
}
