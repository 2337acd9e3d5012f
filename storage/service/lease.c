/* Leases: in memory, a channel's own.  A process that ends takes its channels along; when
 * this one ends, who holds a lease asks for it again. */
#include "storage/service/service_priv.h"

#include "common/util/bytes.h"
#include "common/util/clock.h"
#include "common/util/mem.h"

#define TIMES_MAX 65536u

struct taken {
	uint64_t	at_ms, until_ms;
};

static bool
is_free(const struct channel *c, uint64_t what)
{
	const struct list *head = &c->account->channels;

	for (const struct list *n = head->next; n != head; n = n->next) {
		const struct channel *other = list_entry(n, struct channel, node);

		if (other != c && other->leased && other->lease == what && !other->revoked)
			return false;
	}
	return true;
}

static void
taken_free(void *value, void *arg)
{
	mem_free(&value);
}

void
leases_fini(struct service *svc)
{
	table_fini(&svc->leased, taken_free, NULL);
}

static void
forget_old(struct service *svc, uint64_t now)
{
	size_t pos = 0;
	struct span key;
	void *v;

	while (table_next(&svc->leased, &pos, &key, &v)) {
		struct taken *t = v;

		if (t->until_ms > now)
			continue;
		table_del(&svc->leased, key);
		mem_free(&t);
	}
	/* All of them are of today: better forget one delay than grow for ever. */
	if (svc->leased.count >= TIMES_MAX)
		leases_fini(svc);
}

/* false: too soon. */
static bool
note_time(struct channel *c, uint64_t what, uint32_t apart_s)
{
	struct service *svc = c->peer->svc;
	uint64_t now = clock_mono_ms(), apart_ms = (uint64_t)apart_s * 1000;
	unsigned char key[16];
	struct taken *t;

	put_be64(key, c->account->id);
	put_be64(key + 8, what);
	t = table_get(&svc->leased, span(key, sizeof(key)));
	if (t != NULL && now - t->at_ms < apart_ms)
		return false;
	if (t == NULL) {
		if (svc->leased.count >= TIMES_MAX)
			forget_old(svc, now);
		t = mem_zalloc(sizeof(*t));
		table_put(&svc->leased, span(key, sizeof(key)), t);
	}
	*t = (struct taken){ now, now + apart_ms };
	return true;
}

enum status
lease_judge(struct channel *c, const struct store_lease *msg)
{
	if (!msg->on) {
		c->leased = false;
		return ST_OK;
	}
	if (!is_free(c, msg->what))
		return ST_EXISTS;
	if (msg->apart_s > 0 && !note_time(c, msg->what, msg->apart_s))
		return ST_LIMIT;
	c->leased = true;
	c->lease = msg->what;
	return ST_OK;
}
