/* SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314).  Rights are kept, and judged,
 * by the store; here is who is meant by a name: an address, "group:NAME", "anyone", "owner", each
 * with '-' before it for what is taken away. */
#include "imapd/names.h"
#include "storage/api/rights.h"

#include <string.h>

#include "common/util/bytes.h"
#include "common/util/mem.h"

void
imap_put_rights(uint32_t rights, struct buf *out)
{
	rights_print(rights, out);
}

/* RFC 2086 knew t, e, x and k as one letter each of its own. */
static bool
read_rights(const struct imap_session *s, struct span text, uint32_t *rights)
{
	for (size_t i = 0; i < text.len && !imap_cap_on(s, CAP_RIGHTS); i++)
		if (strchr("texk", text.p[i]) != NULL)
			return false;
	return rights_parse(text, rights);
}

struct acl_cmd {
	struct imap_cmd		*cmd;
	struct span		path;		/* as the client knows it */
	struct span		identifier;
	struct store_acl_set	set;
	struct store		*store;
	struct buf		entries, found;
	bool			list;		/* LISTRIGHTS */
	uint64_t		owner;
};

static void
acl_release(struct imap_cmd *cmd)
{
	struct acl_cmd *q = cmd->data;

	auth_lookup_cancel(&cmd->session->naming);
	buf_fini(&q->entries);
	buf_fini(&q->found);
}

static struct acl_cmd *
acl_new(struct imap_cmd *cmd)
{
	struct acl_cmd *q = arena_zalloc(&cmd->arena, sizeof(*q));

	q->cmd = cmd;
	cmd->data = q;
	cmd->release = acl_release;
	imap_args_sp(&cmd->args);
	q->path = imap_args_mailbox(&cmd->args);
	return q;
}

/* false: the command was ended. */
static bool
acl_ready(struct acl_cmd *q)
{
	if (!imap_args_end(&q->cmd->args)) {
		imap_cmd_syntax(q->cmd);
		return false;
	}
	q->set.path = q->path;
	q->store = imap_route(q->cmd->session, &q->set.path);
	q->owner = imap_route_owner(q->cmd->session, q->path);
	return true;
}

static void
put_astring(const struct imap_cmd *cmd, struct buf *out, struct span s)
{
	buf_add_c(out, ' ');
	imap_put_mailbox(cmd->session, out, s);
}

/* ---- who is meant ---- */

/* The account of a name, for the command's one identifier; id 0: none. */
static bool
first_found(struct span found, uint64_t *id)
{
	struct reader r;

	reader_init(&r, found.p, found.len);
	*id = get_u64(&r);
	return !r.bad && *id != 0;
}

static void identified(struct acl_cmd *q);

static void
on_identity(void *arg, enum status st, struct span found)
{
	struct acl_cmd *q = arg;

	q->cmd->session->naming = NULL;
	if (st == ST_OK && first_found(found, &q->set.id))
		identified(q);
	else if (st == ST_OK)
		imap_cmd_end(q->cmd, "NO [CANNOT] Nobody has this identifier");
	else
		imap_cmd_done(q->cmd, st);
}

static void
identify(struct acl_cmd *q)
{
	struct imap_session *s = q->cmd->session;
	struct span name = q->identifier;
	struct auth_who rq = { .ticket = login_ticket(&s->login) };
	struct buf names = { 0 };

	if (name.len > 0 && name.p[0] == '-') {
		q->set.negative = true;
		name = span_sub(name, 1, name.len);
	}
	q->set.kind = span_has_prefix(name, AUTH_WHO_GROUP) ? ACL_GROUP : ACL_USER;
	if (span_eq_str(name, "anyone")) {
		q->set.kind = ACL_ANYONE;
		identified(q);
		return;
	}
	if (span_eq_str(name, "owner")) {
		q->set.id = q->owner;
		identified(q);
		return;
	}
	if (name.len == 0 || name.len >= AUTH_NAME_MAX) {
		imap_cmd_end(q->cmd, "NO [CANNOT] Nobody has this identifier");
		return;
	}
	put_span(&names, name);
	rq.names = buf_span(&names);
	s->naming = auth_who(s->srv->auth, &rq, on_identity, q);
	buf_fini(&names);
}

/* ---- SETACL, DELETEACL ---- */

static void
on_set(void *arg, enum status st, bool more, const void *msg)
{
	struct acl_cmd *q = arg;

	if (st == ST_CONFLICT && q->set.how != ACL_DELETE && q->set.rights == RIGHT_ALL)
		imap_cmd_done(q->cmd, ST_OK);
	else if (st == ST_CONFLICT)
		imap_cmd_end(q->cmd, "NO [CANNOT] The owner keeps all rights");
	else
		imap_cmd_done(q->cmd, st);
}

/* LISTRIGHTS: the owner has all; the others' rights can be given one by one, but for those
 * that the letters of RFC 2086 tie (§3.7). */
static void
on_listed(void *arg, enum status st, bool more, const void *msg)
{
	struct acl_cmd *q = arg;
	struct buf *out = imap_out(q->cmd->session);

	if (more)
		return;
	if (st == ST_OK) {
		buf_add_str(out, "* LISTRIGHTS");
		put_astring(q->cmd, out, q->path);
		put_astring(q->cmd, out, q->identifier);
		if (q->set.kind == ACL_USER && q->set.id == q->owner && !q->set.negative)
			buf_add_str(out, " lrswipkxteancd\r\n");
		else
			buf_add_str(out, " \"\" l r s w i p k x t e a n c d\r\n");
	}
	imap_cmd_done(q->cmd, st);
}

static void
identified(struct acl_cmd *q)
{
	const struct store_acl_get rq = { q->set.path };

	if (q->list)
		store_do_acl(q->store, &rq, on_listed, q);
	else
		store_do_acl_set(q->store, &q->set, on_set, q);
}

/* setacl = "SETACL" SP mailbox SP identifier SP mod-rights */
static void
cmd_setacl(struct imap_cmd *cmd)
{
	struct acl_cmd *q = acl_new(cmd);
	struct span rights;

	imap_args_sp(&cmd->args);
	q->identifier = imap_args_astring(&cmd->args);
	imap_args_sp(&cmd->args);
	rights = imap_args_astring(&cmd->args);
	q->set.how = ACL_REPLACE;
	if (rights.len > 0 && (rights.p[0] == '+' || rights.p[0] == '-')) {
		q->set.how = rights.p[0] == '+' ? ACL_ADD : ACL_REMOVE;
		rights = span_sub(rights, 1, rights.len);
	}
	if (imap_args_good(&cmd->args) && !read_rights(cmd->session, rights, &q->set.rights))
		imap_args_fail(&cmd->args, "No such right");
	if (acl_ready(q))
		identify(q);
}

static void
cmd_deleteacl(struct imap_cmd *cmd)
{
	struct acl_cmd *q = acl_new(cmd);

	imap_args_sp(&cmd->args);
	q->identifier = imap_args_astring(&cmd->args);
	q->set.how = ACL_DELETE;
	if (acl_ready(q))
		identify(q);
}

static void
cmd_listrights(struct imap_cmd *cmd)
{
	struct acl_cmd *q = acl_new(cmd);

	imap_args_sp(&cmd->args);
	q->identifier = imap_args_astring(&cmd->args);
	q->list = true;
	if (acl_ready(q))
		identify(q);
}

/* ---- GETACL ---- */

static void
put_entry(const struct imap_cmd *cmd, struct buf *out, struct span name, uint32_t rights, const char *sign)
{
	struct buf who = { 0 };

	if (rights == 0)
		return;
	buf_add_str(&who, sign);
	buf_add_span(&who, name);
	put_astring(cmd, out, buf_span(&who));
	buf_add_c(out, ' ');
	imap_put_rights(rights, out);
	buf_fini(&who);
}

/* Names come in the order of the ids: the owner first, then the entries' users. */
static void
put_acl(struct acl_cmd *q, struct span found)
{
	struct buf *out = imap_out(q->cmd->session);
	struct reader names, entries;
	struct store_acl e;
	struct span owner;
	uint64_t id;
	bool nobodys;

	buf_add_str(out, "* ACL");
	put_astring(q->cmd, out, q->path);
	reader_init(&names, found.p, found.len);
	reader_init(&entries, q->entries.data, q->entries.len);
	id = get_u64(&names);
	nobodys = (get_u32(&names) & AUTH_WHO_SHARED) != 0;
	owner = get_span(&names);
	if (!nobodys)
		put_entry(q->cmd, out, id != 0 ? owner : SPAN_LIT("owner"), RIGHT_ALL, "");
	while (get_store_acl(&entries, &e)) {
		struct span name = SPAN_LIT("anyone");

		if (e.kind != ACL_ANYONE) {
			id = get_u64(&names);
			get_u32(&names);
			name = get_span(&names);
			if (id == 0)
				continue;	/* deleted since: nobody gets these any more */
		}
		put_entry(q->cmd, out, name, e.rights, "");
		put_entry(q->cmd, out, name, e.minus, "-");
	}
	buf_add_str(out, "\r\n");
}

static void
on_names(void *arg, enum status st, struct span found)
{
	struct acl_cmd *q = arg;

	q->cmd->session->naming = NULL;
	if (st == ST_OK)
		put_acl(q, found);
	imap_cmd_done(q->cmd, st);
}

static void
on_acl(void *arg, enum status st, bool more, const void *msg)
{
	struct acl_cmd *q = arg;
	struct imap_session *s = q->cmd->session;
	const struct store_acl_is *is = msg;
	struct auth_who rq = { .ticket = login_ticket(&s->login) };
	struct buf ids = { 0 };
	struct store_acl e;
	struct reader r;

	if (more)
		return;
	if (st != ST_OK || is == NULL) {
		imap_cmd_done(q->cmd, st);
		return;
	}
	buf_add_span(&q->entries, is->entries);
	put_u64(&ids, q->owner);
	reader_init(&r, q->entries.data, q->entries.len);
	while (q->entries.len > 0 && get_store_acl(&r, &e))
		if (e.kind != ACL_ANYONE)
			put_u64(&ids, e.id);
	rq.ids = buf_span(&ids);
	s->naming = auth_who(s->srv->auth, &rq, on_names, q);
	buf_fini(&ids);
}

static void
cmd_getacl(struct imap_cmd *cmd)
{
	struct acl_cmd *q = acl_new(cmd);
	struct store_acl_get rq;

	if (!acl_ready(q))
		return;
	rq.path = q->set.path;
	store_do_acl(q->store, &rq, on_acl, q);
}

/* ---- MYRIGHTS ---- */

static void
on_mine(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct acl_cmd *q = cmd->data;
	const struct store_mailboxes *part = msg;
	struct store_mailbox m;
	struct reader r;

	if (st == ST_OK && part != NULL && part->list.len > 0) {
		reader_init(&r, part->list.p, part->list.len);
		if (get_store_mailbox(&r, &m) && m.id != 0)
			q->set.rights = m.rights;
	}
	if (more)
		return;
	if (st == ST_OK && q->set.rights == 0) {
		st = ST_NOT_FOUND;
	} else if (st == ST_OK) {
		struct buf *out = imap_out(cmd->session);

		buf_add_str(out, "* MYRIGHTS");
		put_astring(q->cmd, out, q->path);
		buf_add_c(out, ' ');
		imap_put_rights(q->set.rights, out);
		buf_add_str(out, "\r\n");
	}
	imap_cmd_done(cmd, st);
}

static void
cmd_myrights(struct imap_cmd *cmd)
{
	struct acl_cmd *q = acl_new(cmd);
	struct store_list rq;

	if (!acl_ready(q))
		return;
	rq.path = q->path;
	imap_list(cmd, &rq, on_mine);
}

const struct imap_command imap_cmds_acl[] = {
	/* name			allowed in	flags	cap		run */
	{ "SETACL",		IMAP_IN_LOGIN,	0,	CAP_ACL,	cmd_setacl },
	{ "DELETEACL",		IMAP_IN_LOGIN,	0,	CAP_ACL,	cmd_deleteacl },
	{ "GETACL",		IMAP_IN_LOGIN,	0,	CAP_ACL,	cmd_getacl },
	{ "LISTRIGHTS",		IMAP_IN_LOGIN,	0,	CAP_ACL,	cmd_listrights },
	{ "MYRIGHTS",		IMAP_IN_LOGIN,	0,	CAP_ACL,	cmd_myrights },
	{ 0 }
};
