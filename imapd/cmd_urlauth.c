/* RESETKEY, GENURLAUTH, URLFETCH (RFC 4467), URLFETCH of decoded parts (RFC 5524).
 *
 * Keys and tokens are the store's: it makes and judges them.  Here is who is meant by the names in
 * a URL, and which bytes of the message it means.  A URL that leads nowhere is NIL, whatever the
 * reason; who comes with many of them waits longer and longer. */
#include "imapd/names.h"
#include "imapd/url_source.h"

#include "common/proto/imap_print.h"
#include "common/util/mem.h"

#define URLS_MAX	100u	/* of one command */
#define FAILURES_FREE	5u	/* of a session, before it waits */
#define WAIT_STEP_MS	250u	/* longer with each one more */
#define WAIT_MAX_MS	5000u
#define SUFFIX_MAX	(sizeof(":internal:") - 1 + STORE_URL_TOKEN)

enum { WANT_BODY = 1, WANT_BINARY = 2, WANT_STRUCTURE = 4 };

struct wanted {
	struct span	text;
	struct span	mechanism;	/* of GENURLAUTH */
	unsigned	items;		/* WANT_...; 0: the plain answer */
};

struct urls {
	struct imap_cmd		*cmd;
	struct wanted		*list;
	size_t			n, room, at;
	struct imap_url		url;		/* of list[at] */
	struct arena		arena;		/* of that */
	void			(*named)(struct urls *q, uint64_t id, uint32_t shard);
	uint64_t		user;		/* whom "user+NAME" means */
	bool			made;		/* a key, for this one */
	struct buf		out;		/* of GENURLAUTH, told when all is well */
	struct url_source	*source;
	struct loop_timer	*wait;
	bool			told;		/* the line of this URL has begun */
};

static void
urls_release(struct imap_cmd *cmd)
{
	struct urls *q = cmd->data;

	auth_lookup_cancel(&cmd->session->naming);
	url_source_free(&q->source);
	imap_names_leave(cmd->session);
	loop_timer_free(&q->wait);
	buf_fini_secret(&q->out);
	arena_fini(&q->arena);
	mem_free(&q->list);
}

static struct urls *
urls_new(struct imap_cmd *cmd)
{
	struct urls *q = arena_zalloc(&cmd->arena, sizeof(*q));

	q->cmd = cmd;
	cmd->data = q;
	cmd->release = urls_release;
	return q;
}

static struct wanted *
add_url(struct urls *q)
{
	struct imap_args *a = &q->cmd->args;

	if (q->n == URLS_MAX) {
		imap_args_fail(a, "[LIMIT] Too many URLs in one command");
		return NULL;
	}
	if (q->n == q->room) {
		q->room = q->room > 0 ? 2 * q->room : 4;
		q->list = mem_realloc_array(q->list, q->room, sizeof(*q->list));
	}
	q->list[q->n] = (struct wanted){ .text = imap_args_astring(a) };
	return &q->list[q->n++];
}

/* ---- who a name means ---- */

static void
on_named(void *arg, enum status st, struct span found)
{
	struct urls *q = arg;
	struct reader r;
	uint64_t id;
	uint32_t shard;

	q->cmd->session->naming = NULL;
	if (st != ST_OK) {
		imap_cmd_done(q->cmd, st);
		return;
	}
	reader_init(&r, found.p, found.len);
	id = get_u64(&r);
	shard = get_u32(&r) & ~AUTH_WHO_SHARED;
	q->named(q, r.bad || id == 0 ? IMAP_NOBODY : id, shard);
}

/* Nobody is somebody as well: what follows takes the same way. */
static void
ask_name(struct urls *q, struct span name, void (*then)(struct urls *q, uint64_t id, uint32_t shard))
{
	struct imap_session *s = q->cmd->session;
	struct auth_who rq = { .ticket = login_ticket(&s->login) };
	struct buf names = { 0 };

	q->named = then;
	if (span_caseeq_str(name, s->user)) {
		then(q, s->account, s->shard);
		return;
	}
	if (name.len >= AUTH_NAME_MAX || span_has_prefix(name, AUTH_WHO_GROUP)) {
		then(q, IMAP_NOBODY, s->shard);
		return;
	}
	put_span(&names, name);
	rq.names = buf_span(&names);
	s->naming = auth_who(s->srv->auth, &rq, on_named, q);
	buf_fini(&names);
}

/* ---- RESETKEY ---- */

static void
on_reset(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	const struct store_url_keyed *is = msg;

	if (more)
		return;
	/* It is no news here. */
	if (st == ST_OK && is != NULL && s->view != NULL && s->store == s->home &&
	    s->view->url_reset < is->modseq)
		s->view->url_reset = is->modseq;
	if (st != ST_OK)
		imap_cmd_done(cmd, st);
	else if (cmd->data != NULL)
		imap_cmd_end(cmd, "OK [URLMECH INTERNAL] RESETKEY completed");
	else
		imap_cmd_end(cmd, "OK All keys removed");
}

static bool
is_internal(struct span mechanism)
{
	return span_caseeq_str(mechanism, "INTERNAL");
}

/* Keys belong to a user and one of his own mailboxes. */
static bool
is_others(struct imap_session *s, struct span path)
{
	return imap_route(s, &path) != s->home;
}

/* resetkey = "RESETKEY" [SP mailbox *(SP mechanism)] */
static void
cmd_resetkey(struct imap_cmd *cmd)
{
	struct store_url_key_make rq = { .reset = true };
	bool known = true;

	if (imap_args_try(&cmd->args, ' ')) {
		rq.path = imap_args_mailbox(&cmd->args);
		while (imap_args_try(&cmd->args, ' '))
			known &= is_internal(imap_args_atom(&cmd->args));
	}
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
	} else if (!known) {
		imap_cmd_end(cmd, "NO [CANNOT] INTERNAL is the only mechanism");
	} else if (is_others(cmd->session, rq.path)) {
		imap_cmd_end(cmd, "NO [CANNOT] Keys are for one's own mailboxes");
	} else {
		cmd->data = rq.path.len > 0 ? cmd : NULL;
		store_do_url_key_make(cmd->session->home, &rq, on_reset, cmd);
	}
}

/* ---- GENURLAUTH ---- */

static void gen_next(struct urls *q);
static void gen_sign(struct urls *q);

static void
put_url(struct buf *out, struct span url)
{
	buf_add_c(out, ' ');
	imap_put_string(out, url);
}

static void
gen_done(struct urls *q)
{
	struct buf *out = imap_out(q->cmd->session);

	buf_add_str(out, "* GENURLAUTH");
	buf_add_span(out, buf_span(&q->out));
	buf_add_str(out, "\r\n");
	imap_cmd_done(q->cmd, ST_OK);
}

static void
on_key(void *arg, enum status st, bool more, const void *msg)
{
	struct urls *q = arg;

	if (more)
		return;
	q->made = true;
	if (st == ST_OK)
		gen_sign(q);
	else
		imap_cmd_done(q->cmd, st);
}

static void
on_signed(void *arg, enum status st, bool more, const void *msg)
{
	struct urls *q = arg;
	const struct store_url_signed *is = msg;
	const struct store_url_key_make make = { .path = q->url.mailbox };
	struct buf whole = { 0 };

	if (more)
		return;
	if (st == ST_EXPIRED && !q->made) {
		store_do_url_key_make(q->cmd->session->home, &make, on_key, q);
	} else if (st == ST_NOT_FOUND) {
		imap_cmd_end(q->cmd, "BAD [NONEXISTENT] The URL names no mailbox");
	} else if (st != ST_OK) {
		imap_cmd_done(q->cmd, st == ST_EXPIRED ? ST_CONFLICT : st);
	} else {
		buf_add_span(&whole, q->list[q->at].text);
		buf_add_str(&whole, ":internal:");
		buf_add_span(&whole, is->token);
		put_url(&q->out, buf_span(&whole));
		buf_fini_secret(&whole);
		q->at++;
		gen_next(q);
	}
}

static void
gen_sign(struct urls *q)
{
	const struct store_url_sign rq = { q->list[q->at].text, q->user };

	store_do_url_sign(q->cmd->session->home, &rq, on_signed, q);
}

static void
gen_user(struct urls *q, uint64_t id, uint32_t shard)
{
	q->user = id;
	gen_sign(q);
}

/* The owner of the keys is who is logged in; of others nothing is told. */
static void
gen_owner(struct urls *q, uint64_t id, uint32_t shard)
{
	q->user = 0;
	q->made = false;
	if (id != q->cmd->session->account)
		imap_cmd_end(q->cmd, "BAD The user of the URL is not who is logged in");
	else if (is_others(q->cmd->session, q->url.mailbox))
		imap_cmd_end(q->cmd, "NO [CANNOT] URLs are for one's own mailboxes");
	else if (q->url.access == URL_ACCESS_USER)
		ask_name(q, q->url.access_user, gen_user);
	else
		gen_sign(q);
}

/* NULL: it can be authorized. */
static const char *
gen_refusal(struct urls *q, const struct wanted *w)
{
	if (w->text.len > IMAP_URL_MAX - SUFFIX_MAX)
		return "BAD [TOOBIG] The URL is too long";
	if (!imap_url_parse(w->text, &q->arena, &q->url) || !q->url.absolute ||
	    q->url.mailbox.len == 0)
		return "BAD This is no URL of a message";
	if (q->url.user.len == 0)
		return "BAD The URL names no user";
	if (q->url.access == URL_ACCESS_NONE)
		return "BAD The URL does not say whom it is for";
	if (q->url.mechanism.len > 0)
		return "BAD The URL is authorized already";
	if (!is_internal(w->mechanism))
		return "NO [CANNOT] INTERNAL is the only mechanism";
	return NULL;
}

static void
gen_next(struct urls *q)
{
	const char *why;

	arena_fini(&q->arena);
	if (q->at == q->n) {
		gen_done(q);
		return;
	}
	why = gen_refusal(q, &q->list[q->at]);
	if (why != NULL)
		imap_cmd_end(q->cmd, why);
	else
		ask_name(q, q->url.user, gen_owner);
}

/* genurlauth = "GENURLAUTH" 1*(SP url-rump SP mechanism) */
static void
cmd_genurlauth(struct imap_cmd *cmd)
{
	struct urls *q = urls_new(cmd);
	struct imap_args *a = &cmd->args;

	do {
		struct wanted *w;

		imap_args_sp(a);
		w = add_url(q);
		imap_args_sp(a);
		if (w != NULL)
			w->mechanism = imap_args_atom(a);
	} while (imap_args_good(a) && !imap_args_at_end(a));
	if (!imap_args_end(a))
		imap_cmd_syntax(cmd);
	else
		gen_next(q);
}

/* ---- URLFETCH ---- */

static void fetch_one(struct urls *q);

static void
fetch_next(struct urls *q)
{
	url_source_free(&q->source);
	q->at++;
	q->told = false;
	fetch_one(q);
}

static void
put_head(struct urls *q)
{
	struct buf *out = imap_out(q->cmd->session);

	buf_add_str(out, "* URLFETCH");
	put_url(out, q->list[q->at].text);
	q->told = true;
}

static void
put_nil(void *arg)
{
	struct urls *q = arg;

	put_head(q);
	buf_add_str(imap_out(q->cmd->session), " NIL\r\n");
	fetch_next(q);
}

/* The URL leads nowhere: what is wrong with it is not told, and not at once. */
static void
refused(struct urls *q)
{
	struct imap_session *s = q->cmd->session;
	uint64_t ms = 0;

	url_source_free(&q->source);
	if (++s->bad_urls > FAILURES_FREE)
		ms = (uint64_t)(s->bad_urls - FAILURES_FREE) * WAIT_STEP_MS;
	if (q->wait == NULL)
		q->wait = loop_timer_new(s->srv->loop, put_nil, q);
	loop_timer_set(q->wait, ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS);
}

static void
put_data_head(struct urls *q, uint64_t n)
{
	const struct wanted *w = &q->list[q->at];
	struct buf *out = imap_out(q->cmd->session);

	if (w->items != 0)
		buf_add_str(out, w->items & WANT_BINARY ? " (BINARY" : " (BODY");
	buf_add_str(out, (w->items & WANT_BINARY) && url_source_has_nul(q->source) ? " ~{" : " {");
	buf_add_u64(out, n);
	buf_add_str(out, "}\r\n");
}

static void
put_structure(struct urls *q)
{
	struct buf *out = imap_out(q->cmd->session);

	if (!(q->list[q->at].items & WANT_STRUCTURE))
		return;
	buf_add_str(out, " (BODYPARTSTRUCTURE ");
	url_source_put_structure(q->source, out);
	buf_add_c(out, ')');
}

static bool
wants_data(const struct wanted *w)
{
	return w->items == 0 || (w->items & (WANT_BODY | WANT_BINARY)) != 0;
}

static void
on_size(void *arg, uint64_t n)
{
	struct urls *q = arg;

	put_head(q);
	put_structure(q);
	if (wants_data(&q->list[q->at]))
		put_data_head(q, n);
}

static void
on_bytes(void *arg, struct span bytes)
{
	struct urls *q = arg;
	struct buf *out = imap_out(q->cmd->session);

	if (q->list[q->at].items & WANT_BINARY)
		buf_add_span(out, bytes);
	else
		imap_put_literal_bytes(out, bytes);
}

static void
go_on(struct imap_cmd *cmd)
{
	url_source_go_on(((struct urls *)cmd->data)->source);
}

static bool
on_full(void *arg)
{
	struct urls *q = arg;

	if (!conn_full(q->cmd->session->conn))
		return false;
	q->cmd->drained = go_on;
	return true;
}

/* The bytes are there, but not without their encoding. */
static void
put_undecoded(struct urls *q)
{
	put_head(q);
	put_structure(q);
	buf_add_str(imap_out(q->cmd->session), " (BINARY NIL)\r\n");
	fetch_next(q);
}

static void
put_end(struct urls *q)
{
	struct imap_session *s = q->cmd->session;
	const struct wanted *w = &q->list[q->at];

	if (!q->told)
		on_size(q, 0);
	buf_add_str(imap_out(s), w->items != 0 && wants_data(w) ? ")\r\n" : "\r\n");
	if (s->bad_urls > 0)
		s->bad_urls--;
	fetch_next(q);
}

static void
on_end(void *arg, enum status st)
{
	struct urls *q = arg;
	struct imap_session *s = q->cmd->session;

	if (st == ST_OK) {
		put_end(q);
	} else if (q->told) {
		LOG(&s->log, ERROR, "imap.urlfetch-broken", KV_STATUS(st));
		imap_session_cut(s);	/* in the middle of a literal */
	} else if (st == ST_UNSUPPORTED) {
		put_undecoded(q);
	} else if (st == ST_NOT_FOUND || st == ST_DENIED || st == ST_LIMIT) {
		refused(q);
	} else {
		imap_cmd_done(q->cmd, st);
	}
}

static const struct url_source_ops fetch_ops = {
	.size = on_size, .feed = on_bytes, .full = on_full, .done = on_end
};

static void
fetch_owner(struct urls *q, uint64_t id, uint32_t shard)
{
	struct imap_session *s = q->cmd->session;
	const struct wanted *w = &q->list[q->at];
	const struct url_want want = { wants_data(w), (w->items & WANT_BINARY) != 0,
	    (w->items & WANT_STRUCTURE) != 0 };

	q->source = url_source_new_authorized(s, imap_names_visit(s, id, shard), &q->url, w->text,
	    want, &fetch_ops, q);
}

static void
fetch_one(struct urls *q)
{
	struct imap_session *s = q->cmd->session;
	struct wanted *w;

	arena_fini(&q->arena);
	if (q->at == q->n) {
		imap_cmd_done(q->cmd, ST_OK);
		return;
	}
	w = &q->list[q->at];
	if (!imap_url_parse(w->text, &q->arena, &q->url) || q->url.token.len == 0 ||
	    (q->url.partial && !imap_cap_on(s, CAP_URL_PARTIAL)))
		refused(q);
	else
		ask_name(q, q->url.user, fetch_owner);
}

/* url-fetch-param = "BODY" / "BINARY" / "BODYPARTSTRUCTURE" / atom  (RFC 5524 §5) */
static void
args_items(struct imap_args *a, struct wanted *w)
{
	while (imap_args_try(a, ' ')) {
		struct span name = imap_args_atom(a);
		unsigned item = span_caseeq_str(name, "BODY") ? WANT_BODY :
		    span_caseeq_str(name, "BINARY") ? WANT_BINARY :
		    span_caseeq_str(name, "BODYPARTSTRUCTURE") ? WANT_STRUCTURE : 0;

		if (item == 0 || (w->items & item) != 0)
			imap_args_fail(a, "No such item, or twice the same");
		w->items |= item;
	}
	if ((w->items & WANT_BODY) && (w->items & WANT_BINARY))
		imap_args_fail(a, "BODY and BINARY exclude each other");
}

/* urlfetch = "URLFETCH" 1*(SP url-fetch-arg) */
static void
cmd_urlfetch(struct imap_cmd *cmd)
{
	struct urls *q = urls_new(cmd);
	struct imap_args *a = &cmd->args;

	do {
		struct wanted *w;
		bool extended;

		imap_args_sp(a);
		extended = imap_cap_on(cmd->session, CAP_URLAUTH_BINARY) && imap_args_try(a, '(');
		w = add_url(q);
		if (extended && w != NULL)
			args_items(a, w);
		if (extended)
			imap_args_expect(a, ')');
	} while (imap_args_good(a) && !imap_args_at_end(a));
	if (!imap_args_end(a))
		imap_cmd_syntax(cmd);
	else
		fetch_one(q);
}

const struct imap_command imap_cmds_urlauth[] = {
	/* name		allowed in	flags			cap		run */
	{ "RESETKEY",	IMAP_IN_LOGIN,	0,			CAP_URLAUTH,	cmd_resetkey },
	{ "GENURLAUTH",	IMAP_IN_LOGIN,	IMAP_CMD_SECRET,	CAP_URLAUTH,	cmd_genurlauth },
	{ "URLFETCH",	IMAP_IN_LOGIN,	IMAP_CMD_SECRET,	CAP_URLAUTH,	cmd_urlfetch },
	{ 0 }
};
