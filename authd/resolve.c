#include "authd/directory.h"

#include <inttypes.h>
#include <string.h>

#include "common/util/bytes.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/api/store_types.h"


typedef void (*key_fn)(struct buf *out, uint64_t id);
typedef void (*name_key_fn)(struct buf *out, struct span name);

static void
damaged(struct span key)
{
	LOG(NULL, ERROR, "auth.directory.damaged", KV_SPAN("key", key));
}

static const struct dir_rec *
get_by_id(struct dir_job *job, key_fn make, uint64_t id)
{
	struct buf key = { 0 };
	const struct dir_rec *r;

	make(&key, id);
	r = dir_get(job, buf_span(&key));
	buf_fini(&key);
	return r;
}

static const struct dir_rec *
get_by_name(struct dir_job *job, name_key_fn make, struct span name)
{
	struct buf key = { 0 };
	const struct dir_rec *r;

	make(&key, name);
	r = dir_get(job, buf_span(&key));
	buf_fini(&key);
	return r;
}

#define DECODED(r, decode, out, found) do {		\
	if ((r) == NULL)				\
		return false;				\
	*(found) = (r)->version != 0;			\
	if (*(found) && !decode((out), (r)->value)) {	\
		damaged((r)->key);			\
		*(found) = false;			\
	}						\
	return true;					\
} while (0)

bool
dir_get_account(struct dir_job *job, uint64_t id, struct dir_account *a, bool *found)
{
	const struct dir_rec *r = get_by_id(job, dir_key_account, id);

	DECODED(r, dir_account_decode, a, found);
}

bool
dir_get_verifier(struct dir_job *job, uint64_t id, struct dir_verifier *v, bool *found)
{
	const struct dir_rec *r = get_by_id(job, dir_key_verifier, id);

	DECODED(r, dir_verifier_decode, v, found);
}

bool
dir_get_name(struct dir_job *job, struct span folded, struct dir_name *n, bool *found)
{
	const struct dir_rec *r = get_by_name(job, dir_key_name, folded);

	DECODED(r, dir_name_decode, n, found);
}

bool
dir_get_domain(struct dir_job *job, struct span folded, struct dir_domain *d, bool *found)
{
	const struct dir_rec *r = get_by_name(job, dir_key_domain, folded);

	DECODED(r, dir_domain_decode, d, found);
}

bool
dir_get_group(struct dir_job *job, struct span folded, struct dir_group *g, bool *found)
{
	const struct dir_rec *r = get_by_name(job, dir_key_group, folded);

	DECODED(r, dir_group_decode, g, found);
}

bool
dir_get_group_name(struct dir_job *job, uint64_t id, struct span *name, bool *found)
{
	const struct dir_rec *r = get_by_id(job, dir_key_group_id, id);

	*found = r != NULL && r->version != 0;
	*name = *found ? r->value : SPAN_NONE;
	return r != NULL;
}

void
dir_put_account(struct dir_job *job, const struct dir_account *a)
{
	struct buf key = { 0 }, value = { 0 };

	dir_key_account(&key, a->id);
	dir_account_encode(a, &value);
	dir_put(job, buf_span(&key), buf_span(&value));
	buf_fini(&key);
	buf_fini(&value);
}

/* Where the domain's '@' stands: the last one, since a quoted local part may hold others. */
static size_t
at_sign(struct span address)
{
	for (size_t i = address.len; i > 0; i--)
		if (address.p[i - 1] == '@')
			return i - 1;
	return address.len;
}

struct span
address_domain(struct span address)
{
	size_t at = at_sign(address);

	return at < address.len ? span_sub(address, at + 1, address.len) : SPAN_NONE;
}

static struct span
join(struct dir_job *job, struct span local, struct span domain)
{
	char *p = arena_alloc(dir_arena(job), local.len + 1 + domain.len);

	memcpy(p, local.p, local.len);
	p[local.len] = '@';
	memcpy(p + local.len + 1, domain.p, domain.len);
	return span(p, local.len + 1 + domain.len);
}

/* Folded, in the job's memory. */
static bool
fold(struct dir_job *job, struct span in, struct span *out)
{
	struct buf b = { 0 };
	bool ok = in.len <= DIR_ADDRESS_MAX && dir_fold_address(in, &b);

	if (ok)
		*out = arena_span(dir_arena(job), buf_span(&b));
	buf_fini(&b);
	return ok;
}

/* The account that a name leads to.  ST_NOT_FOUND also for one that is deleted. */
static enum status
try_name(struct dir_job *job, struct span address, enum resolve_for purpose, struct resolved *out)
{
	struct dir_name name;
	bool found;

	if (address.len > DIR_ADDRESS_MAX || !dir_get_name(job, address, &name, &found) || !found)
		return ST_NOT_FOUND;
	if (purpose != RESOLVE_MAIL && name.kind != DIR_NAME_ACCOUNT)
		return ST_NOT_FOUND;
	if (!dir_get_account(job, name.account, &out->account, &found) || !found ||
	    out->account.deleted_s != 0 ||
	    (purpose == RESOLVE_LOGIN && out->account.shared))
		return ST_NOT_FOUND;
	if (purpose == RESOLVE_LOGIN && !dir_apply_referral(job, &out->account))
		return ST_NOT_FOUND;	/* meaningless: the job waits */
	return ST_OK;
}

/* user+detail: the first delimiter parts them; "+x" alone has no user. */
static bool
split_detail(struct dir_job *job, const struct resolve_rules *rules, const struct dir_domain *d,
    struct span local, struct span *user, struct span *detail)
{
	char c = rules->delimiter[0] != '\0' ? rules->delimiter[0] : '+';
	size_t n = span_find(local, c);

	if ((rules->delimiter[0] == '\0' && !d->plus) || n == 0 || n == local.len)
		return false;
	*user = span_sub(local, 0, n);
	*detail = span_sub(local, n + 1, local.len);
	return true;
}

static enum status
try_mail(struct dir_job *job, const struct resolve_rules *rules, const struct dir_domain *d,
    struct span local, struct span domain, struct resolved *out)
{
	struct span user, detail, target;
	enum status st;

	if (split_detail(job, rules, d, local, &user, &detail)) {
		st = try_name(job, domain.len > 0 ? join(job, user, domain) : user, RESOLVE_MAIL, out);
		if (dir_waits(job))
			return ST_NOT_FOUND;
		if (st == ST_OK) {
			out->detail = detail;
			return ST_OK;
		}
	}
	if (d->catch_all.len == 0 || !fold(job, d->catch_all, &target))
		return ST_NOT_FOUND;
	return try_name(job, target, RESOLVE_MAIL, out);
}

enum status
dir_resolve(struct dir_job *job, const struct resolve_rules *rules, enum resolve_for purpose,
    struct span address, struct resolved *out)
{
	struct dir_domain d = { 0 };
	struct span local, domain, folded, def;
	bool found = false;
	enum status st;

	*out = (struct resolved){ 0 };
	if (!fold(job, address, &folded))
		return ST_SYNTAX;
	local = span_sub(folded, 0, at_sign(folded));
	domain = address_domain(folded);
	out->address = folded;
	if (domain.len == 0) {
		st = try_name(job, folded, purpose, out);
		if (st == ST_OK || dir_waits(job))
			return st;
		def = span_str(rules->default_domain);
		if (def.len > 0 && fold(job, join(job, local, def), &folded)) {
			out->address = folded;
			domain = address_domain(folded);
		}
	}
	if (domain.len > 0 && !dir_get_domain(job, domain, &d, &found))
		return ST_NOT_FOUND;
	if (found && d.alias_of.len > 0) {
		domain = d.alias_of;
		if (!dir_get_domain(job, domain, &d, &found))
			return ST_NOT_FOUND;
		out->address = join(job, local, domain);
	}
	if (!found)
		d = (struct dir_domain){ 0 };
	st = try_name(job, out->address, purpose, out);
	if (st == ST_OK || dir_waits(job) || purpose != RESOLVE_MAIL)
		return st;
	return try_mail(job, rules, &d, local, domain, out);
}

/* Adding ---------------------------------------------------------------------- */

static bool
add_domain(struct dir_job *job, struct span name, int64_t now_s)
{
	struct dir_domain d = { .name = name, .created_s = now_s };
	struct buf key = { 0 }, value = { 0 };
	bool found;

	if (name.len == 0)
		return true;
	if (!dir_get_domain(job, name, &d, &found))
		return false;
	if (!found) {
		d = (struct dir_domain){ .name = name, .created_s = now_s };
		dir_key_domain(&key, name);
		dir_domain_encode(&d, &value);
		dir_put(job, buf_span(&key), buf_span(&value));
		buf_fini(&key);
		buf_fini(&value);
	}
	return true;
}

/* A name is free when nobody has it, or one who was deleted so long ago that he does not
 * come back. */
static bool
name_is_free(struct dir_job *job, struct span address, uint32_t undelete_s, int64_t now_s,
    bool *is_free)
{
	struct dir_account old;
	struct dir_name name;
	bool found;

	*is_free = true;
	if (!dir_get_name(job, address, &name, &found))
		return false;
	if (!found)
		return true;
	if (!dir_get_account(job, name.account, &old, &found))
		return false;
	*is_free = found && old.deleted_s != 0 && old.deleted_s + (int64_t)undelete_s < now_s;
	return true;
}

enum status
dir_add_account(struct dir_job *job, struct dir_account *a, uint32_t shards, uint32_t undelete_s,
    int64_t now_s)
{
	struct dir_name name = { .kind = DIR_NAME_ACCOUNT };
	struct buf key = { 0 }, value = { 0 };
	bool is_free;

	if (!name_is_free(job, a->address, undelete_s, now_s, &is_free))
		return ST_UNAVAILABLE;
	if (!is_free)
		return ST_EXISTS;
	if (!dir_take_id(job, &a->id) || !add_domain(job, address_domain(a->address), now_s))
		return ST_UNAVAILABLE;
	if (a->shard == UINT32_MAX)
		a->shard = (uint32_t)(a->id % (shards > 0 ? shards : 1));
	a->created_s = now_s;
	name.account = a->id;
	dir_key_name(&key, a->address);
	dir_name_encode(&name, &value);
	dir_put(job, buf_span(&key), buf_span(&value));
	buf_fini(&key);
	buf_fini(&value);
	dir_put_account(job, a);
	return ST_OK;
}
