#include "authd/login_cache.h"

#include "common/crypto/digest.h"
#include "common/crypto/random.h"
#include "common/util/buf.h"
#include "common/util/bytes.h"
#include "common/util/list.h"
#include "common/util/mem.h"
#include "common/util/table.h"

#define ENTRIES_MAX 65536u

struct entry {
	struct list	in;		/* oldest first: all live equally long */
	uint64_t	ends_ms, account;
	unsigned char	mac[SHA256_LEN];
	struct buf	app;
};

struct login_cache {
	uint64_t	ttl_ms;
	unsigned char	key[SHA256_LEN];
	struct list	entries;
	struct table	by_mac;
};

struct login_cache *
login_cache_new(uint64_t ttl_ms)
{
	struct login_cache *c = mem_zalloc(sizeof(*c));

	c->ttl_ms = ttl_ms;
	random_bytes(c->key, sizeof(c->key));
	list_init(&c->entries);
	return c;
}

static void
drop(struct login_cache *c, struct entry *e)
{
	table_del(&c->by_mac, span(e->mac, sizeof(e->mac)));
	list_remove(&e->in);
	buf_fini(&e->app);
	mem_wipe(e, sizeof(*e));
	mem_free(&e);
}

void
login_cache_free(struct login_cache **cp)
{
	struct login_cache *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	login_cache_flush(c);
	table_fini(&c->by_mac, NULL, NULL);
	mem_wipe(c->key, sizeof(c->key));
	mem_free(&c);
}

static void
mac_of(const struct login_cache *c, struct span user, struct span password, uint8_t service,
    unsigned char mac[SHA256_LEN])
{
	struct buf b = { 0 };

	put_u8(&b, service);
	put_span(&b, user);
	put_span(&b, password);
	hmac_sha256(span(c->key, sizeof(c->key)), buf_span(&b), mac);
	buf_fini_secret(&b);
}

static void
expire(struct login_cache *c, uint64_t now_ms)
{
	while (!list_empty(&c->entries)) {
		struct entry *e = list_entry(c->entries.next, struct entry, in);

		if (e->ends_ms > now_ms && c->by_mac.count <= ENTRIES_MAX)
			return;
		drop(c, e);
	}
}

void
login_cache_put(struct login_cache *c, uint64_t now_ms, struct span user, struct span password,
    uint8_t service, uint64_t account, struct span app)
{
	struct entry *e, *old;

	if (c->ttl_ms == 0)
		return;
	e = mem_zalloc(sizeof(*e));
	mac_of(c, user, password, service, e->mac);
	e->ends_ms = now_ms + c->ttl_ms;
	e->account = account;
	buf_add_span(&e->app, app);
	old = table_get(&c->by_mac, span(e->mac, sizeof(e->mac)));
	if (old != NULL)
		drop(c, old);
	table_put(&c->by_mac, span(e->mac, sizeof(e->mac)), e);
	list_push_back(&c->entries, &e->in);
	expire(c, now_ms);
}

bool
login_cache_get(struct login_cache *c, uint64_t now_ms, struct span user, struct span password,
    uint8_t service, uint64_t *account, struct buf *app)
{
	unsigned char mac[SHA256_LEN];
	struct entry *e;

	expire(c, now_ms);
	if (list_empty(&c->entries))
		return false;
	/* the table compares MACs under a secret key: what its time tells is worth nothing */
	mac_of(c, user, password, service, mac);
	e = table_get(&c->by_mac, span(mac, sizeof(mac)));
	mem_wipe(mac, sizeof(mac));
	if (e == NULL)
		return false;
	*account = e->account;
	buf_add_span(app, buf_span(&e->app));
	return true;
}

void
login_cache_drop_account(struct login_cache *c, uint64_t account)
{
	struct list *n, *tmp;

	list_each(n, tmp, &c->entries) {
		struct entry *e = list_entry(n, struct entry, in);

		if (e->account == account)
			drop(c, e);
	}
}

uint32_t
login_cache_flush(struct login_cache *c)
{
	uint32_t count = 0;

	while (!list_empty(&c->entries)) {
		drop(c, list_entry(c->entries.next, struct entry, in));
		count++;
	}
	return count;
}
