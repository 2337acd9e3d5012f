/* Who may do what in an account's mailboxes (RFC 4314), with the rights of its owner:
 *   acl-list        address mailbox                      acl: [{identifier rights}], mailbox
 *   acl-set         address mailbox identifier rights    identifier
 *   acl-delete      address mailbox identifier           identifier
 *   mailbox-create  address mailbox                      mailbox
 * identifier: an address, "group:NAME" or "anyone", each with '-' before it for what is taken
 * away.  rights: "lrs"; "+lrs" and "-lrs" change what is there. */
#include "admind/commands.h"

#include "common/json/writer.h"
#include "common/mail/mailbox_name.h"
#include "common/util/mem.h"
#include "storage/api/rights.h"

struct work {
	struct access		access;
	struct buf		path, identifier, entries, out;
	struct store_acl_set	set;
};

static void
stop(struct request *rq)
{
	struct work *k = rq->state;

	access_end(&k->access);
	buf_fini(&k->path);
	buf_fini(&k->identifier);
	buf_fini(&k->entries);
	buf_fini(&k->out);
	mem_free(&k);
}

static void
fail(struct request *rq, enum status st)
{
	if (st == ST_NOT_FOUND)
		request_fail(rq, st, "there is no such mailbox");
	else if (st == ST_EXISTS)
		request_fail(rq, st, "the mailbox is there already");
	else if (st == ST_CONFLICT)
		request_fail(rq, st, "the owner keeps all rights");
	else
		fail_as_store(rq, st);
}

/* NULL: the request was answered. */
static struct work *
begin(struct request *rq, struct span *address)
{
	struct work *k = mem_zalloc(sizeof(*k));
	struct span name;

	rq->state = k;
	rq->stop = stop;
	if (!need_address(rq, address))
		return NULL;
	if (json_get_string(rq->args, "mailbox", &name) &&
	    mailbox_name_from_utf8(name, &k->path))
		return k;
	request_fail(rq, ST_SYNTAX, "mailbox is no name of a mailbox");
	return NULL;
}

static void
done(struct work *k, const char *key, struct span value)
{
	struct json_writer w;

	json_writer_init(&w, &k->out);
	json_begin_object(&w);
	json_kv_string(&w, key, value);
	json_end_object(&w);
	request_done(k->access.rq, ST_OK, buf_span(&k->out));
}

/* acl-list -------------------------------------------------------------------------- */

static void
put_entry(struct json_writer *w, const char *sign, struct span name, uint32_t rights)
{
	struct buf who = { 0 }, letters = { 0 };

	if (rights == 0)
		return;
	buf_add_str(&who, sign);
	buf_add_span(&who, name);
	rights_print(rights, &letters);
	json_begin_object(w);
	json_kv_string(w, "identifier", buf_span(&who));
	json_kv_string(w, "rights", buf_span(&letters));
	json_end_object(w);
	buf_fini(&who);
	buf_fini(&letters);
}

/* Names come in the order of the entries' ids. */
static void
on_names(void *arg, enum status st, struct span found)
{
	struct request *rq = arg;
	struct work *k = rq->state;
	struct reader names, entries;
	struct json_writer w;
	struct store_acl e;

	rq->lookup = NULL;
	if (st != ST_OK) {
		answer_as_authd(rq, st, SPAN_NONE);
		return;
	}
	json_writer_init(&w, &k->out);
	json_begin_object(&w);
	json_kv_string(&w, "mailbox", buf_span(&k->path));
	json_key(&w, "acl");
	json_begin_array(&w);
	reader_init(&names, found.p, found.len);
	reader_init(&entries, k->entries.data, k->entries.len);
	while (k->entries.len > 0 && get_store_acl(&entries, &e)) {
		struct span name = SPAN_LIT("anyone");
		uint64_t id = 1;

		if (e.kind != ACL_ANYONE) {
			id = get_u64(&names);
			get_u32(&names);
			name = get_span(&names);
		}
		if (id == 0)
			continue;	/* deleted since */
		put_entry(&w, "", name, e.rights);
		put_entry(&w, "-", name, e.minus);
	}
	json_end_array(&w);
	json_end_object(&w);
	request_done(rq, ST_OK, buf_span(&k->out));
}

static void
on_acl(void *arg, enum status st, bool more, const void *msg)
{
	struct work *k = arg;
	struct request *rq = k->access.rq;
	const struct store_acl_is *is = msg;
	struct auth_who who = { SPAN_NONE, SPAN_NONE, SPAN_NONE };
	struct buf ids = { 0 };
	struct store_acl e;
	struct reader r;

	if (more)
		return;
	k->access.call = NULL;
	if (st != ST_OK || is == NULL) {
		fail(rq, st != ST_OK ? st : ST_BUG);
		return;
	}
	buf_add_span(&k->entries, is->entries);
	reader_init(&r, k->entries.data, k->entries.len);
	while (k->entries.len > 0 && get_store_acl(&r, &e))
		if (e.kind != ACL_ANYONE)
			put_u64(&ids, e.id);
	who.ids = buf_span(&ids);
	if (ids.len > 0)
		rq->lookup = auth_who(rq->admind->auth, &who, on_names, rq);
	else
		on_names(rq, ST_OK, SPAN_NONE);
	buf_fini(&ids);
}

static void
list_access(struct access *x)
{
	struct work *k = x->rq->state;
	const struct store_acl_get rq = { buf_span(&k->path) };

	x->call = store_do_acl(x->store, &rq, on_acl, k);
}

static void
acl_list(struct request *rq)
{
	struct span address;
	struct work *k = begin(rq, &address);

	if (k != NULL)
		access_start(&k->access, rq, address, list_access);
}

/* acl-set, acl-delete ----------------------------------------------------------------- */

static void
on_set(void *arg, enum status st, bool more, const void *msg)
{
	struct work *k = arg;

	if (more)
		return;
	k->access.call = NULL;
	if (st == ST_OK)
		done(k, "identifier", buf_span(&k->identifier));
	else
		fail(k->access.rq, st);
}

static void
set(struct work *k)
{
	k->set.path = buf_span(&k->path);
	k->access.call = store_do_acl_set(k->access.store, &k->set, on_set, k);
}

static void
on_identity(void *arg, enum status st, struct span found)
{
	struct request *rq = arg;
	struct work *k = rq->state;
	struct reader r;

	rq->lookup = NULL;
	if (st != ST_OK) {
		answer_as_authd(rq, st, SPAN_NONE);
		return;
	}
	reader_init(&r, found.p, found.len);
	k->set.id = get_u64(&r);
	if (r.bad || k->set.id == 0)
		request_fail(rq, ST_NOT_FOUND, "nobody has this identifier");
	else
		set(k);
}

static void
set_access(struct access *x)
{
	struct request *rq = x->rq;
	struct work *k = rq->state;
	struct span name = buf_span(&k->identifier);
	struct auth_who who = { SPAN_NONE, SPAN_NONE, SPAN_NONE };
	struct buf names = { 0 };

	if (name.len > 0 && name.p[0] == '-') {
		k->set.negative = true;
		name = span_sub(name, 1, name.len);
	}
	if (span_eq_str(name, "anyone")) {
		k->set.kind = ACL_ANYONE;
		set(k);
		return;
	}
	if (name.len == 0 || name.len >= AUTH_NAME_MAX) {
		request_fail(rq, ST_NOT_FOUND, "nobody has this identifier");
		return;
	}
	k->set.kind = span_has_prefix(name, AUTH_WHO_GROUP) ? ACL_GROUP : ACL_USER;
	put_span(&names, name);
	who.names = buf_span(&names);
	rq->lookup = auth_who(rq->admind->auth, &who, on_identity, rq);
	buf_fini(&names);
}

static bool
take_rights(struct request *rq, struct store_acl_set *set)
{
	struct span text;

	if (!json_get_string(rq->args, "rights", &text))
		return false;
	set->how = ACL_REPLACE;
	if (text.len > 0 && (text.p[0] == '+' || text.p[0] == '-')) {
		set->how = text.p[0] == '+' ? ACL_ADD : ACL_REMOVE;
		text = span_sub(text, 1, text.len);
	}
	return rights_parse(text, &set->rights);
}

static void
change(struct request *rq, bool drop)
{
	struct span address, name;
	struct work *k = begin(rq, &address);

	if (k == NULL)
		return;
	k->set.how = ACL_DELETE;
	if (!json_get_string(rq->args, "identifier", &name)) {
		request_fail(rq, ST_SYNTAX, "an identifier is needed");
		return;
	}
	if (!drop && !take_rights(rq, &k->set)) {
		request_fail(rq, ST_SYNTAX, "rights are letters of lrswipkxteacdn, with + or - before "
		    "them to change what is there");
		return;
	}
	buf_add_span(&k->identifier, name);
	access_start(&k->access, rq, address, set_access);
}

static void
acl_set(struct request *rq)
{
	change(rq, false);
}

static void
acl_delete(struct request *rq)
{
	change(rq, true);
}

/* mailbox-create ------------------------------------------------------------------------ */

static void
on_created(void *arg, enum status st, bool more, const void *msg)
{
	struct work *k = arg;

	if (more)
		return;
	k->access.call = NULL;
	if (st == ST_OK)
		done(k, "mailbox", buf_span(&k->path));
	else
		fail(k->access.rq, st);
}

static void
create_access(struct access *x)
{
	struct work *k = x->rq->state;
	const struct store_create rq = { .path = buf_span(&k->path) };

	x->call = store_do_create(x->store, &rq, on_created, k);
}

static void
mailbox_create(struct request *rq)
{
	struct span address;
	struct work *k = begin(rq, &address);

	if (k != NULL)
		access_start(&k->access, rq, address, create_access);
}

const struct admin_command admin_cmds_acl[] = {
	{ "acl-list", acl_list, NULL },
	{ "acl-set", acl_set, NULL },
	{ "acl-delete", acl_delete, NULL },
	{ "mailbox-create", mailbox_create, NULL },
	{ NULL, NULL, NULL }
};
