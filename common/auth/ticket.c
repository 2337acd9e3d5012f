/* On the wire, big-endian:
 *    0 u8 version   1 u8 role   2 u8 count of groups   3 u8 zero   4 u32 key number   8 id[16]   24 u64 account
 *   32 u32 shard   36 u32 rights   40 u32 slot   44 u64 generation   52 i64 expires_s
 *   60 u64 epoch   68 zero[4]   72 u64 groups[16], unused ones zero
 *  200 HMAC-SHA256 of bytes 0..199 */
#include "common/auth/ticket.h"

#include <assert.h>
#include <string.h>

#include "common/crypto/digest.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"

#define VERSION		1
#define MAC_AT		200
#define ZERO_AT		68
#define GROUPS_AT	72

void
ticket_keys_rotate(struct ticket_keys *k, const struct ticket_key *fresh)
{
	if (k->now.number != fresh->number)
		k->before = k->now;
	k->now = *fresh;
}

static const struct ticket_key *
find_key(const struct ticket_keys *keys, uint32_t number)
{
	if (number == 0)
		return NULL;
	if (keys->now.number == number)
		return &keys->now;
	return keys->before.number == number ? &keys->before : NULL;
}

static void
mac(const struct ticket_key *key, const unsigned char *in, unsigned char out[SHA256_LEN])
{
	hmac_sha256(span(key->key, sizeof(key->key)), span(in, MAC_AT), out);
}

void
ticket_sign(const struct ticket_keys *keys, const struct ticket *t, unsigned char out[TICKET_LEN])
{
	memset(out, 0, TICKET_LEN);
	out[0] = VERSION;
	out[1] = t->role;
	put_be32(out + 4, keys->now.number);
	memcpy(out + 8, t->id, TICKET_ID_LEN);
	put_be64(out + 24, t->account);
	put_be32(out + 32, t->shard);
	put_be32(out + 36, t->rights);
	put_be32(out + 40, t->slot);
	put_be64(out + 44, t->generation);
	put_be64(out + 52, (uint64_t)t->expires_s);
	put_be64(out + 60, t->epoch);
	assert(t->n_groups <= TICKET_GROUPS_MAX);
	out[2] = t->n_groups;
	for (size_t i = 0; i < t->n_groups; i++)
		put_be64(out + GROUPS_AT + 8 * i, t->groups[i]);
	mac(&keys->now, out, out + MAC_AT);
}

enum status
ticket_verify(const struct ticket_keys *keys, struct span in, struct ticket *t)
{
	static const unsigned char zero[GROUPS_AT - ZERO_AT];
	const unsigned char *p = (const unsigned char *)in.p;
	const struct ticket_key *key;
	unsigned char want[SHA256_LEN];
	bool same;

	if (in.len != TICKET_LEN || p[0] != VERSION)
		return ST_DENIED;
	key = find_key(keys, get_be32(p + 4));
	if (key == NULL)
		return ST_DENIED;
	mac(key, p, want);
	same = mem_equal_ct(want, p + MAC_AT, sizeof(want));
	mem_wipe(want, sizeof(want));
	if (!same || p[2] > TICKET_GROUPS_MAX || p[3] != 0 || memcmp(p + ZERO_AT, zero, sizeof(zero)) != 0)
		return ST_DENIED;
	memcpy(t->id, p + 8, TICKET_ID_LEN);
	t->role = p[1];
	t->account = get_be64(p + 24);
	t->shard = get_be32(p + 32);
	t->rights = get_be32(p + 36);
	t->slot = get_be32(p + 40);
	t->generation = get_be64(p + 44);
	t->expires_s = (int64_t)get_be64(p + 52);
	t->epoch = get_be64(p + 60);
	t->n_groups = p[2];
	for (size_t i = 0; i < TICKET_GROUPS_MAX; i++)
		t->groups[i] = get_be64(p + GROUPS_AT + 8 * i);
	return ST_OK;
}
