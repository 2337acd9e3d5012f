#include "lmtpd/known.h"

#include <string.h>

#include "common/util/mem.h"
#include "common/util/table.h"

#define SPARES		8u
#define ROOM_PART	8u		/* of the limit must be free, so that what others add meanwhile fits */
#define ROOM_MESSAGES	1000u

struct address {
	struct buf	user, detail, spares;
	uint64_t	account, until_ms;
	uint32_t	shard;
};

struct account {
	struct store_quota_is	use;
	uint64_t		until_ms;
};

struct known {
	struct table	addresses, accounts;
};

static void
address_free(void *value, void *arg)
{
	struct address *a = value;

	buf_fini(&a->user);
	buf_fini(&a->detail);
	buf_fini_secret(&a->spares);
	mem_free(&a);
}

static void
account_free(void *value, void *arg)
{
	mem_free(&value);
}

struct known *
known_new(void)
{
	return mem_zalloc(sizeof(struct known));
}

void
known_forget(struct known *k)
{
	table_fini(&k->addresses, address_free, NULL);
	table_fini(&k->accounts, account_free, NULL);
}

void
known_free(struct known **kp)
{
	if (*kp == NULL)
		return;
	known_forget(*kp);
	mem_free(kp);
}

void
known_add(struct known *k, struct span address, const struct auth_rcpt_is *is, uint64_t now_ms)
{
	struct address *a = table_del(&k->addresses, address);

	if (a != NULL)
		address_free(a, NULL);
	if (k->addresses.count >= KNOWN_MAX)
		table_fini(&k->addresses, address_free, NULL);
	a = mem_zalloc(sizeof(*a));
	buf_add_span(&a->user, is->user);
	buf_add_span(&a->detail, is->detail);
	buf_add_span(&a->spares, is->spares);
	a->account = is->account;
	a->shard = is->shard;
	a->until_ms = now_ms + KNOWN_MS;
	table_put(&k->addresses, address, a);
}

uint8_t
known_wants(const struct known *k, struct span address, uint64_t now_ms)
{
	const struct address *a = table_get(&k->addresses, address);

	return a != NULL && a->until_ms > now_ms ? SPARES : 0;
}

bool
known_take(struct known *k, struct span address, uint64_t now_ms,
    unsigned char ticket[TICKET_LEN], struct auth_rcpt_is *is)
{
	struct address *a = table_get(&k->addresses, address);

	if (a == NULL || a->until_ms <= now_ms || a->spares.len < TICKET_LEN)
		return false;
	memcpy(ticket, a->spares.data + a->spares.len - TICKET_LEN, TICKET_LEN);
	mem_wipe(a->spares.data + a->spares.len - TICKET_LEN, TICKET_LEN);
	buf_cut(&a->spares, a->spares.len - TICKET_LEN);
	*is = (struct auth_rcpt_is){ .ticket = span(ticket, TICKET_LEN), .user = buf_span(&a->user),
	    .detail = buf_span(&a->detail), .account = a->account, .shard = a->shard };
	return true;
}

void
known_use(struct known *k, uint64_t account, const struct store_quota_is *use, uint64_t bytes,
    uint64_t now_ms)
{
	struct account *a = table_get_u64(&k->accounts, account);

	if (use == NULL)
		return;
	if (a == NULL) {
		if (k->accounts.count >= KNOWN_MAX)
			table_fini(&k->accounts, account_free, NULL);
		a = mem_zalloc(sizeof(*a));
		table_put_u64(&k->accounts, account, a);
	}
	a->use = *use;
	a->use.bytes += bytes;
	a->use.messages += bytes > 0;
	a->until_ms = now_ms + KNOWN_MS;
}

bool
known_has_room(const struct known *k, uint64_t account, uint64_t bytes, uint64_t now_ms)
{
	const struct account *a = table_get_u64(&k->accounts, account);
	const struct store_quota_is *u;
	uint64_t used;

	if (a == NULL || a->until_ms <= now_ms)
		return false;
	u = &a->use;
	if (__builtin_add_overflow(u->bytes, bytes, &used))
		return false;
	return (u->bytes_limit == 0 ||
	    (used < u->bytes_limit && u->bytes_limit - used > u->bytes_limit / ROOM_PART)) &&
	    (u->messages_limit == 0 || (u->messages < u->messages_limit &&
	    u->messages_limit - u->messages > ROOM_MESSAGES));
}
