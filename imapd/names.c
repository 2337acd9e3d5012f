#include "imapd/names.h"

#include <string.h>

#include "common/mail/mailbox_name.h"
#include "common/mail/unicode.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"

#define OWNERS_MAX	500u		/* of a session */
#define SHARDS_MAX	64u
#define NOBODY		IMAP_NOBODY

struct imap_owner {
	struct list		node;
	struct imap_session	*s;
	struct buf		name;
	uint64_t		id;
	struct store		*store;
	bool			shared;		/* belongs to nobody */
	bool			listed;		/* shares something that may be looked up */
	bool			visited;	/* for one URL: has no name */
};

/* ---- owners ---- */

static struct imap_owner *
owner_by_name(struct imap_session *s, struct span name)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->owners) {
		struct imap_owner *o = list_entry(n, struct imap_owner, node);

		if (span_caseeq(buf_span(&o->name), name))
			return o;
	}
	return NULL;
}

static struct imap_owner *
owner_by_id(struct imap_session *s, uint64_t id)
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

static void
owner_add(struct imap_session *s, uint64_t id, uint32_t shard, struct span name)
{
	struct imap_owner *o;

	if (id == 0 || owner_by_name(s, name) != NULL || s->n_owners >= OWNERS_MAX)
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
	if (owner_by_id(s, NOBODY) == NULL) {
		s->n_owners = s->n_owners < OWNERS_MAX ? s->n_owners : OWNERS_MAX - 1;
		owner_add(s, NOBODY, s->shard, SPAN_LIT("/"));
	}
	return owner_by_id(s, NOBODY)->store;
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
	struct imap_owner *o = id == s->account ? NULL : owner_by_id(s, id);

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

enum space { OWN, OTHERS, SHARED, GONE };

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

static enum space
space_of(const struct imap_session *s, struct span path)
{
	if (imap_is_undelete(s, path))
		return GONE;
	if (is_in(path, imap_namespace(s, false)))
		return OTHERS;
	return is_in(path, imap_namespace(s, true)) ? SHARED : OWN;
}

/* The name behind the prefix; *rest: what follows it. */
static enum space
split(const struct imap_session *s, struct span path, struct span *name, struct span *rest)
{
	enum space space = space_of(s, path);
	size_t n;

	*name = *rest = SPAN_NONE;
	if (space == GONE && path.len > imap_undelete_prefix(s).len)
		*rest = span_sub(path, imap_undelete_prefix(s).len + 1, path.len);
	if (space == OWN || space == GONE)
		return space;
	*rest = span_sub(path, imap_namespace(s, space == SHARED).len + 1, path.len);
	n = span_find(*rest, MAILBOX_DELIMITER);
	*name = span_sub(*rest, 0, n);
	*rest = n < rest->len ? span_sub(*rest, n + 1, rest->len) : SPAN_NONE;
	return space;
}

/* NULL: nobody of this name in this namespace. */
static struct imap_owner *
owner_in(struct imap_session *s, enum space space, struct span name)
{
	struct imap_owner *o = name.len > 0 ? owner_by_name(s, name) : NULL;

	return o != NULL && o->id != NOBODY && o->shared == (space == SHARED) ? o : NULL;
}

/* The channel on which one's own deleted messages are read. */
static struct store *
undeleted(struct imap_session *s)
{
	uint64_t id = s->account | STORE_UNDELETED;
	struct imap_owner *o = owner_by_id(s, id);

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

	if (space == GONE && rest.len > 0) {
		*path = rest;
		return undeleted(s);
	}
	if (space == GONE) {
		*path = SPAN_LIT("INBOX");	/* of nobody */
		return nobody(s);
	}
	if (!imap_cap_on(s, CAP_ACL) || space == OWN)
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

	if (space == OWN)
		return s->account;
	if (space == GONE)
		return NOBODY;
	o = owner_in(s, space, name);
	return o != NULL ? o->id : NOBODY;
}

/* ---- looking up what a command names ---- */

struct prepare {
	struct imap_cmd		*cmd;
	uint32_t		shards[SHARDS_MAX];
	size_t			n_shards, at;
	struct buf		names, ids;
	struct store		*asked;		/* a shard's channel, for this question alone */
	struct store_call	*call;
	void			(*then)(struct imap_cmd *cmd);
};

void
imap_names_stop(struct imap_session *s)
{
	struct prepare *p = s->preparing;

	s->preparing = NULL;
	buf_fini(&s->list_prefix);
	buf_fini(&s->list_subscribed);
	if (p == NULL)
		return;
	auth_lookup_cancel(&s->naming);
	store_cancel(&p->call);
	store_close(&p->asked);
	buf_fini(&p->names);
	buf_fini(&p->ids);
}

static void
prepare_done(struct prepare *p)
{
	struct imap_cmd *cmd = p->cmd;
	void (*then)(struct imap_cmd *) = p->then;

	imap_names_stop(cmd->session);
	then(cmd);
}

static void
prepare_failed(struct prepare *p, enum status st)
{
	struct imap_cmd *cmd = p->cmd;
	void (*then)(struct imap_cmd *) = p->then;

	imap_names_stop(cmd->session);
	if (cmd->input == NULL) {
		imap_cmd_done(cmd, st);
		return;
	}
	/* Its literal is still to come: the command ends behind that. */
	cmd->session->naming_failed = st;
	then(cmd);
}

static void
on_who(void *arg, enum status st, struct span found)
{
	struct prepare *p = arg;
	struct imap_session *s = p->cmd->session;
	struct imap_owner *o;
	struct reader r, ids;

	s->naming = NULL;
	reader_init(&r, found.p, found.len);
	while (st == ST_OK && !r.bad && r.p < r.end) {
		uint64_t id = get_u64(&r);
		uint32_t shard = get_u32(&r);

		owner_add(s, id, shard, get_span(&r));
	}
	reader_init(&ids, p->ids.data, p->ids.len);
	while (ids.p < ids.end) {
		o = owner_by_id(s, get_u64(&ids));
		if (o != NULL)
			o->listed = true;
	}
	if (st != ST_OK)
		prepare_failed(p, st);
	else
		prepare_done(p);
}

static void
ask_who(struct prepare *p)
{
	struct imap_session *s = p->cmd->session;
	struct auth_who rq = { buf_span(&p->names), SPAN_NONE, login_ticket(&s->login) };
	struct buf unknown = { 0 };
	struct reader r;

	store_close(&p->asked);
	reader_init(&r, p->ids.data, p->ids.len);
	while (r.p < r.end) {
		uint64_t id = get_u64(&r);

		if (owner_by_id(s, id) == NULL)
			put_u64(&unknown, id);
	}
	rq.ids = buf_span(&unknown);
	if (rq.names.len == 0 && rq.ids.len == 0)
		on_who(p, ST_OK, SPAN_NONE);
	else
		s->naming = auth_who(s->srv->auth, &rq, on_who, p);
	buf_fini(&unknown);
}

static void ask_shard(struct prepare *p);

static void
on_shared(void *arg, enum status st, bool more, const void *msg)
{
	struct prepare *p = arg;
	const struct store_shared_are *are = msg;

	if (st == ST_OK && are != NULL && are->owners.len > 0 && p->ids.len < 8 * OWNERS_MAX)
		buf_add_span(&p->ids, span_sub(are->owners, 0, 8 * OWNERS_MAX - p->ids.len));
	if (more)
		return;
	p->call = NULL;
	if (st == ST_OK)
		ask_shard(p);
	else
		prepare_failed(p, st);
}

static void
ignore_event(void *arg, enum store_event ev, uint64_t modseq)
{
}

/* Each shard is asked who shares something with us there. */
static void
ask_shard(struct prepare *p)
{
	struct imap_session *s = p->cmd->session;
	const struct store_shared rq = { 0 };
	uint32_t shard;

	store_close(&p->asked);
	if (p->at == p->n_shards) {
		ask_who(p);
		return;
	}
	shard = p->shards[p->at++];
	if (shard != s->shard)
		p->asked = store_open_shared(s->srv->stores, shard, login_ticket(&s->login), NOBODY,
		    ignore_event, NULL);
	p->call = store_do_shared(p->asked != NULL ? p->asked : s->home, &rq, on_shared, p);
}

/* Nothing, if it cannot be a name. */
static void
name_in_utf8(const struct imap_session *s, struct span given, struct buf *out)
{
	if (s->utf8 || !mailbox_utf7_decode(given, out))
		buf_add_span(out, given);
	if (!unicode_is_utf8(buf_span(out)))
		buf_clear(out);
}

static void
url_decode(struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		int high = i + 2 < in.len ? ascii_hex(in.p[i + 1]) : -1;
		int low = i + 2 < in.len ? ascii_hex(in.p[i + 2]) : -1;

		if (in.p[i] == '%' && high >= 0 && low >= 0) {
			buf_add_c(out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_c(out, in.p[i]);
		}
	}
}

static void
add_name(struct imap_session *s, struct span name, struct buf *names)
{
	if (name.len < AUTH_NAME_MAX && names->len < 8192 && span_find(name, '@') < name.len &&
	    !span_has_prefix(name, AUTH_WHO_GROUP) && owner_by_name(s, name) == NULL)
		put_span(names, name);
}

/* The name behind a prefix at the start of `text`, if that stands there, as commands write
 * them or as URLs do. */
static void
collect_at(struct imap_cmd *cmd, struct span text, struct span prefix, bool url, struct buf *names)
{
	struct buf name = { 0 };
	struct span word;
	size_t end;

	if (prefix.len == 0 || text.len <= prefix.len ||
	    text.p[prefix.len] != MAILBOX_DELIMITER ||
	    !span_eq(span_sub(text, 0, prefix.len), prefix))
		return;
	word = span_sub(text, prefix.len + 1, text.len);
	for (end = 0; end < word.len; end++)
		if (strchr(url ? "/\"\r\n() " : "/\"\r\n%*() ", word.p[end]) != NULL)
			break;
	word = span_sub(word, 0, end);
	if (url)
		url_decode(word, &name);
	else
		name_in_utf8(cmd->session, word, &name);
	if (unicode_is_utf8(buf_span(&name)))
		add_name(cmd->session, buf_span(&name), names);
	buf_fini(&name);
}

/* Of a configured prefix only blanks are written otherwise in URLs. */
static void
url_encode(struct span prefix, struct buf *out)
{
	for (size_t i = 0; i < prefix.len; i++) {
		if (prefix.p[i] == ' ')
			buf_add_str(out, "%20");
		else
			buf_add_c(out, prefix.p[i]);
	}
}

/* Names behind the prefixes, wherever in the text they stand; what is no name of anybody
 * does no harm. */
static void
collect(struct imap_cmd *cmd, struct span text, struct buf *names)
{
	for (unsigned shared = 0; shared < 2; shared++) {
		struct span prefix = imap_namespace(cmd->session, shared != 0);
		struct buf as_url = { 0 };

		url_encode(prefix, &as_url);
		for (size_t i = 0; prefix.len > 0 && i < text.len; i++) {
			struct span rest = span_sub(text, i, text.len);

			if (text.p[i] != prefix.p[0])
				continue;
			collect_at(cmd, rest, prefix, false, names);
			collect_at(cmd, rest, buf_span(&as_url), true, names);
		}
		buf_fini(&as_url);
	}
}

static bool
is_listing(const struct imap_cmd *cmd)
{
	return strcmp(cmd->def->name, "LIST") == 0 || strcmp(cmd->def->name, "LSUB") == 0 ||
	    strcmp(cmd->def->name, "XLIST") == 0;
}

static void
unlist(struct imap_session *s)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->owners)
		list_entry(n, struct imap_owner, node)->listed = false;
}

/* Does the text name what was deleted? */
static bool
names_undelete(const struct imap_session *s)
{
	struct span top = imap_undelete_prefix(s), text = buf_span(&s->reader.text);

	for (size_t i = 0; top.len > 0 && i + top.len <= text.len; i++)
		if (text.p[i] == top.p[0] && span_eq(span_sub(text, i, top.len), top))
			return true;
	return false;
}

/* Whether the account has a mailbox of that name, or what was deleted is there. */
static void
on_own_undelete(void *arg, enum status st, bool more, const void *msg)
{
	struct prepare *p = arg;
	struct imap_session *s = p->cmd->session;
	const struct store_mailboxes *are = msg;
	struct store_mailbox m;
	struct reader r;

	if (st == ST_OK && are != NULL && are->list.len > 0) {
		reader_init(&r, are->list.p, are->list.len);
		s->undelete_own |= get_store_mailbox(&r, &m) && m.id != 0;
	}
	if (more)
		return;
	p->call = NULL;
	s->undelete_named = !s->undelete_own;
	if (st == ST_OK)
		ask_shard(p);
	else
		prepare_failed(p, st);
}

bool
imap_names_prepare(struct imap_cmd *cmd, void (*then)(struct imap_cmd *cmd))
{
	struct imap_session *s = cmd->session;
	const struct store_list rq = { imap_undelete_prefix(s) };
	struct prepare *p;
	struct buf names = { 0 };
	bool listing, undelete;

	s->naming_failed = ST_OK;
	s->undelete_named = s->undelete_own = false;
	if (s->home == NULL)
		return false;
	undelete = names_undelete(s);
	listing = imap_cap_on(s, CAP_ACL) && is_listing(cmd);
	if (imap_cap_on(s, CAP_ACL))
		collect(cmd, buf_span(&s->reader.text), &names);
	if (names.len == 0 && !listing && !undelete)
		return false;
	p = arena_zalloc(&cmd->arena, sizeof(*p));
	p->cmd = cmd;
	p->names = names;
	p->then = then;
	s->preparing = p;
	if (listing) {
		unlist(s);
		p->n_shards = store_pool_shards(s->srv->stores, p->shards, SHARDS_MAX);
	}
	if (undelete)
		p->call = store_do_list(s->home, &rq, on_own_undelete, p);
	else
		ask_shard(p);
	return true;
}

/* ---- LIST over all namespaces ---- */

struct listing {
	struct imap_cmd		*cmd;
	store_done_fn		fn;
	struct span		path;
	struct list		*at;		/* of session->owners */
	bool			shared;		/* of the two namespaces the second is told */
	bool			own_root[2];	/* the account has a mailbox of its name */
	bool			gone_told;	/* what was deleted */
};

static void
tell(struct listing *l, const struct buf *lines, bool more)
{
	const struct store_mailboxes are = { buf_span(lines) };

	l->fn(l->cmd, ST_OK, more, &are);
}

/* A subscribed name of another's mailbox is told where that is listed. */
static bool
take_subscribed(struct listing *l, struct span path)
{
	struct buf left = { 0 };
	struct reader r;
	bool found = false;

	reader_init(&r, l->cmd->session->list_subscribed.data, l->cmd->session->list_subscribed.len);
	while (r.p < r.end) {
		struct span one = get_span(&r);

		if (span_eq(one, path))
			found = true;
		else
			put_span(&left, one);
	}
	buf_fini(&l->cmd->session->list_subscribed);
	l->cmd->session->list_subscribed = left;
	return found;
}

static void
put_root(struct buf *out, struct span path)
{
	const struct store_mailbox m = { .path = path, .has_children = true };

	put_store_mailbox(out, &m);
}

static void
renamed_lines(struct listing *l, struct span list, struct buf *out)
{
	struct buf path = { 0 };
	struct store_mailbox m;
	struct reader r;

	reader_init(&r, list.p, list.len);
	while (list.len > 0 && get_store_mailbox(&r, &m)) {
		buf_clear(&path);
		buf_add_span(&path, buf_span(&l->cmd->session->list_prefix));
		buf_add_span(&path, m.path);
		m.path = buf_span(&path);
		m.role = MAILBOX_ROLE_NONE;	/* of the owner, not of who looks */
		m.subscribed = take_subscribed(l, m.path);
		put_store_mailbox(out, &m);
	}
	buf_fini(&path);
}

static void next_owner(struct listing *l);
static void on_owner_list(void *arg, enum status st, bool more, const void *msg);

static void
tell_gone(struct listing *l)
{
	struct imap_session *s = l->cmd->session;
	const struct store_list rq = { SPAN_NONE };
	struct buf out = { 0 };

	l->gone_told = true;
	buf_clear(&s->list_prefix);
	buf_add_span(&s->list_prefix, imap_undelete_prefix(s));
	put_root(&out, buf_span(&s->list_prefix));
	tell(l, &out, true);
	buf_fini(&out);
	buf_add_c(&s->list_prefix, MAILBOX_DELIMITER);
	store_do_list(undeleted(s), &rq, on_owner_list, l);
}

static void
listing_end(struct listing *l)
{
	struct buf out = { 0 };
	struct reader r;

	if (l->cmd->session->undelete_named && !l->gone_told) {
		tell_gone(l);
		return;
	}
	reader_init(&r, l->cmd->session->list_subscribed.data, l->cmd->session->list_subscribed.len);
	while (r.p < r.end) {
		const struct store_mailbox m = { .path = get_span(&r), .subscribed = true };

		put_store_mailbox(&out, &m);
	}
	buf_fini(&l->cmd->session->list_prefix);
	buf_fini(&l->cmd->session->list_subscribed);
	tell(l, &out, false);
	buf_fini(&out);
}

static void
on_owner_list(void *arg, enum status st, bool more, const void *msg)
{
	struct listing *l = arg;
	const struct store_mailboxes *are = msg;
	struct buf out = { 0 };

	if (st == ST_OK && are != NULL) {
		renamed_lines(l, are->list, &out);
		if (out.len > 0)
			tell(l, &out, true);
	}
	buf_fini(&out);
	if (!more)
		next_owner(l);
}

/* In LIST, in that of the two namespaces. */
static bool
is_told(const struct imap_session *s, const struct imap_owner *o, bool shared)
{
	return o->listed && o->store != s->home && o->shared == shared;
}

/* The next one of the namespace that is told; NULL: that was all of them. */
static struct imap_owner *
take_owner(struct listing *l)
{
	struct imap_session *s = l->cmd->session;

	while (l->at != &s->owners) {
		struct imap_owner *o = list_entry(l->at, struct imap_owner, node);

		l->at = l->at->next;
		if (is_told(s, o, l->shared))
			return o;
	}
	return NULL;
}

static void
next_owner(struct listing *l)
{
	struct imap_session *s = l->cmd->session;
	const struct store_list rq = { SPAN_NONE };
	struct imap_owner *o = NULL;
	struct buf out = { 0 };

	while (o == NULL) {
		if (imap_namespace(s, l->shared).len > 0)
			o = take_owner(l);
		if (o == NULL && l->shared) {
			listing_end(l);
			return;
		}
		if (o == NULL) {
			l->shared = true;
			l->at = s->owners.next;
			buf_clear(&s->list_prefix);
		}
	}
	if (s->list_prefix.len == 0 && !l->own_root[l->shared])
		put_root(&out, imap_namespace(s, l->shared));
	buf_clear(&s->list_prefix);
	buf_add_span(&s->list_prefix, imap_namespace(s, l->shared));
	buf_add_c(&s->list_prefix, MAILBOX_DELIMITER);
	buf_add_span(&s->list_prefix, buf_span(&o->name));
	put_root(&out, buf_span(&s->list_prefix));
	tell(l, &out, true);
	buf_fini(&out);
	buf_add_c(&s->list_prefix, MAILBOX_DELIMITER);
	store_do_list(o->store, &rq, on_owner_list, l);
}

/* An own mailbox called as a namespace has what is in that below it. */
static void
own_root(struct listing *l, struct store_mailbox *m)
{
	struct imap_session *s = l->cmd->session;
	struct list *node, *tmp;

	for (unsigned shared = 0; shared < 2; shared++) {
		if (!span_eq(m->path, imap_namespace(s, shared != 0)))
			continue;
		l->own_root[shared] = true;
		list_each(node, tmp, &s->owners)
			m->has_children |= is_told(s, list_entry(node, struct imap_owner, node),
			    shared != 0);
	}
}

static void
on_own_list(void *arg, enum status st, bool more, const void *msg)
{
	struct listing *l = arg;
	const struct store_mailboxes *are = msg;
	struct store_mailbox m;
	struct buf out = { 0 };
	struct reader r;

	if (st == ST_OK && are != NULL) {
		reader_init(&r, are->list.p, are->list.len);
		while (are->list.len > 0 && get_store_mailbox(&r, &m)) {
			if (m.id == 0 && space_of(l->cmd->session, m.path) != OWN) {
				put_span(&l->cmd->session->list_subscribed, m.path);
				continue;
			}
			own_root(l, &m);
			put_store_mailbox(&out, &m);
		}
		tell(l, &out, true);
		buf_fini(&out);
	}
	if (more)
		return;
	if (st == ST_OK) {
		l->at = l->cmd->session->owners.next;
		next_owner(l);
		return;
	}
	buf_fini(&l->cmd->session->list_subscribed);
	l->fn(l->cmd, st, false, NULL);
}

/* One path: its line, with the name that was asked for. */
static void
on_one(void *arg, enum status st, bool more, const void *msg)
{
	struct listing *l = arg;
	const struct store_mailboxes *are = msg;
	struct store_mailbox m;
	struct buf out = { 0 };
	struct reader r;

	if (st != ST_OK || are == NULL || are->list.len == 0) {
		l->fn(l->cmd, st, more, msg);
		return;
	}
	reader_init(&r, are->list.p, are->list.len);
	while (get_store_mailbox(&r, &m)) {
		m.path = l->path;
		put_store_mailbox(&out, &m);
	}
	tell(l, &out, more);
	buf_fini(&out);
}

void
imap_list(struct imap_cmd *cmd, const struct store_list *rq, store_done_fn fn)
{
	struct imap_session *s = cmd->session;
	struct listing *l = arena_zalloc(&cmd->arena, sizeof(*l));
	struct store_list at = *rq;
	struct store *store;

	l->cmd = cmd;
	l->fn = fn;
	if (!imap_cap_on(s, CAP_ACL) && !s->undelete_named) {
		store_do_list(s->home, rq, fn, cmd);
		return;
	}
	if (rq->path.len == 0) {
		store_do_list(s->home, rq, on_own_list, l);
		return;
	}
	l->path = arena_span(&cmd->arena, rq->path);
	store = imap_route(s, &at.path);
	store_do_list(store, &at, store == s->home ? fn : on_one, store == s->home ? (void *)cmd : l);
}
