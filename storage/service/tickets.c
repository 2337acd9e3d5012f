/* Who may ask what.  Every refusal is one line, named by its reason. */
#include "storage/service/push.h"
#include "storage/service/service_priv.h"

#include <string.h>

#include "common/auth/auth_proto.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define AUTHD_AGAIN_MS 500

static enum status
refuse(struct peer *p, const char *event, uint64_t account, enum status st)
{
	p->svc->n_refused_tickets++;
	log_event(NULL, LOG_LEVEL_WARN, event, (const struct log_kv[]){
	    KV_STR("peer", p->name), KV_UINT("slot", p->slot),
	    KV_UINT("generation", p->generation), KV_UINT("account", account),
	    KV_UINT("shard", p->svc->cf.shard), { .kind = LOG_KV_END } });
	return st;
}

static bool
is_revoked(const struct service *svc, const struct ticket *t)
{
	return voids_has(&svc->voids, t->id);
}

void
tickets_age(struct service *svc)
{
	voids_purge(&svc->voids, clock_wall_s());
}

/* What was made void of its authd's tickets nobody knows here any more, or it was so many
 * that some were forgotten.  A delivery's tickets are never made void. */
static bool
is_uncertain(const struct service *svc, const struct ticket *t)
{
	return t->role != STORE_ROLE_DELIVER &&
	    (t->epoch < svc->voids_from || t->expires_s <= svc->voids.before_s);
}

enum status
ticket_judge(struct peer *p, struct span bytes, bool shared, struct ticket *t)
{
	struct service *svc = p->svc;

	if (ticket_verify(&svc->keys, bytes, t) != ST_OK)
		return refuse(p, "ticket.forged", 0, ST_DENIED);
	if (t->slot != p->slot || t->generation != p->generation)
		return refuse(p, "ticket.foreign", t->account, ST_DENIED);
	if ((t->role != STORE_ROLE_ACCESS && t->role != STORE_ROLE_DELIVER) ||
	    (t->role & p->roles) == 0)
		return refuse(p, "ticket.role", t->account, ST_DENIED);
	if (shared && t->role != STORE_ROLE_ACCESS)
		return refuse(p, "ticket.role", t->account, ST_DENIED);
	if (!shared && t->shard != svc->cf.shard)
		return refuse(p, "ticket.shard", t->account, ST_DENIED);
	if (is_revoked(svc, t))
		return refuse(p, "ticket.revoked", t->account, ST_DENIED);
	if (t->expires_s <= clock_wall_s())
		return refuse(p, "ticket.expired", t->account, ST_EXPIRED);
	if (is_uncertain(svc, t))
		return refuse(p, "ticket.uncertain", t->account, ST_EXPIRED);
	return ST_OK;
}

enum status
channel_judge(struct channel *c)
{
	if (c->ticket.role == 0)
		return ST_OK;
	if (c->revoked)
		return refuse(c->peer, "ticket.revoked", c->ticket.account, ST_DENIED);
	if (c->ticket.expires_s <= clock_wall_s())
		return refuse(c->peer, "ticket.expired", c->ticket.account, ST_EXPIRED);
	return ST_OK;
}

void
service_ticket_key(struct service *svc, const struct ticket_key *key)
{
	ticket_keys_rotate(&svc->keys, key);
}

typedef bool (*void_fn)(const struct service *svc, const struct ticket *t, const void *arg);

static bool
is_listed(const struct service *svc, const struct ticket *t, const void *arg)
{
	return is_revoked(svc, t);
}

static bool
has_id(const struct service *svc, const struct ticket *t, const void *arg)
{
	return memcmp(t->id, arg, TICKET_ID_LEN) == 0;
}

static bool
is_of_account(const struct service *svc, const struct ticket *t, const void *arg)
{
	return t->account == *(const uint64_t *)arg && t->role != STORE_ROLE_DELIVER;
}

/* Ends the channels whose tickets are void now.  A logout comes here for each session, so
 * it compares ids and looks nothing up. */
static void
sweep(struct service *svc, void_fn gone, const void *arg)
{
	struct list *n, *tmp;

	list_each(n, tmp, &svc->peers) {
		struct peer *p = list_entry(n, struct peer, node);
		size_t pos = 0;
		void *v;

		while (table_next(&p->channels, &pos, NULL, &v)) {
			struct channel *c = v;

			if (gone(svc, &c->ticket, arg))
				channel_revoke(c);
		}
	}
}

void
service_ticket_void(struct service *svc, struct span id, int64_t expires_s, uint64_t account)
{
	if (id.len == TICKET_ID_LEN) {
		(void)voids_add(&svc->voids, (const unsigned char *)id.p, expires_s, clock_wall_s());
		sweep(svc, has_id, id.p);
	} else if (account != 0) {
		sweep(svc, is_of_account, &account);
		push_revoke(svc, account);
	}
}

void
service_revocations(struct service *svc, uint64_t epoch_from)
{
	if (svc->voids_from == 0 || epoch_from < svc->voids_from)
		svc->voids_from = epoch_from;
	svc->revocations_known = true;
	sweep(svc, is_listed, NULL);
}

/* The socket to authd -------------------------------------------------------------- */

static void ask(void *arg);

static void
on_revocations(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct service *svc = arg;
	const struct auth_revocations_are *are = msg;

	if (!ipc_is_open(svc->authd))
		return;
	if (h->status != ST_OK || m == NULL || m->no != AUTH_REVOCATIONS_ARE ||
	    !voids_take_page(&svc->voids, are->ids, clock_wall_s())) {
		LOG(NULL, WARN, "store.revocations", KV_STATUS(h->status));
		svc->voids_after = 0;
		loop_timer_set(svc->authd_again, AUTHD_AGAIN_MS);
		return;
	}
	voids_raise(&svc->voids, are->before_s);
	svc->voids_after = are->last;
	if (are->more)
		ask(svc);
	else
		service_revocations(svc, are->epoch_from);
}

static void
ask(void *arg)
{
	struct service *svc = arg;
	struct auth_revocations rq = { svc->voids_after };

	if (svc->authd != NULL)
		ipc_request(svc->authd, 0, AUTH_REVOCATIONS, &rq, on_revocations, svc);
}

/* A new authd knows nothing of what the one before it made void; we do. */
static void
tell(struct service *svc)
{
	struct auth_known_voids k = { .before_s = svc->voids.before_s,
	    .epoch_from = svc->voids_from };
	struct buf page = { 0 };
	uint64_t after = 0;

	do {
		buf_clear(&page);
		k.last = !voids_page(&svc->voids, after, &page, &after);
		k.ids = buf_span(&page);
		ipc_note(svc->authd, 0, AUTH_KNOWN_VOIDS, &k);
	} while (!k.last);
	buf_fini(&page);
}

static void
on_note(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	const struct auth_ticket_void *v = msg;
	struct service *svc = arg;

	if (m->no == AUTH_TICKET_VOID)
		service_ticket_void(svc, v->id, v->expires_s, v->account);
	else if (m->no == AUTH_VOID_BEFORE)
		voids_raise(&svc->voids, ((const struct auth_void_before *)msg)->before_s);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct service *svc = arg;

	ipc_free(&svc->authd);
	svc->revocations_known = false;
}

void
service_authd(struct service *svc, int fd)
{
	const struct ipc_config cf = { .loop = svc->loop, .protocol = &auth_protocol,
		.peer = "authd", .request = on_note, .closed = on_closed, .arg = svc };

	if (svc->authd_again == NULL)
		svc->authd_again = loop_timer_new(svc->loop, ask, svc);
	ipc_free(&svc->authd);
	svc->revocations_known = false;
	svc->authd = ipc_new(&cf, fd);
	svc->voids_after = 0;
	tell(svc);
	ask(svc);
}

void
tickets_fini(struct service *svc)
{
	ipc_free(&svc->authd);
	loop_timer_free(&svc->authd_again);
	voids_fini(&svc->voids);
	mem_wipe(&svc->keys, sizeof(svc->keys));
}
