/* The life of a session and of each command in it: bytes become commands, commands
 * are looked up and run, their endings become tagged lines. */
#include "imapd/session.h"

#include <assert.h>
#include <time.h>

#include "common/mail/mailbox_name.h"
#include "common/mime/charset.h"
#include "common/proto/imap_print.h"
#include "common/util/mem.h"
#include "imapd/limits.h"
#include "imapd/names.h"
#include "imapd/beside.h"
#include "imapd/events.h"
#include "imapd/notify.h"
#include "imapd/progress.h"
#include "imapd/sync.h"
#include "imapd/together.h"

#define IN_MAX			65536u		/* of a connection, without asking */
#define START_LITERAL_MAX	16384u		/* literals before login */
#define LITERAL_MINUS_MAX	4096u
#define SKIP_MAX		(16u << 20)	/* a refused literal that is still swallowed */

/* ---- endings ---- */

static const char *const status_texts[ST_MAX + 1] = {
	[ST_OK] = "Completed",
	[ST_SYNTAX] = "[CLIENTBUG] The arguments make no sense",
	[ST_NOT_FOUND] = "[NONEXISTENT] No such mailbox",
	[ST_EXISTS] = "[ALREADYEXISTS] It exists already",
	[ST_DENIED] = "[NOPERM] Not permitted",
	[ST_OVER_QUOTA] = "[OVERQUOTA] The quota is used up",
	[ST_CONFLICT] = "[INUSE] Changed by another at the same time",
	[ST_LIMIT] = "[LIMIT] A limit was reached",
	[ST_UNAVAILABLE] = "[UNAVAILABLE] The mail store is away for a moment, try again",
	[ST_CORRUPT] = "[CORRUPTION] Stored data is damaged",
	[ST_BUG] = "[SERVERBUG] An error of the server",
	[ST_CANCELLED] = "Cancelled",
	[ST_EXPIRED] = "[EXPIRED] The login has expired",
	[ST_NO_SPACE] = "[OVERQUOTA] The server has no room",
	[ST_UNSUPPORTED] = "[CANNOT] This cannot be done",
};

const char *
imap_status_text(enum status st)
{
	return (unsigned)st <= ST_MAX ? status_texts[st] : status_texts[ST_BUG];
}

void
imap_cmd_free(struct imap_cmd **cp)
{
	struct imap_cmd *cmd = *cp;

	*cp = NULL;
	imap_events_free(cmd);
	if (cmd->release != NULL)
		cmd->release(cmd);
	imap_earlier_free(&cmd->earlier);
	buf_fini(&cmd->result);
	arena_fini(&cmd->arena);
	mem_free(&cmd);
}

static void
drop_cmd(struct imap_session *s)
{
	struct imap_cmd *cmd = s->cmd;

	if (cmd == NULL)
		return;
	s->cmd = NULL;
	imap_beside_free(s);
	imap_names_stop(s);
	imap_cmd_free(&cmd);
}

/* What a login brought. */
static void
leave_account(struct imap_session *s)
{
	imap_view_free(&s->view);
	imap_notify_free(&s->notify);
	imap_names_free(s);
	store_close(&s->home);
	s->store = NULL;
	if (s->user != NULL)
		LOG(&s->log, INFO, "imap.logout", KV_UINT("commands", s->n_commands),
		    KV_UINT("fetched", s->n_fetched), KV_UINT("appended", s->n_appended),
		    KV_UINT("in", conn_bytes_in(s->conn)), KV_UINT("out", conn_bytes_out(s->conn)));
}

static void
on_ended(struct front_session *base)
{
	struct imap_session *s = list_entry(base, struct imap_session, base);

	drop_cmd(s);
	imap_together_free(s);
	leave_account(s);
	imap_reader_fini(&s->reader);
}

void
imap_session_leave(struct imap_session *s)
{
	leave_account(s);
	front_leave(&s->base);
	s->state = IMAP_IN_START;
	s->account = s->dirty_modseq = s->quota_near = 0;
	s->shard = 0;
	s->condstore = s->qresync = s->uidonly = false;
	s->rev2 = s->utf8 = s->utf8_accept = false;
	s->watching = false;
	s->collation = SEARCH_UNICODE_CASEMAP;
	s->n_commands = s->n_fetched = s->n_appended = 0;
	loop_timer_set(s->timer, (uint64_t)s->srv->conf->login_timeout_s * 1000);
}

void
imap_session_bye(struct imap_session *s, const char *text)
{
	if (s->ending)
		return;
	buf_add_str(imap_out(s), "* BYE ");
	buf_add_str(imap_out(s), text);
	buf_add_str(imap_out(s), "\r\n");
	imap_session_cut(s);
}

static void
restart_timer(struct imap_session *s)
{
	if (s->state != IMAP_IN_START)
		loop_timer_set(s->timer, (uint64_t)s->srv->conf->idle_timeout_s * 1000);
}

/* RFC 9208 §4.3.1: only where a mailbox is selected, or messages are being added. */
void
imap_tell_quota(struct imap_session *s)
{
	bool adds = s->cmd != NULL && s->cmd->def != NULL && (s->cmd->def->flags & IMAP_CMD_STREAMS);

	if (s->quota_near == 0 || (s->view == NULL && !adds) || !imap_cap_on(s, CAP_QUOTA))
		return;
	buf_addf(imap_out(s), "* NO [OVERQUOTA] %u per cent of the quota are used\r\n",
	    (unsigned)s->quota_near);
	s->quota_near = 0;
}

static void run_held(struct imap_session *s);

static void
write_tagged(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct buf *out = imap_out(s);
	bool logout = cmd->def != NULL && span_eq_str(span_str(cmd->def->name), "LOGOUT");
	bool together = cmd->together;

	imap_limit_tell(cmd);
	if (!list_empty(&s->behind))
		imap_sync_later(s);
	if (!span_has_caseprefix(buf_span(&cmd->result), "BAD "))
		s->bad_commands = 0;	/* the limit is on those in a row */
	imap_tell_quota(s);
	buf_add_span(out, cmd->tag);
	buf_add_c(out, ' ');
	buf_add_span(out, buf_span(&cmd->result));
	buf_add_str(out, "\r\n");
	drop_cmd(s);
	if (!together) {
		imap_reader_next(&s->reader);
	} else if (imap_together_next(s)) {
		if (!s->ending && imap_together_may(s))
			imap_session_kick(s);
		return;
	}
	if (logout || (s->eof && conn_in(s->conn)->len == 0 && s->held == IMAP_READ_MORE)) {
		imap_session_cut(s);
		return;
	}
	if (s->srv->draining) {
		imap_session_bye(s, "[UNAVAILABLE] The server is going down, connect again");
		return;
	}
	restart_timer(s);
	imap_notify_dirty(s);
	run_held(s);
	imap_session_kick(s);
}

static void
finish(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	bool fresh = cmd->def != NULL && (cmd->def->flags & IMAP_CMD_FRESH) != 0;

	assert(!cmd->ended);
	if (cmd->together && cmd != s->cmd) {
		cmd->ready = true;	/* what stands before it is answered first */
		return;
	}
	if (cmd->after != NULL) {
		void (*after)(struct imap_cmd *) = cmd->after;

		cmd->after = NULL;
		after(cmd);
		return;
	}
	cmd->input = NULL;
	cmd->drained = NULL;
	if (imap_events_run(cmd, finish))
		return;
	cmd->ended = true;
	if (s->view != NULL && !cmd->no_sync && list_empty(&s->behind) &&
	    (fresh || imap_sync_due(s->view)) && !imap_notify_silent(s))
		imap_sync(cmd, write_tagged);
	else
		write_tagged(cmd);
}

void
imap_session_promote(struct imap_session *s, struct imap_cmd *cmd)
{
	s->cmd = cmd;
	if (cmd->ready)
		finish(cmd);
	else
		imap_progress_watch(cmd);
}

void
imap_cmd_end(struct imap_cmd *cmd, const char *text)
{
	buf_clear(&cmd->result);
	buf_add_str(&cmd->result, text);
	finish(cmd);
}

void
imap_cmd_end_result(struct imap_cmd *cmd)
{
	finish(cmd);
}

void
imap_cmd_done(struct imap_cmd *cmd, enum status st)
{
	buf_clear(&cmd->result);
	/* Who makes sense again is forgiven; before login nobody is. */
	if (st == ST_OK && cmd->session->state != IMAP_IN_START)
		cmd->session->bad_commands = 0;
	if (st == ST_OK)
		buf_addf(&cmd->result, "OK %s%s completed", cmd->uid ? "UID " : "",
		    cmd->def != NULL ? cmd->def->name : "Command");
	else
		buf_addf(&cmd->result, "NO %s", imap_status_text(st));
	if (st == ST_BUG || st == ST_CORRUPT)
		LOG(&cmd->session->log, ERROR, "imap.command", KV_STR("name", cmd->def != NULL ? cmd->def->name : "none"),
		    KV_STATUS(st));
	finish(cmd);
}

void
imap_cmd_finish(void *arg, enum status st, bool more, const void *msg)
{
	if (!more)
		imap_cmd_done(arg, st);
}

void
imap_ignore(void *arg, enum status st, bool more, const void *msg)
{
}

/* Counts what no client of good will sends. */
static bool
too_many_bad(struct imap_session *s)
{
	return ++s->bad_commands > s->srv->conf->max_bad_commands;
}

static void
end_bad(struct imap_cmd *cmd, const char *why)
{
	struct imap_session *s = cmd->session;

	buf_clear(&cmd->result);
	buf_addf(&cmd->result, "BAD %s", why);
	if (too_many_bad(s)) {
		LOG(&s->log, WARN, "imap.bad-commands", KV_UINT("count", s->bad_commands));
		buf_add_span(imap_out(s), cmd->tag);
		buf_addf(imap_out(s), " %s\r\n", buf_cstr(&cmd->result));
		imap_session_bye(s, "[CLIENTBUG] Too many bad commands");
		return;
	}
	cmd->no_sync = true;
	finish(cmd);
}

void
imap_cmd_syntax(struct imap_cmd *cmd)
{
	if (cmd->args.error == IMAP_ARGS_NAME)
		imap_cmd_end(cmd, "NO [CANNOT] No mailbox can have this name");
	else
		end_bad(cmd, cmd->args.why != NULL ? cmd->args.why : "Malformed arguments");
}

/* ---- arguments that need the session ---- */

static bool
add_named(const struct imap_view *v, struct span set, bool uid, struct uidset *uids)
{
	uint32_t star = uid ? imap_view_last_uid(v) : v->count;
	struct uidset named = { 0 };
	bool ok;

	if (span_eq_str(set, "$")) {
		uidset_add_set(uids, &v->saved);
		return true;
	}
	/* In an empty mailbox '*' is no number; as a uid it names nothing. */
	if (star == 0)
		star = uid ? v->uidnext : 0;
	ok = uidset_parse(&named, set, star, IMAP_RANGES_MAX);
	for (size_t i = 0; ok && i < named.n; i++) {
		if (uid)
			imap_view_add_uids(v, named.r[i].lo, named.r[i].hi, uids);
		else if (named.r[i].hi > v->count)
			ok = false;
		else
			imap_view_add_seqs(v, named.r[i].lo, named.r[i].hi, uids);
	}
	uidset_fini(&named);
	return ok;
}

bool
imap_session_uids(const struct imap_session *s, struct span set, bool uid, struct uidset *uids)
{
	if ((imap_cap_on(s, CAP_SEARCHRES) || !span_eq_str(set, "$")) &&
	    add_named(s->view, set, uid, uids))
		return true;
	uidset_fini(uids);
	return false;
}

bool
imap_cmd_uids(struct imap_cmd *cmd, struct span set, struct uidset *uids)
{
	if (imap_session_uids(cmd->session, set, cmd->uid, uids))
		return true;
	imap_args_fail(&cmd->args, "No such message number");
	imap_cmd_syntax(cmd);
	return false;
}

void
imap_put_mailbox(const struct imap_session *s, struct buf *out, struct span path)
{
	struct buf name = { 0 };
	bool atom = path.len > 0;

	if (s->utf8)
		buf_add_span(&name, path);
	else
		mailbox_name_to_utf7(path, &name);
	for (size_t i = 0; i < name.len && atom; i++)
		atom = imap_is_atom_char((unsigned char)name.data[i]);
	if (atom && !span_caseeq_str(buf_span(&name), "NIL"))
		buf_add_span(out, buf_span(&name));
	else if (s->utf8)
		imap_put_utf8_string(out, buf_span(&name));
	else
		imap_put_string(out, buf_span(&name));
	buf_fini(&name);
}

/* ---- starting a command ---- */

static struct imap_cmd *
new_cmd(struct imap_session *s)
{
	struct imap_cmd *cmd = mem_zalloc(sizeof(*cmd));

	cmd->session = s;
	s->cmd = cmd;
	return cmd;
}

struct imap_cmd *
imap_session_background(struct imap_session *s)
{
	struct imap_cmd *cmd = new_cmd(s);

	cmd->background = true;
	return cmd;
}

void
imap_session_background_end(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;

	drop_cmd(s);
	if (s->eof && conn_in(s->conn)->len == 0) {
		imap_session_cut(s);
		return;
	}
	if (s->srv->draining) {
		imap_session_bye(s, "[UNAVAILABLE] The server is going down, connect again");
		return;
	}
	imap_notify_dirty(s);
	if (!s->ending)
		run_held(s);
	if (!s->ending)
		imap_session_kick(s);
}

void
imap_session_args(const struct imap_session *s, struct span text, struct arena *arena,
    struct imap_args *a)
{
	imap_args_init(a, text, arena);
	a->utf8 = s->utf8;
	/* A password in LOGIN is whatever its bytes are. */
	a->utf8_quoted = s->state != IMAP_IN_START &&
	    (imap_cap_on(s, CAP_UTF8) || imap_cap_on(s, CAP_REV2));
}

/* Tag and name.  What has no tag is answered as "*". */
static void
read_name(struct imap_cmd *cmd, struct span text)
{
	struct imap_args *a = &cmd->args;
	struct span name;

	imap_session_args(cmd->session, text, &cmd->arena, a);
	cmd->tag = arena_span(&cmd->arena, imap_args_tag(a));
	if (cmd->tag.len > 256)
		imap_args_fail(a, "The tag is too long");
	if (!imap_args_good(a))
		cmd->tag = SPAN_LIT("*");
	imap_args_sp(a);
	if (imap_args_good(a) && (size_t)(a->end - a->p) > 4 &&
	    span_caseeq_str(span(a->p, 4), "UID ")) {
		a->p += 4;
		cmd->uid = true;
	}
	name = imap_args_atom(a);
	if (!imap_args_good(a))
		return;
	cmd->def = imap_command_find(cmd->session, name, cmd->uid);
	if (cmd->def == NULL)
		imap_args_fail(a, "Unknown command");
}

/* What the table says about when it may run; NULL: now. */
static const char *
refusal(const struct imap_cmd *cmd)
{
	const struct imap_session *s = cmd->session;

	if ((cmd->def->states & s->state) != 0)
		return NULL;
	if (s->state == IMAP_IN_START)
		return "Log in first";
	if (cmd->def->states == IMAP_IN_START)
		return "Already logged in";
	return "Select a mailbox first";
}

static void
run(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	const char *why;

	s->n_commands++;
	if (!imap_args_good(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	why = refusal(cmd);
	if (why != NULL) {
		end_bad(cmd, why);
		return;
	}
	if ((cmd->def->flags & IMAP_CMD_WRITES) && s->view != NULL && s->view->readonly &&
	    cmd->def->states == IMAP_IN_SELECTED) {
		imap_cmd_end(cmd, "NO [NOPERM] The mailbox is selected read-only");
		return;
	}
	if (s->uidonly && (cmd->def->flags & IMAP_CMD_UID) && !cmd->uid) {
		end_bad(cmd, "[UIDREQUIRED] Message numbers are not allowed once UIDONLY is enabled");
		return;
	}
	if (!imap_names_prepare(cmd, cmd->def->run))
		cmd->def->run(cmd);
	if (s->cmd != NULL && !s->ending)
		imap_progress_watch(s->cmd);
}

/* RFC 7888: LITERAL- takes what need not be announced up to 4096 bytes. */
const char *
imap_literal_refusal(const struct imap_session *s)
{
	const struct imap_literal *lit = &s->reader.literal;

	if (lit->sync || imap_cap_on(s, CAP_LITERAL_PLUS))
		return NULL;
	if (!imap_cap_on(s, CAP_LITERAL_MINUS))
		return "BAD No literal without waiting for the server here";
	return lit->size > LITERAL_MINUS_MAX ?
	    "BAD [TOOBIG] A literal over 4096 bytes waits for the server" : NULL;
}

/* What was too large is the value of an annotation (RFC 5257 §4.5)? */
static bool
is_annotation(const struct imap_session *s)
{
	static const char word[] = " ANNOTATION (";
	struct span text = buf_span(&s->reader.text);

	for (size_t i = 0; imap_cap_on(s, CAP_ANNOTATE) && i + sizeof(word) <= text.len; i++) {
		if (span_has_caseprefix(span_sub(text, i, sizeof(word) - 1), word))
			return true;
	}
	return false;
}

/* A literal of a command that keeps its literals, or of one that never started. */
static void
judge_literal(struct imap_session *s)
{
	const struct imap_literal *lit = &s->reader.literal;
	uint64_t max = s->srv->conf->max_literal_bytes;
	struct imap_cmd *cmd;

	if (s->state == IMAP_IN_START && max > START_LITERAL_MAX)
		max = START_LITERAL_MAX;
	if (imap_literal_refusal(s) == NULL && lit->size <= max && s->reader.text.len <= max - lit->size) {
		if (lit->sync)
			buf_add_str(imap_out(s), "+ OK\r\n");
		imap_reader_keep(&s->reader);
		return;
	}
	if (!lit->sync && lit->size > SKIP_MAX) {
		imap_session_bye(s, "[TOOBIG] The literal is too large");
		return;
	}
	if (!lit->sync) {
		imap_reader_skip(&s->reader);
		return;
	}
	cmd = new_cmd(s);
	read_name(cmd, buf_span(&s->reader.text));
	imap_cmd_end(cmd, is_annotation(s) ? "NO [ANNOTATE TOOBIG] The value is too large" :
	    "NO [TOOBIG] The literal is too large");
}

static void
start_command(struct imap_session *s, bool at_literal)
{
	struct imap_cmd *cmd = new_cmd(s);
	struct span text = buf_span(&s->reader.text);

	read_name(cmd, text);
	if (at_literal) {
		/* Only a command that streams starts before its text is whole. */
		if (imap_args_good(&cmd->args) && (cmd->def->flags & IMAP_CMD_STREAMS) &&
		    refusal(cmd) == NULL && imap_append_wants(cmd)) {
			s->n_commands++;
			return;
		}
		drop_cmd(s);
		judge_literal(s);
		return;
	}
	if (s->reader.skipped) {
		imap_cmd_end(cmd, is_annotation(s) ? "NO [ANNOTATE TOOBIG] A value was too large" :
		    imap_cap_on(s, CAP_LITERAL_PLUS) ?
		    "NO [TOOBIG] A literal was too large" :
		    "BAD [TOOBIG] A literal may not be sent without waiting, or was too large");
		return;
	}
	run(cmd);
}

static void
take_read(struct imap_session *s, enum imap_read what)
{
	switch (what) {
	case IMAP_READ_COMMAND:
		start_command(s, false);
		break;
	case IMAP_READ_LITERAL:
		if (s->reader.skipped)
			judge_literal(s);
		else
			start_command(s, true);
		break;
	case IMAP_READ_TOO_LONG:
		imap_session_bye(s, "[TOOBIG] The command line is too long");
		break;
	case IMAP_READ_MORE:
	case IMAP_READ_BYTES:
	case IMAP_READ_STREAMED:
		break;
	}
}

struct imap_cmd *
imap_session_take(struct imap_session *s)
{
	struct imap_cmd *cmd = mem_zalloc(sizeof(*cmd));

	cmd->session = s;
	read_name(cmd, buf_span(&s->reader.text));
	if (!imap_args_good(&cmd->args) || s->reader.skipped || refusal(cmd) != NULL ||
	    (s->uidonly && !cmd->uid))
		imap_cmd_free(&cmd);
	return cmd;
}

/* What was read while STOREs were under way, and is none of them. */
static void
run_held(struct imap_session *s)
{
	enum imap_read what = s->held;

	if (what == IMAP_READ_MORE || s->cmd != NULL || conn_full(s->conn))
		return;
	s->held = IMAP_READ_MORE;
	take_read(s, what);
	/* The client that went sends no more of it. */
	if (!s->ending && s->eof && conn_in(s->conn)->len == 0 &&
	    (s->cmd == NULL || s->cmd->input != NULL)) {
		imap_session_cut(s);
	}
}

static void
on_data(struct conn *c, void *arg)
{
	struct imap_session *s = arg;
	struct buf *in = conn_in(c);

	while (!s->ending && in->len > 0 && !conn_full(c)) {
		size_t had = in->len;
		enum imap_reader_mode mode = s->reader.mode;

		if (s->cmd == NULL && s->held != IMAP_READ_MORE)
			run_held(s);
		else if (s->cmd == NULL)
			take_read(s, imap_reader_read(&s->reader, in));
		else if (imap_together_may(s) ? !imap_together_read(s, in) :
		    s->cmd->input == NULL || !s->cmd->input(s->cmd))
			break;
		if (!s->ending && in->len == had && s->reader.mode == mode && s->cmd == NULL)
			break;
	}
	/* What is left of a client that went is no command. */
	if (!s->ending && s->eof && s->cmd == NULL && !conn_full(c)) {
		imap_session_cut(s);
		return;
	}
	/* A command is under way, or the client does not read: no more until that is over. */
	if (!s->ending && in->len > 0 && ((s->cmd != NULL && s->cmd->input == NULL &&
	    !imap_together_may(s)) || conn_full(c)))
		conn_pause(c);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct imap_session *s = arg;

	if (s->ending)
		return;
	if (s->cmd != NULL && s->cmd->drained != NULL) {
		void (*fn)(struct imap_cmd *) = s->cmd->drained;

		s->cmd->drained = NULL;
		fn(s->cmd);
	}
	if (!s->ending)
		imap_notify_dirty(s);
	if (!s->ending)
		run_held(s);
	if (!s->ending)
		imap_session_kick(s);
}

static void
on_eof(struct conn *c, void *arg)
{
	struct imap_session *s = arg;

	s->eof = true;
	if (s->cmd != NULL && s->cmd->input == NULL)
		return;
	imap_session_cut(s);
}

static const struct conn_ops conn_ops = {
	.data = on_data, .eof = on_eof, .drained = on_drained, .secured = front_on_secured,
	.closed = front_on_closed
};

/* ---- beginning ---- */

static void
on_timer(void *arg)
{
	struct imap_session *s = arg;

	if (s->state == IMAP_IN_START)
		imap_session_bye(s, "Login took too long");
	else if (s->cmd != NULL && imap_cmd_is_idle(s->cmd) && s->srv->conf->idle_keepalive_s > 0)
		imap_idle_still_here(s->cmd);
	else if (s->cmd != NULL && s->cmd->input == NULL && !conn_full(s->conn))
		restart_timer(s);	/* we are the slow ones */
	else
		imap_session_bye(s, "Autologout; idle for too long");
}

static void
greet(struct imap_session *s)
{
	struct buf *out = imap_out(s);

	buf_add_str(out, "* OK [CAPABILITY ");
	imap_capabilities(s, out);
	buf_add_str(out, "] Mansio ready\r\n");
}

struct imap_session *
imap_session_new(struct imap_server *srv, int fd, const char *id, const char *peer,
    const struct conf_listener *listener)
{
	struct imap_session *s = mem_zalloc(sizeof(*s));

	list_init(&s->owners);
	list_init(&s->behind);
	s->srv = srv;
	s->state = IMAP_IN_START;
	imap_caps_init(&s->caps, srv->conf, srv->jmap_url, srv->sieve_url.len > 0);
	imap_reader_init(&s->reader, srv->conf->max_line_bytes);
	front_session_open(&s->base, &srv->front, fd, id, peer, listener, &conn_ops, &imap_sasl,
	    on_timer);
	conn_set_water(s->conn, srv->conf->max_output_bytes / 4, srv->conf->max_output_bytes);
	/* Room for a line that is too long, so that it can be refused. */
	if (srv->conf->max_line_bytes + 4096 > IN_MAX)
		conn_set_in_max(s->conn, srv->conf->max_line_bytes + 4096);
	conn_set_idle(s->conn, ((uint64_t)srv->conf->idle_timeout_s + 60) * 1000);
	loop_timer_set(s->timer, (uint64_t)srv->conf->login_timeout_s * 1000);
	greet(s);
	return s;
}

bool
imap_session_may_starttls(const struct imap_session *s)
{
	return front_may_starttls(&s->base) && imap_cap_on(s, CAP_STARTTLS);
}

void
imap_session_set_state(struct imap_session *s, unsigned state)
{
	if (state != IMAP_IN_SELECTED) {
		imap_view_free(&s->view);
		imap_names_select(s, NULL);
	}
	s->state = state;
}

/* ---- what the worker asks for ---- */

static void
prepare(void)
{
	mime_charset_preload();
	tzset();		/* scripts see local time, whose rules are in a file */
}

static void
on_configured(struct front *f, const struct mansio_conf *conf)
{
	struct imap_server *srv = list_entry(f, struct imap_server, front);

	srv->conf = &conf->imap;
	srv->jmap_url = conf->jmap.url;
	imap_events_configured(srv, conf);
	imap_caps_check(srv->conf);
	imap_notify_configured(srv);
}

static void
on_accept(struct front *f, int fd, const char *id, const char *peer,
    const struct conf_listener *listener)
{
	imap_session_new(list_entry(f, struct imap_server, front), fd, id, peer, listener);
}

static void
on_fini(struct front *f)
{
	struct imap_server *srv = list_entry(f, struct imap_server, front);

	loop_timer_free(&srv->progress);
	buf_fini(&srv->server_entries);
	imap_events_fini(srv);
}

static void
on_bye(struct front_session *base, enum front_why why)
{
	struct imap_session *s = list_entry(base, struct imap_session, base);

	if (why == FRONT_EXPIRED)
		imap_session_bye(s, "[EXPIRED] The login has expired");
	else if (why == FRONT_REVOKED)
		imap_session_bye(s, "[UNAVAILABLE] The login was ended by the server");
	else if (s->cmd == NULL || imap_cmd_is_idle(s->cmd))
		imap_session_bye(s, "[UNAVAILABLE] The server is going down, connect again");
}

static void
on_renewed(struct front_session *base, struct span ticket)
{
	struct imap_session *s = list_entry(base, struct imap_session, base);

	store_renew(s->home, ticket);
	imap_names_renew(s, ticket);
}

const struct front_ops imap_front = {
	.program = "imapd",
	.too_many = "* BYE [LIMIT] Too many connections from your address\r\n",
	.ev_connect = "imap.connect", .ev_tls = "imap.tls", .ev_tls_failed = "imap.tls-failed",
	.ev_garbled = "imap.compress-failed",
	.ev_too_many_connections = "imap.too-many-connections",
	.prepare = prepare, .configured = on_configured, .rules = imap_events_rules,
	.accept = on_accept,
	.fini = on_fini, .renewed = on_renewed, .bye = on_bye, .ended = on_ended
};
