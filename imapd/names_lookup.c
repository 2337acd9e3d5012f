/* Who stands in a command's text is looked up before the command runs. */
#include "imapd/names_priv.h"

#include <string.h>

#include "common/mail/mailbox_name.h"
#include "common/mail/unicode.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"

#define SHARDS_MAX	64u

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

		imap_owner_add(s, id, shard, get_span(&r));
	}
	reader_init(&ids, p->ids.data, p->ids.len);
	while (ids.p < ids.end) {
		o = imap_owner_by_id(s, get_u64(&ids));
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

		if (imap_owner_by_id(s, id) == NULL)
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
	    !span_has_prefix(name, AUTH_WHO_GROUP) && imap_owner_by_name(s, name) == NULL)
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
