#include "authd/admin_priv.h"

#include <string.h>

#include "common/util/clock.h"
#include "common/util/mem.h"

#define NAMES_FROM	SPAN_LIT("name/")
#define NAMES_TO	SPAN_LIT("name0")

static void
put_domain(struct dir_job *job, const struct dir_domain *d)
{
	struct buf key = { 0 }, value = { 0 };

	dir_key_domain(&key, d->name);
	dir_domain_encode(d, &value);
	dir_put(job, buf_span(&key), buf_span(&value));
	buf_fini(&key);
	buf_fini(&value);
}

static enum status
run_domain_add(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_domain d = { 0 };
	struct span name;
	bool found;

	if (admin_domain_arg(rq, "domain", 0, &name) != ST_OK)
		return ST_SYNTAX;
	if (!dir_get_domain(job, name, &d, &found))
		return ST_UNAVAILABLE;
	if (found)
		return admin_error(rq, ST_EXISTS, "there is this domain already");
	d = (struct dir_domain){ .name = name, .created_s = clock_wall_s() };
	if (admin_bool(rq, "plus", &d.plus) != ST_OK)
		return ST_SYNTAX;
	put_domain(job, &d);
	json_kv_string(&rq->w, "domain", name);
	return ST_OK;
}

/* The domain of `domain`; ST_OK also while the job waits. */
static enum status
get_domain(struct dir_job *job, struct admin_rq *rq, struct dir_domain *d)
{
	struct span name;
	bool found;

	if (admin_domain_arg(rq, "domain", 0, &name) != ST_OK)
		return ST_SYNTAX;
	if (dir_get_domain(job, name, d, &found) && !found)
		return admin_error(rq, ST_NOT_FOUND, "no such domain");
	return ST_OK;
}

static enum status
run_domain_set(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_domain d = { 0 };
	enum status st = get_domain(job, rq, &d);

	if (st != ST_OK || dir_waits(job))
		return st;
	if (admin_bool(rq, "plus", &d.plus) != ST_OK)
		return ST_SYNTAX;
	put_domain(job, &d);
	json_kv_string(&rq->w, "domain", d.name);
	return ST_OK;
}

void
admin_write_limits(struct json_writer *w, const struct dir_domain *d)
{
	json_kv_uint(w, "quota_bytes", d->quota_bytes);
	json_kv_uint(w, "quota_messages", d->quota_messages);
	json_kv_uint(w, "quota_mailboxes", d->quota_mailboxes);
}

static enum status
run_domain_quota(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_domain d = { 0 };
	enum status st = get_domain(job, rq, &d);

	if (st != ST_OK || dir_waits(job))
		return st;
	if (d.alias_of.len > 0)
		return admin_error(rq, ST_CONFLICT, "an alias has the limits of the domain it leads to");
	if (admin_uint(rq, "quota_bytes", &d.quota_bytes) != ST_OK ||
	    admin_uint(rq, "quota_messages", &d.quota_messages) != ST_OK ||
	    admin_uint(rq, "quota_mailboxes", &d.quota_mailboxes) != ST_OK)
		return ST_SYNTAX;
	put_domain(job, &d);
	json_kv_string(&rq->w, "domain", d.name);
	admin_write_limits(&rq->w, &d);
	return ST_OK;
}

static enum status
run_domain_delete(struct dir_job *job, struct admin_rq *rq)
{
	const struct dir_rec *names, *domains, *referral;
	struct dir_domain d = { 0 }, other;
	enum status st = get_domain(job, rq, &d);
	struct buf key = { 0 };
	size_t n, m;

	if (st != ST_OK || dir_waits(job))
		return st;
	names = dir_scan(job, NAMES_FROM, NAMES_TO, ADMIN_SCAN_MAX, &n);
	domains = dir_scan(job, SPAN_LIT("domain/"), SPAN_LIT("domain0"), ADMIN_SCAN_MAX, &m);
	if (names == NULL || domains == NULL)
		return ST_UNAVAILABLE;
	for (size_t i = 0; i < n; i++)
		if (span_eq(address_domain(names[i].key), d.name))
			return admin_error(rq, ST_CONFLICT, "the domain has addresses");
	for (size_t i = 0; i < m; i++)
		if (dir_domain_decode(&other, domains[i].value) && span_eq(other.alias_of, d.name))
			return admin_error(rq, ST_CONFLICT, "the domain has aliases");
	dir_key_referral(&key, d.name);
	referral = dir_get(job, buf_span(&key));
	if (referral != NULL && referral->version != 0)
		dir_del(job, buf_span(&key));
	buf_fini(&key);
	if (referral == NULL)
		return ST_UNAVAILABLE;
	dir_key_domain(&key, d.name);
	dir_del(job, buf_span(&key));
	buf_fini(&key);
	json_kv_string(&rq->w, "domain", d.name);
	return ST_OK;
}

static enum status
run_domain_list(struct dir_job *job, struct admin_rq *rq)
{
	struct json_writer *w = &rq->w;
	const struct dir_rec *recs;
	struct dir_domain d;
	size_t n;

	recs = dir_scan(job, SPAN_LIT("domain/"), SPAN_LIT("domain0"), ADMIN_SCAN_MAX, &n);
	if (recs == NULL)
		return ST_UNAVAILABLE;
	json_key(w, "domains");
	json_begin_array(w);
	for (size_t i = 0; i < n && rq->out.len < ADMIN_RESULT_SOFT; i++) {
		if (!dir_domain_decode(&d, recs[i].value))
			continue;
		json_begin_object(w);
		json_kv_string(w, "domain", d.name);
		json_kv_string(w, "alias_of", d.alias_of);
		json_kv_string(w, "catch_all", d.catch_all);
		json_kv_bool(w, "plus", d.plus);
		json_kv_int(w, "created", d.created_s);
		admin_write_limits(w, &d);
		json_end_object(w);
	}
	json_end_array(w);
	return ST_OK;
}

static enum status
run_domain_alias(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_domain d = { 0 }, a = { 0 };
	struct span alias;
	enum status st = get_domain(job, rq, &d);
	bool found;

	if (st == ST_OK && admin_domain_arg(rq, "alias", 1, &alias) != ST_OK)
		return ST_SYNTAX;
	if (st != ST_OK || dir_waits(job))
		return st;
	if (!dir_get_domain(job, alias, &a, &found))
		return ST_UNAVAILABLE;
	if (span_eq(alias, d.name) || d.alias_of.len > 0)
		return admin_error(rq, ST_CONFLICT, "an alias leads to a domain of its own");
	if (found && a.alias_of.len == 0)
		return admin_error(rq, ST_EXISTS, "there is a domain of this name");
	a = (struct dir_domain){ .name = alias, .alias_of = d.name, .created_s = clock_wall_s() };
	put_domain(job, &a);
	json_kv_string(&rq->w, "domain", d.name);
	return ST_OK;
}

static enum status
run_catch_all(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_domain d = { 0 };
	struct dir_name name;
	struct span address = SPAN_NONE;
	enum status st = get_domain(job, rq, &d);
	bool found;

	if (st == ST_OK && (!json_get_string(rq->args, "address", &address) || address.len > 0))
		st = admin_address(rq, "address", 1, &address);
	if (st != ST_OK || dir_waits(job))
		return st;
	if (address.len > 0) {
		if (!dir_get_name(job, address, &name, &found))
			return ST_UNAVAILABLE;
		if (!found)
			return admin_error(rq, ST_NOT_FOUND, "no such account or alias");
	}
	d.catch_all = address;
	put_domain(job, &d);
	json_kv_string(&rq->w, "domain", d.name);
	return ST_OK;
}

static enum status
run_alias_add(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_name name = { .kind = DIR_NAME_ALIAS }, taken;
	struct buf key = { 0 }, value = { 0 };
	struct dir_account acc = { 0 };
	struct dir_domain d = { 0 };
	struct span alias, domain;
	enum status st = admin_account(job, rq, "address", &acc);
	bool found;

	if (st == ST_OK && admin_address(rq, "alias", 1, &alias) != ST_OK)
		return ST_SYNTAX;
	if (st != ST_OK || dir_waits(job))
		return st;
	domain = address_domain(alias);
	if (!dir_get_name(job, alias, &taken, &found))
		return ST_UNAVAILABLE;
	if (found)
		return admin_error(rq, ST_EXISTS, "the address is taken");
	if (domain.len > 0 && !dir_get_domain(job, domain, &d, &found))
		return ST_UNAVAILABLE;
	if (domain.len > 0 && (!found || d.alias_of.len > 0))
		return admin_error(rq, ST_NOT_FOUND, "no such domain");
	name.account = acc.id;
	dir_key_name(&key, alias);
	dir_name_encode(&name, &value);
	dir_put(job, buf_span(&key), buf_span(&value));
	buf_fini(&key);
	buf_fini(&value);
	json_kv_string(&rq->w, "alias", alias);
	json_kv_string(&rq->w, "address", acc.address);
	return ST_OK;
}

static enum status
run_alias_delete(struct dir_job *job, struct admin_rq *rq)
{
	struct buf key = { 0 };
	struct dir_name name;
	struct span alias;
	bool found;

	if (admin_address(rq, "alias", 0, &alias) != ST_OK)
		return ST_SYNTAX;
	if (!dir_get_name(job, alias, &name, &found))
		return ST_UNAVAILABLE;
	if (!found || name.kind != DIR_NAME_ALIAS)
		return admin_error(rq, ST_NOT_FOUND, "no such alias");
	dir_key_name(&key, alias);
	dir_del(job, buf_span(&key));
	buf_fini(&key);
	json_kv_string(&rq->w, "alias", alias);
	return ST_OK;
}

static const struct dir_account *
account_of(const struct dir_rec *accounts, size_t n, uint64_t id, struct dir_account *a)
{
	size_t lo = 0, hi = n;
	struct buf key = { 0 };
	int c = 1;

	/* sorted by id, as their keys are */
	dir_key_account(&key, id);
	while (lo < hi && c != 0) {
		size_t mid = lo + (hi - lo) / 2;

		c = span_cmp(accounts[mid].key, buf_span(&key));
		if (c < 0)
			lo = mid + 1;
		else
			hi = c == 0 ? mid + 1 : mid;
		if (c == 0)
			lo = mid;
	}
	buf_fini(&key);
	return c == 0 && dir_account_decode(a, accounts[lo].value) ? a : NULL;
}

static enum status
run_alias_list(struct dir_job *job, struct admin_rq *rq)
{
	const struct dir_rec *names, *accounts;
	struct span address = SPAN_NONE, domain = SPAN_NONE;
	struct json_writer *w = &rq->w;
	size_t n, m;

	if (json_member(rq->args, "address") != NULL &&
	    admin_address(rq, "address", 0, &address) != ST_OK)
		return ST_SYNTAX;
	if (json_member(rq->args, "domain") != NULL &&
	    admin_domain_arg(rq, "domain", 1, &domain) != ST_OK)
		return ST_SYNTAX;
	names = dir_scan(job, NAMES_FROM, NAMES_TO, ADMIN_SCAN_MAX, &n);
	accounts = dir_scan(job, SPAN_LIT("account/"), SPAN_LIT("account0"), ADMIN_SCAN_MAX, &m);
	if (names == NULL || accounts == NULL)
		return ST_UNAVAILABLE;
	json_key(w, "aliases");
	json_begin_array(w);
	for (size_t i = 0; i < n && rq->out.len < ADMIN_RESULT_SOFT; i++) {
		struct span alias = span_sub(names[i].key, strlen("name/"), DIR_KEY_MAX);
		const struct dir_account *to;
		struct dir_account a;
		struct dir_name name;

		if (!dir_name_decode(&name, names[i].value) || name.kind != DIR_NAME_ALIAS ||
		    (domain.len > 0 && !span_eq(address_domain(alias), domain)))
			continue;
		to = account_of(accounts, m, name.account, &a);
		if (to == NULL || (address.len > 0 && !span_eq(to->address, address)))
			continue;
		json_begin_object(w);
		json_kv_string(w, "alias", alias);
		json_kv_string(w, "address", to->address);
		json_end_object(w);
	}
	json_end_array(w);
	return ST_OK;
}

const struct admin_command admin_domain_commands[] = {
	{ "domain-add", " domain plus ", run_domain_add, true, false, NULL },
	{ "domain-set", " domain plus ", run_domain_set, true, false, NULL },
	{ "domain-quota", " domain quota_bytes quota_messages quota_mailboxes ", run_domain_quota, true,
	    false, NULL },
	{ "domain-delete", " domain ", run_domain_delete, true, false, NULL },
	{ "domain-list", " ", run_domain_list, true, false, NULL },
	{ "domain-alias", " alias domain ", run_domain_alias, true, false, NULL },
	{ "catch-all", " domain address ", run_catch_all, true, false, NULL },
	{ "alias-add", " alias address ", run_alias_add, true, false, NULL },
	{ "alias-delete", " alias ", run_alias_delete, true, false, NULL },
	{ "alias-list", " address domain ", run_alias_list, true, false, NULL },
	{ 0 }
};
