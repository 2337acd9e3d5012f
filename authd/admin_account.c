#include "authd/admin_priv.h"
#include "authd/saslprep.h"

#include <string.h>

#include "common/crypto/encode.h"
#include "common/crypto/random.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define APPS_MAX	64u
#define APP_PASSWORD_LEN 26	/* of a-z0-9: 134 bits */
#define LABEL_MAX	64

static void
write_account(struct json_writer *w, const struct dir_account *a)
{
	admin_kv_id(w, "id", a->id);
	json_kv_string(w, "address", a->address);
	json_kv_string(w, "description", a->description);
	json_kv_uint(w, "shard", a->shard);
	json_kv_bool(w, "disabled", a->disabled);
	json_kv_int(w, "created", a->created_s);
	json_kv_int(w, "deleted", a->deleted_s);
	json_kv_uint(w, "quota_bytes", a->quota_bytes);
	json_kv_uint(w, "quota_messages", a->quota_messages);
	json_kv_uint(w, "quota_mailboxes", a->quota_mailboxes);
	json_kv_bool(w, "shared", a->shared);
	json_kv_string(w, "referral", a->referral);
	json_kv_bool(w, "referral_stays", a->referral_stays);
}

static void
write_short(struct json_writer *w, const struct dir_account *a)
{
	admin_kv_id(w, "id", a->id);
	json_kv_string(w, "address", a->address);
	json_kv_uint(w, "shard", a->shard);
}

static void
put_verifier(struct dir_job *job, struct admin_rq *rq, uint64_t id)
{
	uint32_t rounds = rq->scram_iterations;
	struct dir_verifier v = { .changed_s = clock_wall_s() };
	struct buf key = { 0 }, value = { 0 };
	struct pool_made m;

	if (!pool_made_decode(buf_span(&rq->made), &m))
		return;
	v.hash = m.hash;
	v.sha1 = (struct dir_scram){ m.sha1.salt, m.sha1.stored_key, m.sha1.server_key, rounds };
	v.sha256 = (struct dir_scram){ m.sha256.salt, m.sha256.stored_key, m.sha256.server_key, rounds };
	dir_key_verifier(&key, id);
	dir_verifier_encode(&v, &value);
	dir_put(job, buf_span(&key), buf_span(&value));
	buf_fini(&key);
	buf_fini_secret(&value);
}

static enum status
take_settings(struct admin_rq *rq, struct dir_account *a)
{
	enum status st = admin_string(rq, "description", &a->description);

	if (st == ST_OK && a->description.len > 1000)
		st = admin_error(rq, ST_SYNTAX, "description is longer than 1000 bytes");
	if (st == ST_OK)
		st = admin_bool(rq, "disabled", &a->disabled);
	if (st == ST_OK)
		st = admin_uint(rq, "quota_bytes", &a->quota_bytes);
	if (st == ST_OK)
		st = admin_uint(rq, "quota_messages", &a->quota_messages);
	if (st == ST_OK)
		st = admin_uint(rq, "quota_mailboxes", &a->quota_mailboxes);
	return st;
}

/* What a client would send for it leads back to it. */
static bool
is_login_name(struct span address)
{
	struct buf prepared = { 0 }, folded = { 0 };
	bool is = saslprep(address, SASLPREP_STORED, &prepared) &&
	    dir_fold_address(buf_span(&prepared), &folded) && span_eq(buf_span(&folded), address);

	buf_fini(&prepared);
	buf_fini(&folded);
	return is;
}

static enum status
run_add(struct dir_job *job, struct admin_rq *rq)
{
	const struct conf_store *c = &rq->a->conf->store;
	struct dir_account a = { 0 };
	struct dir_domain d = { 0 };
	uint64_t shard = UINT32_MAX;
	bool found;
	enum status st = admin_address(rq, "address", 0, &a.address);

	if (st == ST_OK && !is_login_name(a.address))
		st = admin_error(rq, ST_SYNTAX,
		    "the address has characters that login names cannot have (RFC 4013)");
	if (st == ST_OK)
		st = take_settings(rq, &a);
	if (st == ST_OK)
		st = admin_bool(rq, "shared", &a.shared);
	if (st == ST_OK && a.shared && rq->made.len > 0)
		st = admin_error(rq, ST_SYNTAX, "nobody logs in to a shared account: it has no password");
	if (st == ST_OK)
		st = admin_uint(rq, "shard", &shard);
	if (st == ST_OK && shard != UINT32_MAX && shard >= c->shards)
		st = admin_error(rq, ST_SYNTAX, "there is no shard of this number");
	if (st != ST_OK)
		return st;
	a.shard = (uint32_t)shard;
	st = dir_add_account(job, &a, c->shards, c->undelete_time_s, clock_wall_s());
	if (st == ST_EXISTS)
		return admin_error(rq, st, "the address is taken");
	if (st != ST_OK)
		return st;
	if (!dir_get_domain(job, address_domain(a.address), &d, &found))
		return ST_UNAVAILABLE;
	if (rq->made.len > 0)
		put_verifier(job, rq, a.id);
	write_short(&rq->w, &a);
	json_kv_bool(&rq->w, "domain_limits", found &&
	    (d.quota_bytes | d.quota_messages | d.quota_mailboxes) != 0);
	return ST_OK;
}

static enum status
run_delete(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_account a = { 0 };
	enum status st = admin_account(job, rq, "address", &a);

	if (st != ST_OK || dir_waits(job))
		return st;
	if (a.deleted_s != 0)
		return admin_error(rq, ST_NOT_FOUND, "the account is deleted already");
	a.deleted_s = clock_wall_s();
	dir_put_account(job, &a);
	write_short(&rq->w, &a);
	return ST_OK;
}

static enum status
run_undelete(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_account a = { 0 };
	enum status st = admin_account(job, rq, "address", &a);

	if (st != ST_OK || dir_waits(job))
		return st;
	if (a.deleted_s == 0)
		return admin_error(rq, ST_NOT_FOUND, "the account is not deleted");
	if (a.deleted_s + (int64_t)rq->a->conf->store.undelete_time_s < clock_wall_s())
		return admin_error(rq, ST_NOT_FOUND, "the account was deleted too long ago");
	a.deleted_s = 0;
	dir_put_account(job, &a);
	write_short(&rq->w, &a);
	return ST_OK;
}

enum status
admin_has_logins(struct admin_rq *rq, const struct dir_account *a)
{
	return a->shared ? admin_error(rq, ST_CONFLICT, "nobody logs in to a shared account") : ST_OK;
}

static enum status
run_password(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_account a = { 0 };
	enum status st;

	if (rq->made.len == 0)
		return admin_error(rq, ST_SYNTAX, "password is missing");
	st = admin_account(job, rq, "address", &a);
	if (st == ST_OK && !dir_waits(job))
		st = admin_has_logins(rq, &a);
	if (st != ST_OK || dir_waits(job))
		return st;
	put_verifier(job, rq, a.id);
	admin_kv_id(&rq->w, "id", a.id);
	return ST_OK;
}

static enum status
run_set(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_account a = { 0 };
	enum status st = admin_account(job, rq, "address", &a);

	if (st != ST_OK || dir_waits(job))
		return st;
	st = take_settings(rq, &a);
	if (st != ST_OK)
		return st;
	if (!a.disabled)
		rq->account = 0;	/* nobody has to go */
	dir_put_account(job, &a);
	admin_kv_id(&rq->w, "id", a.id);
	return ST_OK;
}

static const struct { const char *name; uint32_t bit; } protocols[] = {
	{ "imap", AUTH_IMAP }, { "pop3", AUTH_POP3 }, { "jmap", AUTH_JMAP },
	{ "sieve", AUTH_SIEVE }, { "submit", AUTH_SUBMIT },
};

static void
write_apps(struct json_writer *w, const struct dir_rec *recs, size_t n)
{
	json_key(w, "app_passwords");
	json_begin_array(w);
	for (size_t i = 0; i < n; i++) {
		struct dir_app app;

		if (!dir_app_decode(&app, recs[i].value))
			continue;
		json_begin_object(w);
		json_kv_string(w, "label", app.label);
		json_key(w, "protocols");
		json_begin_array(w);
		for (size_t k = 0; k < ARRAY_LEN(protocols); k++)
			if (app.protocols == 0 || (app.protocols & protocols[k].bit) != 0)
				json_str(w, protocols[k].name);
		json_end_array(w);
		json_kv_int(w, "created", app.created_s);
		json_kv_int(w, "used", app.used_s);
		json_end_object(w);
	}
	json_end_array(w);
}

static const struct dir_rec *
scan_apps(struct dir_job *job, uint64_t id, size_t *n)
{
	struct buf from = { 0 }, to = { 0 };
	const struct dir_rec *recs;

	dir_key_app(&from, id, SPAN_NONE);
	buf_add_span(&to, buf_span(&from));
	to.data[to.len - 1] = '/' + 1;
	recs = dir_scan(job, buf_span(&from), buf_span(&to), APPS_MAX, n);
	buf_fini(&from);
	buf_fini(&to);
	return recs;
}

static enum status
run_show(struct dir_job *job, struct admin_rq *rq)
{
	const struct dir_rec *apps, *names;
	struct dir_verifier v = { 0 };
	struct dir_account a = { 0 };
	struct dir_domain d = { 0 };
	enum status st = admin_account(job, rq, "address", &a);
	struct json_writer *w = &rq->w;
	size_t n_apps, n;
	bool found, of_domain;

	if (st != ST_OK || dir_waits(job))
		return st;
	if (!dir_get_verifier(job, a.id, &v, &found) ||
	    !dir_get_domain(job, address_domain(a.address), &d, &of_domain) ||
	    (apps = scan_apps(job, a.id, &n_apps)) == NULL ||
	    (names = dir_scan(job, SPAN_LIT("name/"), SPAN_LIT("name0"), ADMIN_SCAN_MAX, &n)) == NULL)
		return ST_UNAVAILABLE;
	write_account(w, &a);
	json_kv_bool(w, "password", found && v.hash.len > 0);
	json_key(w, "domain_limits");
	json_begin_object(w);
	admin_write_limits(w, &d);
	json_end_object(w);
	json_key(w, "aliases");
	json_begin_array(w);
	for (size_t i = 0; i < n && rq->out.len < ADMIN_RESULT_SOFT; i++) {
		struct dir_name name;

		if (dir_name_decode(&name, names[i].value) && name.kind == DIR_NAME_ALIAS &&
		    name.account == a.id)
			json_string(w, span_sub(names[i].key, strlen("name/"), DIR_KEY_MAX));
	}
	json_end_array(w);
	write_apps(w, apps, n_apps);
	return ST_OK;
}

static enum status
run_list(struct dir_job *job, struct admin_rq *rq)
{
	struct span domain = SPAN_NONE, after = SPAN_NONE;
	struct json_writer *w = &rq->w;
	const struct dir_rec *recs;
	struct buf from = { 0 };
	uint64_t limit = ADMIN_LIST_MAX;
	bool deleted = false, more = false;
	size_t n, given = 0, max;

	if (json_member(rq->args, "domain") != NULL &&
	    admin_domain_arg(rq, "domain", 0, &domain) != ST_OK)
		return ST_SYNTAX;
	if (admin_string(rq, "after", &after) != ST_OK || admin_uint(rq, "limit", &limit) != ST_OK ||
	    admin_bool(rq, "deleted", &deleted) != ST_OK)
		return ST_SYNTAX;
	if (limit == 0 || limit > ADMIN_LIST_MAX || after.len > 16)
		return admin_error(rq, ST_SYNTAX, "limit is 1 to %u, after an id", ADMIN_LIST_MAX);
	max = domain.len > 0 ? ADMIN_SCAN_MAX : ADMIN_LIST_MAX + 1;
	buf_add_str(&from, "account/");
	buf_add_span(&from, after);
	if (after.len > 0)
		buf_add_c(&from, '0');	/* behind that id, before the next */
	recs = dir_scan(job, buf_span(&from), SPAN_LIT("account0"), max, &n);
	buf_fini(&from);
	if (recs == NULL)
		return ST_UNAVAILABLE;
	after = SPAN_NONE;
	json_key(w, "accounts");
	json_begin_array(w);
	for (size_t i = 0; i < n; i++) {
		struct dir_account a;

		if (given == limit || rq->out.len > ADMIN_RESULT_SOFT) {
			more = true;
			break;
		}
		after = span_sub(recs[i].key, strlen("account/"), 16);
		if (!dir_account_decode(&a, recs[i].value) || (a.deleted_s != 0 && !deleted) ||
		    (domain.len > 0 && !span_eq(address_domain(a.address), domain)))
			continue;
		json_begin_object(w);
		write_account(w, &a);
		json_end_object(w);
		given++;
	}
	json_end_array(w);
	if (more || n == max)
		json_kv_string(w, "more", after);
	else
		json_kv_str(w, "more", NULL);
	return ST_OK;
}

/* App passwords --------------------------------------------------------------------------- */

static enum status
take_label(struct admin_rq *rq, struct span *label)
{
	if (!json_get_string(rq->args, "label", label) || label->len == 0 || label->len > LABEL_MAX)
		return admin_error(rq, ST_SYNTAX, "label is no text of 1 to %d bytes", LABEL_MAX);
	for (size_t i = 0; i < label->len; i++)
		if ((unsigned char)label->p[i] < 0x20 || label->p[i] == 0x7f)
			return admin_error(rq, ST_SYNTAX, "label has a control character");
	return ST_OK;
}

static enum status
take_protocols(struct admin_rq *rq, uint32_t *bits)
{
	const struct json *list = json_member(rq->args, "protocols");

	*bits = 0;
	if (list == NULL)
		return ST_OK;
	for (size_t i = 0; i < json_count(list); i++) {
		struct span name = SPAN_NONE;
		size_t k = 0;

		(void)json_as_string(json_item(list, i), &name);
		while (k < ARRAY_LEN(protocols) && !span_eq_str(name, protocols[k].name))
			k++;
		if (k == ARRAY_LEN(protocols))
			return admin_error(rq, ST_SYNTAX, "protocols are imap, pop3, jmap, sieve, submit");
		*bits |= protocols[k].bit;
	}
	if (*bits == 0)
		return admin_error(rq, ST_SYNTAX, "protocols is no list of names");
	return ST_OK;
}

static enum status
run_app_add(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_app app = { .created_s = clock_wall_s() };
	struct buf key = { 0 }, value = { 0 }, hash = { 0 };
	char password[APP_PASSWORD_LEN + 1];
	const struct dir_rec *r, *apps;
	struct dir_account a = { 0 };
	enum status st = admin_account(job, rq, "address", &a);
	size_t n;

	if (st == ST_OK && !dir_waits(job))
		st = admin_has_logins(rq, &a);
	if (st == ST_OK)
		st = take_label(rq, &app.label);
	if (st == ST_OK)
		st = take_protocols(rq, &app.protocols);
	if (st != ST_OK || dir_waits(job))
		return st;
	apps = scan_apps(job, a.id, &n);
	dir_key_app(&key, a.id, app.label);
	r = dir_get(job, buf_span(&key));
	if (apps == NULL || r == NULL)
		st = ST_UNAVAILABLE;
	else if (r->version != 0)
		st = admin_error(rq, ST_EXISTS, "there is an app password of this label");
	else if (n >= APPS_MAX)
		st = admin_error(rq, ST_LIMIT, "the account has %u app passwords", APPS_MAX);
	if (st == ST_OK) {
		if (rq->plain.len == 0) {
			random_id(password, APP_PASSWORD_LEN);
			buf_add_str(&rq->plain, password);
			mem_wipe(password, sizeof(password));
		}
		scheme_make_fast(buf_span(&rq->plain), &hash);
		app.hash = buf_span(&hash);
		dir_app_encode(&app, &value);
		dir_put(job, buf_span(&key), buf_span(&value));
		json_kv_string(&rq->w, "password", buf_span(&rq->plain));
		json_kv_string(&rq->w, "label", app.label);
	}
	buf_fini(&key);
	buf_fini_secret(&value);
	buf_fini_secret(&hash);
	return st;
}

static enum status
run_app_list(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_account a = { 0 };
	enum status st = admin_account(job, rq, "address", &a);
	const struct dir_rec *apps;
	size_t n;

	if (st != ST_OK || dir_waits(job))
		return st;
	apps = scan_apps(job, a.id, &n);
	if (apps == NULL)
		return ST_UNAVAILABLE;
	write_apps(&rq->w, apps, n);
	return ST_OK;
}

static enum status
run_app_revoke(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_account a = { 0 };
	enum status st = admin_account(job, rq, "address", &a);
	struct span label = SPAN_NONE;
	const struct dir_rec *r;
	struct buf key = { 0 };

	if (st == ST_OK)
		st = take_label(rq, &label);
	if (st != ST_OK || dir_waits(job))
		return st;
	dir_key_app(&key, a.id, label);
	r = dir_get(job, buf_span(&key));
	if (r != NULL && r->version == 0)
		st = admin_error(rq, ST_NOT_FOUND, "there is no app password of this label");
	else
		dir_del(job, buf_span(&key));
	buf_fini(&key);
	buf_clear(&rq->label);
	buf_add_span(&rq->label, label);
	json_kv_string(&rq->w, "label", label);
	return st;
}

static bool
is_by_app(const struct login *l, void *arg)
{
	const struct admin_rq *rq = arg;

	if (l->account != rq->account)
		return false;
	return l->inherited || (l->app != NULL && span_eq(span_str(l->app), buf_span(&rq->label)));
}

/* Only those who came by it have to go. */
static void
end_app_logins(struct admin_rq *rq)
{
	tickets_revoke(rq->a->tickets, is_by_app, rq, clock_wall_s());
	if (rq->account != 0)
		authd_credentials_gone(rq->a, rq->account);
}

/* With another password all that the old one opened. */
static void
end_logins(struct admin_rq *rq)
{
	admin_revoke_account(rq);
	if (rq->account != 0)
		authd_credentials_gone(rq->a, rq->account);
}

static void
end_logins_of_disabled(struct admin_rq *rq)
{
	bool disabled = false;

	if (json_get_bool(rq->args, "disabled", &disabled) && disabled)
		end_logins(rq);
	else
		admin_revoke_account(rq);
}

/* A login of admind's own: a ticket to look into the account. */
static enum status
run_ticket(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_account a = { 0 };
	enum status st = admin_account(job, rq, "address", &a);

	if (st != ST_OK || dir_waits(job))
		return st;
	if (a.deleted_s != 0)
		return admin_error(rq, ST_NOT_FOUND, "the account is deleted");
	rq->shard = a.shard;
	write_short(&rq->w, &a);
	return ST_OK;
}

static void
give_ticket(struct admin_rq *rq)
{
	struct peer *p = authd_peer_by_id(rq->a, rq->peer);
	struct login like = { .account = rq->account, .shard = rq->shard };
	struct buf hex = { 0 }, user = { 0 };
	struct ticket_made made;
	char admin[] = "admin";

	if (p == NULL)
		return;
	buf_add_span(&user, buf_span(&rq->folded[0]));
	/* borrowed for the call */
	like.user = (char *)(uintptr_t)buf_cstr(&user);
	like.peer = like.conn = admin;
	if (!tickets_login(rq->a->tickets, &p->holder, &like, clock_wall_s(), &made)) {
		buf_fini(&user);
		return;
	}
	LOG(NULL, INFO, "auth.admin-ticket", KV_SPAN("user", buf_span(&user)));
	hex_encode(span(made.bytes, sizeof(made.bytes)), &hex);
	json_kv_string(&rq->w, "ticket", buf_span(&hex));
	mem_wipe(&made, sizeof(made));
	buf_fini_secret(&hex);
	buf_fini(&user);
}

#define SETTINGS " address description disabled quota_bytes quota_messages quota_mailboxes "
const struct admin_command admin_account_commands[] = {
	{ "account-add", SETTINGS "password cheap shard shared ", run_add, true, true, NULL },
	{ "account-delete", " address ", run_delete, true, false, admin_revoke_account },
	{ "account-undelete", " address ", run_undelete, true, false, NULL },
	{ "account-password", " address password cheap ", run_password, true, true, end_logins },
	{ "account-set", SETTINGS, run_set, true, false, end_logins_of_disabled },
	{ "ticket", " address ", run_ticket, true, false, give_ticket },
	{ "account-show", " address ", run_show, true, false, NULL },
	{ "account-list", " domain after limit deleted ", run_list, true, false, NULL },
	{ "app-password-add", " address label protocols ", run_app_add, true, false, NULL },
	{ "app-password-list", " address ", run_app_list, true, false, NULL },
	{ "app-password-revoke", " address label ", run_app_revoke, true, false, end_app_logins },
	{ 0 }
};
