#include "authd/tickets.h"

#include <string.h>

#include "common/crypto/random.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "storage/api/store_proto.h"

#define ASK_BURST	1500	/* names and ids a login may ask about at once ... */
#define ASK_RATE	5	/* ... and in each second */

struct tickets {
	struct tickets_config	cf;
	uint64_t		epoch, from;	/* ours; the first whose void tickets are known */
	struct list		logins;
	struct table		by_id;		/* ticket id -> login */
	size_t			count;
	struct voids		voids;
};

static struct span
id_span(const unsigned char *id)
{
	return span(id, TICKET_ID_LEN);
}

struct tickets *
tickets_new(const struct tickets_config *cf)
{
	struct tickets *t = mem_zalloc(sizeof(*t));

	t->cf = *cf;
	list_init(&t->logins);
	voids_init(&t->voids, VOIDS_MAX);
	return t;
}

static void
login_free(struct tickets *t, struct login *l)
{
	for (size_t i = 0; i < l->n; i++)
		table_del(&t->by_id, id_span(l->t[i].id));
	list_remove(&l->in);
	t->count--;
	mem_free(&l->user);
	mem_free(&l->peer);
	mem_free(&l->conn);
	mem_free(&l->app);
	mem_free(&l);
}

void
tickets_free(struct tickets **tp)
{
	struct tickets *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	while (!list_empty(&t->logins))
		login_free(t, list_entry(t->logins.next, struct login, in));
	table_fini(&t->by_id, NULL, NULL);
	voids_fini(&t->voids);
	mem_free(&t);
}

void
tickets_set_life(struct tickets *t, uint32_t life_s)
{
	t->cf.life_s = life_s;
}

void
tickets_set_epoch(struct tickets *t, uint64_t epoch)
{
	t->epoch = t->from = epoch;
}

static void
make_void(struct tickets *t, const unsigned char *id, int64_t expires_s, uint64_t account,
    int64_t now_s)
{
	int64_t before_s = t->voids.before_s;

	if (!voids_add(&t->voids, id, expires_s, now_s))
		return;
	t->cf.voided(t->cf.arg, id, account, expires_s);
	if (t->voids.before_s != before_s)
		t->cf.void_before(t->cf.arg, t->voids.before_s);
}

static void
sign(struct tickets *t, const struct ticket_holder *h, struct ticket *k, struct ticket_made *out)
{
	random_bytes(k->id, sizeof(k->id));
	k->slot = h->slot;
	k->generation = h->generation;
	k->epoch = t->epoch;
	ticket_sign(t->cf.keys, k, out->bytes);
	out->expires_s = k->expires_s;
}

static void
issue(struct tickets *t, struct login *l, int64_t now_s, struct ticket_made *out)
{
	struct ticket k = { .account = l->account, .shard = l->shard, .role = STORE_ROLE_ACCESS,
	    .rights = RIGHT_ALL | (l->master ? RIGHT_QUOTA : 0) |
	    (l->submits ? RIGHT_SUBMIT : 0), .expires_s = now_s + t->cf.life_s };

	k.n_groups = l->n_groups;
	memcpy(k.groups, l->groups, sizeof(k.groups));
	sign(t, &l->holder, &k, out);
	if (l->n == TICKETS_KEPT) {
		/* who renews that often does without the oldest */
		table_del(&t->by_id, id_span(l->t[0].id));
		make_void(t, l->t[0].id, l->t[0].expires_s, l->account, now_s);
		memmove(&l->t[0], &l->t[1], (TICKETS_KEPT - 1) * sizeof(l->t[0]));
		l->n--;
	}
	memcpy(l->t[l->n].id, k.id, TICKET_ID_LEN);
	l->t[l->n].expires_s = k.expires_s;
	table_put(&t->by_id, id_span(k.id), l);
	l->n++;
}

bool
tickets_login(struct tickets *t, const struct ticket_holder *h, const struct login *like,
    int64_t now_s, struct ticket_made *out)
{
	struct login *l;

	if (t->count >= LOGINS_MAX)
		return false;
	l = mem_zalloc(sizeof(*l));
	l->holder = *h;
	l->account = like->account;
	l->shard = like->shard;
	l->service = like->service;
	l->user = mem_strdup(like->user);
	l->peer = mem_strdup(like->peer);
	l->conn = mem_strdup(like->conn);
	l->app = like->app != NULL ? mem_strdup(like->app) : NULL;
	l->inherited = like->inherited;
	l->master = like->master;
	l->submits = like->submits;
	l->since_s = now_s;
	l->n_groups = like->n_groups;
	memcpy(l->groups, like->groups, sizeof(l->groups));
	list_push_back(&t->logins, &l->in);
	t->count++;
	issue(t, l, now_s, out);
	return true;
}

void
tickets_deliver(struct tickets *t, const struct ticket_holder *h, uint64_t account,
    uint32_t shard, int64_t now_s, struct ticket_made *out)
{
	struct ticket k = { .account = account, .shard = shard, .role = STORE_ROLE_DELIVER,
	    .expires_s = now_s + DELIVER_TICKET_S };

	sign(t, h, &k, out);
}

/* One of ours, shown by the worker it was made for, and not void. */
static enum status
check(struct tickets *t, const struct ticket_holder *h, struct span in, int64_t now_s,
    struct ticket *k)
{
	if (ticket_verify(t->cf.keys, in, k) != ST_OK || k->slot != h->slot ||
	    k->generation != h->generation || voids_has(&t->voids, k->id))
		return ST_DENIED;
	return k->expires_s > now_s ? ST_OK : ST_EXPIRED;
}

enum status
tickets_renew(struct tickets *t, const struct ticket_holder *h, struct span ticket,
    int64_t now_s, struct ticket_made *out, struct ticket *shown)
{
	enum status st = check(t, h, ticket, now_s, shown);
	struct login *l;

	if (st != ST_OK)
		return st;
	if (shown->role == STORE_ROLE_DELIVER) {
		tickets_deliver(t, h, shown->account, shown->shard, now_s, out);
		return ST_OK;
	}
	l = table_get(&t->by_id, id_span(shown->id));
	if (l == NULL)
		return shown->epoch < t->from || shown->expires_s <= t->voids.before_s ?
		    ST_CONFLICT : ST_NOT_FOUND;
	issue(t, l, now_s, out);
	return ST_OK;
}

void
login_set_groups(struct login *l, struct span ids)
{
	memset(l->groups, 0, sizeof(l->groups));
	l->n_groups = 0;
	for (size_t i = 0; i + 8 <= ids.len && l->n_groups < TICKET_GROUPS_MAX; i += 8)
		l->groups[l->n_groups++] = get_be64(ids.p + i);
}

void
tickets_regroup(struct tickets *t, uint64_t account, struct span ids)
{
	struct list *n, *tmp;

	list_each(n, tmp, &t->logins) {
		struct login *l = list_entry(n, struct login, in);

		if (l->account == account)
			login_set_groups(l, ids);
	}
}

bool
ask_paced(uint64_t *until_ms, uint64_t now_ms, uint32_t n, uint32_t burst, uint32_t rate)
{
	uint64_t from = *until_ms > now_ms ? *until_ms : now_ms;
	uint64_t to = from + (uint64_t)n * 1000 / rate;

	if (to > now_ms + (uint64_t)burst * 1000 / rate)
		return false;
	*until_ms = to;
	return true;
}

enum status
tickets_ask(struct tickets *t, const struct ticket_holder *h, struct span ticket,
    int64_t now_s, uint64_t now_ms, uint32_t n)
{
	struct ticket k;
	enum status st = check(t, h, ticket, now_s, &k);
	struct login *l;

	if (st != ST_OK)
		return st;
	if (k.role != STORE_ROLE_ACCESS)
		return ST_DENIED;
	/* That of the authd before is renewed one day. */
	l = table_get(&t->by_id, id_span(k.id));
	if (l != NULL && !l->submits && !ask_paced(&l->asked_until_ms, now_ms, n, ASK_BURST, ASK_RATE))
		return ST_LIMIT;
	return ST_OK;
}

static void
void_login(struct tickets *t, struct login *l, int64_t now_s)
{
	for (size_t i = 0; i < l->n; i++)
		make_void(t, l->t[i].id, l->t[i].expires_s, l->account, now_s);
	login_free(t, l);
}

void
tickets_logout(struct tickets *t, const struct ticket_holder *h, struct span ticket, int64_t now_s)
{
	struct ticket k;
	struct login *l;

	if (check(t, h, ticket, now_s, &k) != ST_OK)
		return;
	l = table_get(&t->by_id, id_span(k.id));
	if (l != NULL)
		void_login(t, l, now_s);
	else if (k.role != STORE_ROLE_DELIVER)
		make_void(t, k.id, k.expires_s, k.account, now_s);
}

size_t
tickets_revoke(struct tickets *t, tickets_match_fn match, void *arg, int64_t now_s)
{
	struct list *n, *tmp;
	size_t count = 0;

	list_each(n, tmp, &t->logins) {
		struct login *l = list_entry(n, struct login, in);

		if (!match(l, arg))
			continue;
		t->cf.revoked(t->cf.arg, l);
		void_login(t, l, now_s);
		count++;
	}
	return count;
}

void
tickets_holder_gone(struct tickets *t, const struct ticket_holder *h)
{
	struct list *n, *tmp;

	list_each(n, tmp, &t->logins) {
		struct login *l = list_entry(n, struct login, in);

		if (l->holder.slot == h->slot && l->holder.generation == h->generation)
			login_free(t, l);
	}
}

struct voids *
tickets_voids(struct tickets *t, int64_t now_s, uint64_t *from)
{
	voids_purge(&t->voids, now_s);
	*from = t->from;
	return &t->voids;
}

bool
tickets_inherit(struct tickets *t, struct span page, int64_t before_s, int64_t now_s)
{
	voids_raise(&t->voids, before_s);
	return voids_take_page(&t->voids, page, now_s);
}

void
tickets_inherited(struct tickets *t, uint64_t from)
{
	if (from != 0 && from < t->from)
		t->from = from;
}

const struct login *
tickets_next(const struct tickets *t, const struct login *l)
{
	const struct list *n = l != NULL ? l->in.next : t->logins.next;

	return n != &t->logins ? list_entry(n, const struct login, in) : NULL;
}

size_t
tickets_count(const struct tickets *t)
{
	return t->count;
}

size_t
tickets_void_count(const struct tickets *t)
{
	return voids_count(&t->voids);
}
