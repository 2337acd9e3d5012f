/* Groups: who is in one acts by what ACLs give to it.  An account's record holds the ids of its
 * groups, so that every login knows them; rows of members are there to list them. */
#include "authd/admin_priv.h"

#include <string.h>

#include "common/util/bytes.h"
#include "common/util/clock.h"
#include "common/util/mem.h"

static enum status
group_name(struct admin_rq *rq, struct span *out)
{
	struct span s;

	if (!json_get_string(rq->args, "group", &s))
		return admin_error(rq, ST_SYNTAX, "group is missing");
	buf_clear(&rq->folded[1]);
	if (!dir_fold_group(s, &rq->folded[1]))
		return admin_error(rq, ST_SYNTAX, "group is no name of a group");
	*out = buf_span(&rq->folded[1]);
	return ST_OK;
}

/* The group of `group`; ST_OK also while the job waits. */
static enum status
get_group(struct dir_job *job, struct admin_rq *rq, struct dir_group *g)
{
	struct span name;
	bool found;

	if (group_name(rq, &name) != ST_OK)
		return ST_SYNTAX;
	if (dir_get_group(job, name, g, &found) && !found)
		return admin_error(rq, ST_NOT_FOUND, "no such group");
	return ST_OK;
}

static enum status
run_group_add(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_group g = { 0 };
	struct buf key = { 0 }, value = { 0 };
	struct span name;
	bool found;

	if (group_name(rq, &name) != ST_OK)
		return ST_SYNTAX;
	if (!dir_get_group(job, name, &g, &found))
		return ST_UNAVAILABLE;
	if (found)
		return admin_error(rq, ST_EXISTS, "there is this group already");
	g = (struct dir_group){ .name = name, .created_s = clock_wall_s() };
	if (admin_string(rq, "description", &g.description) != ST_OK)
		return ST_SYNTAX;
	if (g.description.len > 1024)
		return admin_error(rq, ST_SYNTAX, "description is too long");
	if (!dir_take_id(job, &g.id))
		return ST_UNAVAILABLE;
	dir_key_group(&key, name);
	dir_group_encode(&g, &value);
	dir_put(job, buf_span(&key), buf_span(&value));
	buf_clear(&key);
	dir_key_group_id(&key, g.id);
	dir_put(job, buf_span(&key), name);
	buf_fini(&key);
	buf_fini(&value);
	json_kv_string(&rq->w, "group", name);
	return ST_OK;
}

/* The rows of a group's members; NULL: not here yet. */
static const struct dir_rec *
members(struct dir_job *job, uint64_t group, size_t max, size_t *n)
{
	struct buf from = { 0 }, to = { 0 };
	const struct dir_rec *recs;

	dir_key_member(&from, group, 0);
	buf_add_span(&to, buf_span(&from));
	to.data[to.len - 1] = '0';	/* behind the '/' */
	recs = dir_scan(job, buf_span(&from), buf_span(&to), max, n);
	buf_fini(&from);
	buf_fini(&to);
	return recs;
}

static enum status
run_group_delete(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_group g = { 0 };
	enum status st = get_group(job, rq, &g);
	struct buf key = { 0 };
	size_t n;

	if (st != ST_OK || dir_waits(job))
		return st;
	if (members(job, g.id, 1, &n) == NULL)
		return ST_UNAVAILABLE;
	if (n > 0)
		return admin_error(rq, ST_CONFLICT, "the group has members");
	dir_key_group(&key, g.name);
	dir_del(job, buf_span(&key));
	buf_clear(&key);
	dir_key_group_id(&key, g.id);
	if (dir_get(job, buf_span(&key)) == NULL) {
		buf_fini(&key);
		return ST_UNAVAILABLE;
	}
	dir_del(job, buf_span(&key));
	buf_fini(&key);
	json_kv_string(&rq->w, "group", g.name);
	return ST_OK;
}

/* The ids without that one, or with it, in their order. */
static void
change_ids(struct span old, uint64_t id, bool add, struct buf *out)
{
	bool done = !add;

	for (size_t i = 0; i + 8 <= old.len; i += 8) {
		uint64_t v = get_be64(old.p + i);

		if (!done && v > id) {
			put_u64(out, id);
			done = true;
		}
		if (v != id)
			put_u64(out, v);
	}
	if (!done)
		put_u64(out, id);
}

static enum status
run_group_member(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_group g = { 0 };
	struct dir_account a = { 0 };
	enum status st = get_group(job, rq, &g);
	const struct dir_rec *row;
	struct buf key = { 0 };
	bool remove = false;

	if (st == ST_OK)
		st = admin_account(job, rq, "address", &a);
	if (st == ST_OK)
		st = admin_bool(rq, "remove", &remove);
	if (st != ST_OK || dir_waits(job))
		return st;
	dir_key_member(&key, g.id, a.id);
	row = dir_get(job, buf_span(&key));
	buf_fini(&key);
	if (row == NULL)
		return ST_UNAVAILABLE;
	if (remove && row->version == 0)
		return admin_error(rq, ST_NOT_FOUND, "the account is not in the group");
	if (!remove && row->version != 0)
		return admin_error(rq, ST_EXISTS, "the account is in the group already");
	buf_clear(&rq->label);
	change_ids(a.groups, g.id, !remove, &rq->label);
	if (rq->label.len > 8 * DIR_GROUPS_MAX)
		return admin_error(rq, ST_LIMIT, "an account is in %d groups at most",
		    DIR_GROUPS_MAX);
	a.groups = buf_span(&rq->label);
	dir_put_account(job, &a);
	if (remove)
		dir_del(job, row->key);
	else
		dir_put(job, row->key, SPAN_LIT("1"));
	json_kv_string(&rq->w, "group", g.name);
	json_kv_string(&rq->w, "address", a.address);
	return ST_OK;
}

/* Who lost a group logs in anew; a new one is in the next ticket. */
static void
regroup(struct admin_rq *rq)
{
	bool remove = false;

	tickets_regroup(rq->a->tickets, rq->account, buf_span(&rq->label));
	if (admin_bool(rq, "remove", &remove) == ST_OK && remove)
		admin_revoke_account(rq);
}

static void
put_group(struct json_writer *w, const struct dir_group *g)
{
	json_kv_string(w, "group", g->name);
	json_kv_string(w, "description", g->description);
	json_kv_int(w, "created", g->created_s);
}

static enum status
run_group_list(struct dir_job *job, struct admin_rq *rq)
{
	struct json_writer *w = &rq->w;
	const struct dir_rec *recs;
	struct dir_group g;
	size_t n;

	recs = dir_scan(job, SPAN_LIT("group/"), SPAN_LIT("group0"), ADMIN_SCAN_MAX, &n);
	if (recs == NULL)
		return ST_UNAVAILABLE;
	json_key(w, "groups");
	json_begin_array(w);
	for (size_t i = 0; i < n && rq->out.len < ADMIN_RESULT_SOFT; i++) {
		if (!dir_group_decode(&g, recs[i].value))
			continue;
		json_begin_object(w);
		put_group(w, &g);
		json_end_object(w);
	}
	json_end_array(w);
	return ST_OK;
}

static uint64_t
member_id(struct span key)
{
	uint64_t id = 0;

	for (size_t i = key.len - 16; i < key.len; i++)
		id = id << 4 | (uint64_t)(ascii_hex(key.p[i]) & 15);
	return id;
}

static enum status
run_group_show(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_group g = { 0 };
	enum status st = get_group(job, rq, &g);
	struct json_writer *w = &rq->w;
	const struct dir_rec *recs;
	struct dir_account a;
	bool found;
	size_t n;

	if (st != ST_OK || dir_waits(job))
		return st;
	recs = members(job, g.id, ADMIN_LIST_MAX, &n);
	if (recs == NULL)
		return ST_UNAVAILABLE;
	put_group(w, &g);
	json_key(w, "members");
	json_begin_array(w);
	for (size_t i = 0; i < n; i++) {
		if (!dir_get_account(job, member_id(recs[i].key), &a, &found))
			return ST_UNAVAILABLE;
		json_begin_object(w);
		json_kv_string(w, "address", found ? a.address : SPAN_NONE);
		admin_kv_id(w, "id", member_id(recs[i].key));
		json_end_object(w);
	}
	json_end_array(w);
	json_kv_bool(w, "complete", n < ADMIN_LIST_MAX);
	return ST_OK;
}

const struct admin_command admin_group_commands[] = {
	{ "group-add", " group description ", run_group_add, true, false, NULL },
	{ "group-delete", " group ", run_group_delete, true, false, NULL },
	{ "group-member", " group address remove ", run_group_member, true, false, regroup },
	{ "group-list", " ", run_group_list, true, false, NULL },
	{ "group-show", " group ", run_group_show, true, false, NULL },
	{ 0 }
};
