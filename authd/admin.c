#include "authd/admin_priv.h"
#include "authd/saslprep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "authd/admin.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define ARGS_MAX 65536u

/* Arguments ------------------------------------------------------------------------ */

enum status
admin_error(struct admin_rq *rq, enum status st, const char *fmt, ...)
{
	va_list ap;

	buf_clear(&rq->error);
	va_start(ap, fmt);
	buf_vaddf(&rq->error, fmt, ap);
	va_end(ap);
	return st;
}

enum status
admin_string(struct admin_rq *rq, const char *member, struct span *v)
{
	if (json_member(rq->args, member) == NULL || json_get_string(rq->args, member, v))
		return ST_OK;
	return admin_error(rq, ST_SYNTAX, "%s is no string", member);
}

enum status
admin_uint(struct admin_rq *rq, const char *member, uint64_t *v)
{
	if (json_member(rq->args, member) == NULL || json_get_uint(rq->args, member, v))
		return ST_OK;
	return admin_error(rq, ST_SYNTAX, "%s is no number", member);
}

enum status
admin_bool(struct admin_rq *rq, const char *member, bool *v)
{
	if (json_member(rq->args, member) == NULL || json_get_bool(rq->args, member, v))
		return ST_OK;
	return admin_error(rq, ST_SYNTAX, "%s is neither true nor false", member);
}

enum status
admin_address(struct admin_rq *rq, const char *member, unsigned slot, struct span *out)
{
	struct span s;

	if (!json_get_string(rq->args, member, &s))
		return admin_error(rq, ST_SYNTAX, "%s is missing", member);
	buf_clear(&rq->folded[slot]);
	if (s.len == 0 || s.len > DIR_ADDRESS_MAX || !dir_fold_address(s, &rq->folded[slot]))
		return admin_error(rq, ST_SYNTAX, "%s is no address", member);
	*out = buf_span(&rq->folded[slot]);
	return ST_OK;
}

/* Folded as the domain of an address. */
enum status
admin_domain_arg(struct admin_rq *rq, const char *member, unsigned slot, struct span *out)
{
	struct buf b = { 0 };
	struct span s;
	bool ok;

	if (!json_get_string(rq->args, member, &s))
		return admin_error(rq, ST_SYNTAX, "%s is missing", member);
	buf_add_str(&b, "x@");
	buf_add_span(&b, s);
	buf_clear(&rq->folded[slot]);
	ok = s.len > 0 && s.len < DIR_ADDRESS_MAX - 2 && span_find(s, '@') == s.len &&
	    dir_fold_address(buf_span(&b), &rq->folded[slot]);
	buf_fini(&b);
	if (!ok)
		return admin_error(rq, ST_SYNTAX, "%s is no domain", member);
	*out = span_sub(buf_span(&rq->folded[slot]), 2, DIR_ADDRESS_MAX);
	return ST_OK;
}

enum status
admin_account(struct dir_job *job, struct admin_rq *rq, const char *member, struct dir_account *acc)
{
	struct dir_name name;
	struct span address;
	enum status st = admin_address(rq, member, 0, &address);
	bool found;

	if (st != ST_OK)
		return st;
	if (!dir_get_name(job, address, &name, &found))
		return ST_OK;
	if (found && name.kind == DIR_NAME_ALIAS)
		return admin_error(rq, ST_NOT_FOUND, "that is an alias, not an account");
	if (found && !dir_get_account(job, name.account, acc, &found))
		return ST_OK;
	if (!found)
		return admin_error(rq, ST_NOT_FOUND, "no such account");
	rq->account = acc->id;
	return ST_OK;
}

void
admin_kv_id(struct json_writer *w, const char *key, uint64_t id)
{
	char text[20];

	snprintf(text, sizeof(text), "%016" PRIx64, id);
	json_kv_str(w, key, text);
}

/* Commands without the directory ------------------------------------------------------ */

struct kick {
	struct span	user, conn, peer;
	uint64_t	account;
};

static bool
kick_matches(const struct login *l, void *arg)
{
	const struct kick *k = arg;

	return (k->account == 0 || l->account == k->account) &&
	    (k->user.len == 0 || span_eq_str(k->user, l->user)) &&
	    (k->conn.len == 0 || span_eq_str(k->conn, l->conn)) &&
	    (k->peer.len == 0 || span_eq_str(k->peer, l->peer));
}

void
admin_revoke_account(struct admin_rq *rq)
{
	struct kick k = { .account = rq->account };

	if (rq->account != 0)
		tickets_revoke(rq->a->tickets, kick_matches, &k, clock_wall_s());
}

static bool
parse_id(struct span s, uint64_t *id)
{
	*id = 0;
	for (size_t i = 0; i < s.len; i++) {
		int d = ascii_hex(s.p[i]);

		if (d < 0)
			return false;
		*id = *id << 4 | (uint64_t)d;
	}
	return s.len > 0 && s.len <= 16;
}

static enum status
run_kick(struct dir_job *job, struct admin_rq *rq)
{
	struct kick k = { .account = 0 };
	struct span id = SPAN_NONE;

	if (json_member(rq->args, "user") != NULL && admin_address(rq, "user", 0, &k.user) != ST_OK)
		return ST_SYNTAX;
	if (admin_string(rq, "conn", &k.conn) != ST_OK || admin_string(rq, "peer", &k.peer) != ST_OK ||
	    admin_string(rq, "account", &id) != ST_OK)
		return ST_SYNTAX;
	if (id.len > 0 && (!parse_id(id, &k.account) || k.account == 0))
		return admin_error(rq, ST_SYNTAX, "account is no id");
	if (k.user.len + k.conn.len + k.peer.len + id.len == 0)
		return admin_error(rq, ST_SYNTAX, "say whom: user, account, conn or peer");
	json_kv_uint(&rq->w, "kicked", tickets_revoke(rq->a->tickets, kick_matches, &k,
	    clock_wall_s()));
	return ST_OK;
}

static enum status
run_who(struct dir_job *job, struct admin_rq *rq)
{
	const struct login *l = NULL;
	struct json_writer *w = &rq->w;
	struct kick k = { .account = 0 };

	if (json_member(rq->args, "user") != NULL && admin_address(rq, "user", 0, &k.user) != ST_OK)
		return ST_SYNTAX;
	json_key(w, "logins");
	json_begin_array(w);
	while ((l = tickets_next(rq->a->tickets, l)) != NULL && rq->out.len < ADMIN_RESULT_SOFT) {
		if (!kick_matches(l, &k))
			continue;
		json_begin_object(w);
		json_kv_str(w, "user", l->user);
		json_kv_str(w, "service", auth_service_name(l->service));
		json_kv_str(w, "peer", l->peer);
		json_kv_str(w, "conn", l->conn);
		json_kv_int(w, "since", l->since_s);
		json_kv_str(w, "program", program_name((enum program)l->holder.program));
		json_kv_uint(w, "slot", l->holder.slot);
		admin_kv_id(w, "account", l->account);
		json_end_object(w);
	}
	json_end_array(w);
	json_kv_bool(w, "complete", l == NULL);
	return ST_OK;
}

static enum status
run_flush(struct dir_job *job, struct admin_rq *rq)
{
	json_kv_uint(&rq->w, "flushed", login_cache_flush(rq->a->cache) +
	    directory_cached(rq->a->dir) + bearer_flush(rq->a->bearer));
	directory_flush(rq->a->dir);
	return ST_OK;
}

static enum status
run_stats(struct dir_job *job, struct admin_rq *rq)
{
	const struct authd *a = rq->a;
	struct json_writer *w = &rq->w;

	json_kv_bool(w, "directory", directory_is_up(a->dir));
	json_kv_uint(w, "granted", a->count.granted);
	json_kv_uint(w, "failed", a->count.failed);
	json_kv_uint(w, "unavailable", a->count.unavailable);
	json_kv_uint(w, "cached", a->count.cached);
	json_kv_uint(w, "hashed", a->count.hashed);
	json_kv_uint(w, "renewed", a->count.renewed);
	json_kv_uint(w, "recipients", a->count.recipients);
	json_kv_uint(w, "logins", tickets_count(a->tickets));
	json_kv_uint(w, "void_tickets", tickets_void_count(a->tickets));
	json_kv_uint(w, "throttled", throttle_known(a->throttle));
	json_kv_uint(w, "records", directory_cached(a->dir));
	json_kv_uint(w, "hash_queue", pool_waiting(a->hashers));
	return ST_OK;
}

static enum status
run_outward(struct dir_job *job, struct admin_rq *rq)
{
	json_key(&rq->w, "outward");
	bearer_report(rq->a->bearer, &rq->w);
	return ST_OK;
}

static const struct admin_command own_commands[] = {
	{ "who", " user ", run_who, false, false, NULL },
	{ "kick", " user account conn peer ", run_kick, false, false, NULL },
	{ "flush-cache", " ", run_flush, false, false, NULL },
	{ "stats", " ", run_stats, false, false, NULL },
	{ "outward", " ", run_outward, false, false, NULL },
	{ 0 }
};

/* The engine ---------------------------------------------------------------------------- */

static void
answer(struct admin_rq *rq, enum status st)
{
	struct peer *p = authd_peer_by_id(rq->a, rq->peer);
	struct auth_admin_is is;
	const char *plain[] = { [ST_UNAVAILABLE] = "the directory is away",
	    [ST_CONFLICT] = "others changed the same records", [ST_MAX] = NULL };

	if (st == ST_OK && rq->cmd->done != NULL)
		rq->cmd->done(rq);
	if (st == ST_OK) {
		json_end_object(&rq->w);
	} else {
		buf_clear(&rq->out);
		json_writer_init(&rq->w, &rq->out);
		json_begin_object(&rq->w);
		if (rq->error.len > 0)
			json_kv_string(&rq->w, "error", buf_span(&rq->error));
		else
			json_kv_str(&rq->w, "error", st <= ST_MAX && plain[st] != NULL ? plain[st] :
			    status_name(st));
		json_end_object(&rq->w);
	}
	is.result = buf_span(&rq->out);
	if (p != NULL)
		ipc_reply(p->ipc, &rq->head, st, AUTH_ADMIN_IS, &is);
	json_free(&rq->doc);
	buf_fini_secret(&rq->out);
	buf_fini(&rq->error);
	buf_fini(&rq->folded[0]);
	buf_fini(&rq->folded[1]);
	buf_fini_secret(&rq->made);
	buf_fini_secret(&rq->plain);
	buf_fini(&rq->label);
	mem_free(&rq);
}

/* Each run starts anew. */
static enum status
run(struct dir_job *job, void *arg)
{
	struct admin_rq *rq = arg;

	buf_clear(&rq->out);
	buf_clear(&rq->error);
	json_writer_init(&rq->w, &rq->out);
	json_begin_object(&rq->w);
	return rq->cmd->run(job, rq);
}

static void
on_end(void *arg, enum status st)
{
	answer(arg, st);
}

static void
start(struct admin_rq *rq)
{
	if (rq->cmd->directory)
		(void)dir_job_start(rq->a->dir, run, on_end, rq);
	else
		answer(rq, run(NULL, rq));
}

static void
on_made(void *arg, enum status st, struct span reply)
{
	struct admin_rq *rq = arg;

	if (st == ST_OK) {
		buf_add_span(&rq->made, reply);
		start(rq);
		return;
	}
	answer(rq, st == ST_UNAVAILABLE || st == ST_CANCELLED ? st :
	    admin_error(rq, ST_SYNTAX, "this password cannot be hashed"));
}

/* The least that can be checked; RFC 7677 section 4 asks 4096 rounds of SCRAM. */
static void
make_cheap(struct hash_params *hp)
{
	hp->kind = HASH_ARGON2ID;
	hp->memory_kib = 64;
	hp->passes = 1;
	if (hp->scram_iterations > 4096)
		hp->scram_iterations = 4096;
}

static void
hash_first(struct admin_rq *rq)
{
	struct hash_params hp = authd_hash_params(rq->a);
	struct span password;
	bool cheap = false;
	enum status st = admin_bool(rq, "cheap", &cheap);

	if (cheap)
		make_cheap(&hp);
	rq->scram_iterations = hp.scram_iterations;
	if (st != ST_OK) {
		answer(rq, st);
	} else if (json_member(rq->args, "password") == NULL) {
		start(rq);
	} else if (!json_get_string(rq->args, "password", &password) || password.len == 0 ||
	    password.len > PASSWORD_MAX || span_find(password, '\0') < password.len) {
		answer(rq, admin_error(rq, ST_SYNTAX, "password is no text of 1 to %d bytes",
		    PASSWORD_MAX));
	} else if (!saslprep(password, SASLPREP_STORED, &rq->plain)) {
		answer(rq, admin_error(rq, ST_SYNTAX,
		    "password has characters that passwords cannot have (RFC 4013)"));
	} else if (pool_make(rq->a->hashers, &hp, buf_span(&rq->plain), on_made, rq) == NULL) {
		answer(rq, admin_error(rq, ST_LIMIT, "too many passwords wait to be hashed"));
	}
}

static const struct admin_command *
find_command(struct span name)
{
	static const struct admin_command *const tables[] = {
		own_commands, admin_account_commands, admin_domain_commands, admin_group_commands,
		admin_referral_commands
	};

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct admin_command *c = tables[i]; c->name != NULL; c++)
			if (span_eq_str(name, c->name))
				return c;
	return NULL;
}

/* A member that no one reads is a mistake of the caller. */
static enum status
check_members(struct admin_rq *rq)
{
	const struct json *value;
	void *pos = NULL;
	struct span key;

	if (!json_is_object(rq->args))
		return admin_error(rq, ST_SYNTAX, "the arguments are no JSON object");
	while (json_next(rq->args, &pos, &key, &value)) {
		struct buf b = { 0 };
		bool known;

		buf_add_c(&b, ' ');
		buf_add_span(&b, key);
		buf_add_c(&b, ' ');
		known = span_find(key, ' ') == key.len && key.len > 0 && span_find(key, '\0') == key.len &&
		    strstr(rq->cmd->members, buf_cstr(&b)) != NULL;
		buf_fini(&b);
		if (!known)
			return admin_error(rq, ST_SYNTAX, "%.*s is not known to %s", (int)(key.len < 64 ?
			    key.len : 64), key.p, rq->cmd->name);
	}
	return ST_OK;
}

void
admin_run(struct authd *a, uint64_t peer_id, const struct ipc_head *head, struct span command,
    struct span args)
{
	struct admin_rq *rq = mem_zalloc(sizeof(*rq));
	enum status st;

	rq->a = a;
	rq->peer = peer_id;
	rq->head = *head;
	rq->cmd = find_command(command);
	if (rq->cmd == NULL) {
		answer(rq, admin_error(rq, ST_UNSUPPORTED, "no such command"));
		return;
	}
	if (json_parse(args.len > 0 ? args : SPAN_LIT("{}"), ARGS_MAX, &rq->doc) != ST_OK) {
		answer(rq, admin_error(rq, ST_SYNTAX, "the arguments are no JSON"));
		return;
	}
	rq->args = json_root(rq->doc);
	LOG(NULL, DEBUG, "auth.admin", KV_STR("command", rq->cmd->name));
	st = check_members(rq);
	if (st != ST_OK)
		answer(rq, st);
	else if (rq->cmd->password)
		hash_first(rq);
	else
		start(rq);
}
