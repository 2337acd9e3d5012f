#include "imapd/names_priv.h"

#include "common/mail/mailbox_name.h"
#include "common/util/mem.h"

/* ---- owners ---- */

struct imap_owner *
imap_owner_by_name(struct imap_session *s, struct span name)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->owners) {
		struct imap_owner *o = list_entry(n, struct imap_owner, node);

		if (span_caseeq(buf_span(&o->name), name))
			return o;
	}
	return NULL;
}

struct imap_owner *
imap_owner_by_id(struct imap_session *s, uint64_t id)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->owners) {
		struct imap_owner *o = list_entry(n, struct imap_owner, node);

		if (o->id == id)
			return o;
	}
	return NULL;
}

static void
owner_free(struct imap_owner *o)
{
	if (o->store != o->s->home)
		store_close(&o->store);
	list_remove(&o->node);
	buf_fini(&o->name);
	mem_free(&o);
}

static void
on_event(void *arg, enum store_event ev, uint64_t modseq)
{
	struct imap_owner *o = arg;

	if (ev == STORE_EV_REVOKED || o->store == o->s->store)
		imap_store_event(o->s, ev, modseq);
}

void
imap_owner_add(struct imap_session *s, uint64_t id, uint32_t shard, struct span name)
{
	struct imap_owner *o;

	if (id == 0 || imap_owner_by_name(s, name) != NULL || s->n_owners >= OWNERS_MAX)
		return;
	o = mem_zalloc(sizeof(*o));
	o->s = s;
	o->id = id;
	o->shared = id != NOBODY && (shard & AUTH_WHO_SHARED) != 0;
	shard &= ~AUTH_WHO_SHARED;
	buf_add_span(&o->name, name);
	o->store = id == s->account ? s->home : store_open_shared(s->srv->stores, shard,
	    login_ticket(&s->login), id, on_event, o);
	list_push_back(&s->owners, &o->node);
	s->n_owners++;
}

static struct store *
nobody(struct imap_session *s)
{
	if (imap_owner_by_id(s, NOBODY) == NULL) {
		s->n_owners = s->n_owners < OWNERS_MAX ? s->n_owners : OWNERS_MAX - 1;
		imap_owner_add(s, NOBODY, s->shard, SPAN_LIT("/"));
	}
	return imap_owner_by_id(s, NOBODY)->store;
}

void
imap_names_leave(struct imap_session *s)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->owners) {
		struct imap_owner *o = list_entry(n, struct imap_owner, node);

		if (o->visited)
			owner_free(o);
	}
}

struct store *
imap_names_visit(struct imap_session *s, uint64_t id, uint32_t shard)
{
	struct imap_owner *o = id == s->account ? NULL : imap_owner_by_id(s, id);

	if (id == s->account)
		return s->home;
	if (o == NULL) {
		imap_names_leave(s);
		o = mem_zalloc(sizeof(*o));
		o->s = s;
		o->id = id;
		o->visited = true;
		o->store = store_open_shared(s->srv->stores, id == NOBODY ? s->shard : shard,
		    login_ticket(&s->login), id, on_event, o);
		list_push_back(&s->owners, &o->node);
	}
	return o->store;
}

void
imap_names_free(struct imap_session *s)
{
	auth_lookup_cancel(&s->naming);
	while (!list_empty(&s->owners))
		owner_free(list_entry(s->owners.next, struct imap_owner, node));
	s->n_owners = 0;
}

void
imap_names_renew(struct imap_session *s, struct span ticket)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->owners) {
		struct imap_owner *o = list_entry(n, struct imap_owner, node);

		if (o->store != s->home)
			store_renew(o->store, ticket);
	}
}

void
imap_names_select(struct imap_session *s, struct store *at)
{
	if (at == NULL)
		at = s->home;
	if (at != s->store)
		s->dirty_modseq = 0;	/* of another account */
	s->store = at;
}

/* ---- paths ---- */

/* Behind the prefix stands an address.  All else is the client's own: who comes with a
 * mailbox "Shared" from another server keeps it. */
static bool
is_in(struct span path, struct span top)
{
	struct span name;

	if (top.len == 0 || path.len <= top.len || path.p[top.len] != MAILBOX_DELIMITER ||
	    !span_eq(span_sub(path, 0, top.len), top))
		return false;
	name = span_sub(path, top.len + 1, path.len);
	name = span_sub(name, 0, span_find(name, MAILBOX_DELIMITER));
	return span_find(name, '@') < name.len;
}

bool
imap_is_undelete(const struct imap_session *s, struct span path)
{
	struct span top = imap_undelete_prefix(s);

	return top.len > 0 && !s->undelete_own && path.len >= top.len &&
	    span_eq(span_sub(path, 0, top.len), top) &&
	    (path.len == top.len || path.p[top.len] == MAILBOX_DELIMITER);
}

enum space
imap_space_of(const struct imap_session *s, struct span path)
{
	if (imap_is_undelete(s, path))
		return SPACE_GONE;
	if (is_in(path, imap_namespace(s, false)))
		return SPACE_OTHERS;
	return is_in(path, imap_namespace(s, true)) ? SPACE_SHARED : SPACE_OWN;
}

/* The name behind the prefix; *rest: what follows it. */
static enum space
split(const struct imap_session *s, struct span path, struct span *name, struct span *rest)
{
	enum space space = imap_space_of(s, path);
	size_t n;

	*name = *rest = SPAN_NONE;
	if (space == SPACE_GONE && path.len > imap_undelete_prefix(s).len)
		*rest = span_sub(path, imap_undelete_prefix(s).len + 1, path.len);
	if (space == SPACE_OWN || space == SPACE_GONE)
		return space;
	*rest = span_sub(path, imap_namespace(s, space == SPACE_SHARED).len + 1, path.len);
	n = span_find(*rest, MAILBOX_DELIMITER);
	*name = span_sub(*rest, 0, n);
	*rest = n < rest->len ? span_sub(*rest, n + 1, rest->len) : SPAN_NONE;
	return space;
}

/* NULL: nobody of this name in this namespace. */
static struct imap_owner *
owner_in(struct imap_session *s, enum space space, struct span name)
{
	struct imap_owner *o = name.len > 0 ? imap_owner_by_name(s, name) : NULL;

	return o != NULL && o->id != NOBODY && o->shared == (space == SPACE_SHARED) ? o : NULL;
}

/* The channel on which one's own deleted messages are read. */
struct store *
imap_undeleted(struct imap_session *s)
{
	uint64_t id = s->account | STORE_UNDELETED;
	struct imap_owner *o = imap_owner_by_id(s, id);

	if (o == NULL) {
		o = mem_zalloc(sizeof(*o));
		o->s = s;
		o->id = id;
		o->store = store_open_shared(s->srv->stores, s->shard, login_ticket(&s->login), id,
		    on_event, o);
		list_push_back(&s->owners, &o->node);
	}
	return o->store;
}

bool
imap_store_is_undelete(const struct imap_session *s, const struct store *store)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->owners) {
		const struct imap_owner *o = list_entry(n, struct imap_owner, node);

		if (o->store == store)
			return o->id == (s->account | STORE_UNDELETED);
	}
	return false;
}

struct store *
imap_route(struct imap_session *s, struct span *path)
{
	struct span name, rest;
	struct imap_owner *o;
	enum space space = split(s, *path, &name, &rest);

	if (space == SPACE_GONE && rest.len > 0) {
		*path = rest;
		return imap_undeleted(s);
	}
	if (space == SPACE_GONE) {
		*path = SPAN_LIT("INBOX");	/* of nobody */
		return nobody(s);
	}
	if (!imap_cap_on(s, CAP_ACL) || space == SPACE_OWN)
		return s->home;
	o = rest.len > 0 ? owner_in(s, space, name) : NULL;
	if (o == NULL) {
		*path = SPAN_LIT("INBOX");	/* of nobody */
		return nobody(s);
	}
	*path = rest;
	return o->store;
}

uint64_t
imap_route_owner(struct imap_session *s, struct span path)
{
	struct span name, rest;
	struct imap_owner *o;
	enum space space = split(s, path, &name, &rest);

	if (space == SPACE_OWN)
		return s->account;
	if (space == SPACE_GONE)
		return NOBODY;
	o = owner_in(s, space, name);
	return o != NULL ? o->id : NOBODY;
}
