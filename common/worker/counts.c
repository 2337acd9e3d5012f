#include "common/worker/counts.h"

#include "common/util/mem.h"

static void
free_count(void *value, void *arg)
{
	mem_free(&value);
}

void
counts_fini(struct counts *c)
{
	table_fini(&c->by_address, free_count, NULL);
	table_fini(&c->by_account, free_count, NULL);
}

struct count {
	uint32_t	n;
	bool		refused;
};

static bool
enter(struct table *t, struct span key, uint32_t max)
{
	struct count *it = table_get(t, key);

	if (it == NULL) {
		if (max == 0)
			return false;
		it = mem_zalloc(sizeof(*it));
		table_put(t, key, it);
	}
	if (it->n >= max)
		return false;
	it->n++;
	return true;
}

static void
leave(struct table *t, struct span key)
{
	struct count *it = table_get(t, key);

	if (it == NULL || --it->n > 0)
		return;
	table_del(t, key);
	mem_free(&it);
}

bool
counts_enter_address(struct counts *c, const struct net_ip *ip, uint32_t max)
{
	struct net_ip key = net_ip_throttle_key(ip);

	return ip->family == NET_UNIX || enter(&c->by_address, span(&key, sizeof(key)), max);
}

bool
counts_is_news(struct counts *c, const struct net_ip *ip)
{
	struct net_ip key = net_ip_throttle_key(ip);
	struct count *it = table_get(&c->by_address, span(&key, sizeof(key)));

	if (it == NULL || it->refused)
		return false;
	it->refused = true;
	return true;
}

void
counts_leave_address(struct counts *c, const struct net_ip *ip)
{
	struct net_ip key = net_ip_throttle_key(ip);

	if (ip->family != NET_UNIX)
		leave(&c->by_address, span(&key, sizeof(key)));
}

bool
counts_enter_account(struct counts *c, uint64_t account, uint32_t max)
{
	return enter(&c->by_account, span(&account, sizeof(account)), max);
}

void
counts_leave_account(struct counts *c, uint64_t account)
{
	leave(&c->by_account, span(&account, sizeof(account)));
}
