#include "authd/throttle.h"

#include "common/util/buf.h"
#include "common/util/list.h"
#include "common/util/mem.h"
#include "common/util/table.h"

#define ENTRIES_MAX 65536u

struct entry {
	struct list	in;		/* longest unseen first */
	struct buf	key;
	uint64_t	seen_ms;
	uint32_t	failures, waiting;
};

struct throttle {
	struct throttle_config	cf;
	struct cidr		*exempt, *proxies;
	struct list		entries;
	struct table		by_key;
};

static void
configure(struct throttle *t, const struct throttle_config *cf)
{
	t->cf = *cf;
	t->exempt = cf->n_exempt > 0 ? mem_dup(cf->exempt, cf->n_exempt * sizeof(*cf->exempt)) : NULL;
	t->proxies = cf->n_proxies > 0 ? mem_dup(cf->proxies, cf->n_proxies * sizeof(*cf->proxies)) :
	    NULL;
}

struct throttle *
throttle_new(const struct throttle_config *cf)
{
	struct throttle *t = mem_zalloc(sizeof(*t));

	configure(t, cf);
	list_init(&t->entries);
	return t;
}

void
throttle_configure(struct throttle *t, const struct throttle_config *cf)
{
	mem_free(&t->exempt);
	mem_free(&t->proxies);
	configure(t, cf);
}

static void
drop(struct throttle *t, struct entry *e)
{
	table_del(&t->by_key, buf_span(&e->key));
	list_remove(&e->in);
	buf_fini(&e->key);
	mem_free(&e);
}

void
throttle_free(struct throttle **tp)
{
	struct throttle *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	while (!list_empty(&t->entries))
		drop(t, list_entry(t->entries.next, struct entry, in));
	table_fini(&t->by_key, NULL, NULL);
	mem_free(&t->exempt);
	mem_free(&t->proxies);
	mem_free(&t);
}

/* Those that somebody waits on stay, so the bound is ENTRIES_MAX and the waiting ones. */
static void
expire(struct throttle *t, uint64_t now_ms)
{
	struct list *n, *tmp;

	list_each(n, tmp, &t->entries) {
		struct entry *e = list_entry(n, struct entry, in);

		if (t->by_key.count <= ENTRIES_MAX && now_ms - e->seen_ms < t->cf.forget_s * 1000ull)
			return;
		if (e->waiting == 0)
			drop(t, e);
	}
}

static struct entry *
find(struct throttle *t, char kind, struct span name, bool make)
{
	struct buf key = { 0 };
	struct entry *e;

	buf_add_c(&key, kind);
	buf_add_span(&key, name);
	e = table_get(&t->by_key, buf_span(&key));
	if (e == NULL && make) {
		e = mem_zalloc(sizeof(*e));
		e->key = key;
		table_put(&t->by_key, buf_span(&e->key), e);
		list_push_back(&t->entries, &e->in);
		return e;
	}
	buf_fini(&key);
	return e;
}

/* The entries of an attempt.  Exempt clients are not slowed down and slow nobody; behind a
 * proxy's address stand many, so only the name counts. */
static size_t
entries(struct throttle *t, struct span user, struct span peer, bool make, struct entry *out[2])
{
	struct net_ip ip, key;
	size_t n = 0;

	if (!t->cf.enabled || !net_ip_parse(peer, &ip) ||
	    cidr_match_any(t->exempt, t->cf.n_exempt, &ip))
		return 0;
	if (!cidr_match_any(t->proxies, t->cf.n_proxies, &ip)) {
		key = net_ip_throttle_key(&ip);
		out[n] = find(t, 'a', span(&key, sizeof(key)), make);
		n += out[n] != NULL;
	}
	if (user.len > 0) {
		out[n] = find(t, 'u', user, make);
		n += out[n] != NULL;
	}
	return n;
}

static void
touch(struct throttle *t, struct entry *e, uint64_t now_ms)
{
	e->seen_ms = now_ms;
	list_remove(&e->in);
	list_push_back(&t->entries, &e->in);
}

static uint64_t
delay_of(const struct throttle *t, const struct entry *e)
{
	uint64_t n = e->failures, d = t->cf.delay_ms;

	if (n < t->cf.free_failures || n == 0 || d == 0)
		return 0;
	n += e->waiting;
	n -= t->cf.free_failures;
	while (n-- > 0 && d < t->cf.max_delay_ms)
		d *= 2;
	return d < t->cf.max_delay_ms ? d : t->cf.max_delay_ms;
}

bool
throttle_begin(struct throttle *t, uint64_t now_ms, struct span user, struct span peer,
    uint64_t *delay_ms)
{
	struct entry *e[2];
	size_t n;

	*delay_ms = 0;
	expire(t, now_ms);
	n = entries(t, user, peer, true, e);
	for (size_t i = 0; i < n; i++) {
		uint64_t d = delay_of(t, e[i]);

		/* those that wait for nothing but the hash are bounded by the pool's queue */
		if (d > 0 && e[i]->waiting >= THROTTLE_WAITING_MAX)
			return false;
		if (d > *delay_ms)
			*delay_ms = d;
	}
	for (size_t i = 0; i < n; i++) {
		e[i]->waiting++;
		touch(t, e[i], now_ms);
	}
	return true;
}

void
throttle_end(struct throttle *t, uint64_t now_ms, struct span user, struct span peer,
    enum throttle_end how)
{
	struct entry *e[2];
	size_t n = entries(t, user, peer, false, e);

	for (size_t i = 0; i < n; i++) {
		if (e[i]->waiting > 0)
			e[i]->waiting--;
		if (how == THROTTLE_FAILED && e[i]->failures < UINT32_MAX)
			e[i]->failures++;
		/* one good password does not wash an address clean: it may be the guesser's own */
		if (how == THROTTLE_OK && e[i]->key.data[0] == 'u')
			e[i]->failures = 0;
		touch(t, e[i], now_ms);
		if (e[i]->failures == 0 && e[i]->waiting == 0)
			drop(t, e[i]);
	}
}

uint32_t
throttle_known(const struct throttle *t)
{
	return (uint32_t)t->by_key.count;
}
