/* imapd/session.h
 * A client's session and the command under way in it.
 *
 * One command runs at a time; what was pipelined behind it waits in the connection, but for
 * STOREs, of which several may be at the store together (together.h).
 * A command starts with its arguments, ends with one of the imap_cmd_* endings exactly
 * once, and never writes its tagged line: before that line the session tells what
 * others changed in the selected mailbox, as far as the command's table entry lets it
 * (RFC 3501 §5.5, §7.4.1). */
#ifndef IMAPD_SESSION_H
#define IMAPD_SESSION_H

#include "common/mail/search.h"
#include "common/proto/imap_args.h"
#include "common/proto/imap_reader.h"
#include "front/front.h"
#include "imapd/capability.h"
#include "imapd/view.h"

/* What all sessions of this worker share. */
struct imap_server {
	FRONT(front);
	const struct conf_imap	*conf;		/* replaced on reload */
	const char		*jmap_url;	/* likewise; "": JMAP is not to be told of */
	struct filter		*filter;	/* of scripts for events */
	struct buf		sieve_url;	/* where they are managed; empty: nothing is to be told */
	const char		*event_script;	/* of mailboxes that name none; "": none */
	struct loop_timer	*progress;	/* progress.c */
	struct buf		server_entries;	/* cmd_notify.c: values of the server's own annotations */
};

/* States as bits, for the tables. */
enum {
	IMAP_IN_START = 1, IMAP_IN_AUTH = 2, IMAP_IN_SELECTED = 4,
	IMAP_IN_LOGIN = IMAP_IN_AUTH | IMAP_IN_SELECTED,
	IMAP_IN_ANY = IMAP_IN_START | IMAP_IN_LOGIN
};

enum {
	IMAP_CMD_WRITES = 1,		/* needs a mailbox selected read-write, if one is meant */
	IMAP_CMD_UID = 2,		/* may stand behind "UID" */
	IMAP_CMD_UID_ONLY = 4,
	IMAP_CMD_NO_EXPUNGE = 8,	/* no EXPUNGE before its end, unless behind "UID" */
	IMAP_CMD_FRESH = 16,		/* asks the store for changes whatever is known */
	IMAP_CMD_SECRET = 32,		/* its text is never shown in a trace */
	IMAP_CMD_STREAMS = 64,		/* its literals are messages: see imap_append_wants() */
	IMAP_CMD_LONG = 128		/* may take long, and writes whole lines: INPROGRESS between */
};

struct imap_cmd;
struct imap_session;

struct imap_command {
	const char	*name;
	unsigned	states;
	unsigned	flags;
	enum imap_cap	cap;		/* off: the command is unknown */
	void		(*run)(struct imap_cmd *cmd);
};

struct imap_cmd {
	struct imap_session		*session;
	const struct imap_command	*def;
	struct span			tag;
	bool				uid;
	struct imap_args		args;
	struct arena			arena;
	struct buf			result;		/* of the tagged line, without tag */
	/* A command that reads more of the client's bytes; true: took some. */
	bool				(*input)(struct imap_cmd *cmd);
	/* The client took output after conn_full(). */
	void				(*drained)(struct imap_cmd *cmd);
	/* Frees what `data` holds; also when the session ends before the command. */
	void				(*release)(struct imap_cmd *cmd);
	void				(*synced)(struct imap_cmd *cmd);	/* see sync.h */
	void				*data;
	struct imap_telling		*telling;	/* sync.c */
	struct imap_earlier		*earlier;
	struct imap_events		*events;	/* events.h; NULL: none */
	/* How far it is, in messages; NULL, or a goal left 0: not known. */
	void				(*progress)(const struct imap_cmd *cmd, uint64_t *done,
	    uint64_t *goal);
	uint64_t			told_ms;	/* of its progress */
	uint32_t			limit, lowest_uid;	/* limits.c; 0: all was done */
	/* Where its ending leads to instead: a part of it that is a command in itself ended. */
	void				(*after)(struct imap_cmd *cmd);
	bool				ended;
	bool				background;	/* nobody sent it: no tagged line */
	bool				no_sync;	/* changes are not asked for at the end */
	bool				together;	/* together.h; its text is done with */
	bool				ready;		/* it ended behind one that has not */
	struct list			node;		/* of session->behind */
};

struct imap_session {
	FRONT_SESSION(base);
	struct imap_server	*srv;
	unsigned		state;
	struct imap_caps	caps;		/* whose code is switched on */
	bool			rev2;		/* IMAP4rev2 was enabled (RFC 9051) */
	bool			utf8;		/* names and strings are UTF-8: rev2, or UTF8=ACCEPT */
	bool			utf8_accept;	/* UTF8=ACCEPT was enabled (RFC 9755) */
	bool			condstore;	/* the client knows modseqs: imap_condstore() sets it */
	bool			qresync;	/* VANISHED instead of EXPUNGE */
	bool			uidonly;	/* no sequence numbers at all (RFC 9586) */
	bool			watching;	/* the store sends its notes */
	bool			idle_paused;
	enum search_collation	collation;	/* of SEARCH, SORT and THREAD (RFC 5255) */
	struct imap_reader	reader;
	struct imap_cmd		*cmd;		/* NULL: none under way */
	struct list		behind;		/* together.h: under way behind cmd */
	unsigned		n_behind, n_together;
	enum imap_read		held;		/* read, and waits for those; IMAP_READ_MORE: nothing */
	struct store		*store;		/* of the mailbox selected; else home */
	struct store		*home;		/* the account's own */
	uint32_t		shard;
	struct list		owners;		/* names.c: other accounts, by name */
	unsigned		n_owners;
	void			*preparing;
	struct auth_lookup	*naming;
	enum status		naming_failed;	/* of names that a command holds */
	struct buf		list_prefix, list_subscribed;
	bool			undelete_named;	/* the command names what was deleted */
	bool			undelete_own;	/* the account has a mailbox of that name */
	uint64_t		dirty_modseq;	/* of the store's last note */
	struct imap_view	*view;		/* NULL: nothing selected */
	struct imap_notify	*notify;	/* NULL: NOTIFY was not used */
	struct imap_beside	*beside;	/* beside.h; NULL: none under way */
	uint32_t		bad_urls;
	uint64_t		quota_near;	/* per cent to tell of; 0: nothing */
	uint32_t		next_stage;
	uint64_t		n_commands, n_fetched, n_appended;
};

/* Takes fd over.  id, peer: copied. */
struct imap_session *imap_session_new(struct imap_server *srv, int fd, const char *id,
    const char *peer, const struct conf_listener *listener);
/* "* BYE text", then the end. */
void imap_session_bye(struct imap_session *s, const char *text);
/* The end without BYE: where it would stand inside a literal. */
static inline void
imap_session_cut(struct imap_session *s)
{
	front_session_end(&s->base);
}
static inline struct buf *
imap_out(struct imap_session *s)
{
	return conn_out(s->conn);
}
/* That the account is near its limit, when it is and may be told now. */
void imap_tell_quota(struct imap_session *s);
/* Something may have been left in the connection: look again in the next round. */
static inline void
imap_session_kick(struct imap_session *s)
{
	front_session_kick(&s->base);
}
/* The password may be asked for. */
static inline bool
imap_session_may_login(const struct imap_session *s)
{
	return front_may_login(&s->base);
}
/* A command that nobody sent, for what is told between commands; what the client sends
 * meanwhile waits.  Only when none is under way. */
struct imap_cmd *imap_session_background(struct imap_session *s);
void imap_session_background_end(struct imap_cmd *cmd);
/* Moves to a state; leaving SELECTED frees the view. */
void imap_session_set_state(struct imap_session *s, unsigned state);
/* Forgets the login and all that was asked for since (RFC 8437): as before it, except for
 * TLS and what counts failed logins. */
void imap_session_leave(struct imap_session *s);
/* STARTTLS is offered. */
bool imap_session_may_starttls(const struct imap_session *s);
/* The extension's code is switched on: ask it where the extension changes something. */
static inline bool
imap_cap_on(const struct imap_session *s, enum imap_cap cap)
{
	return cap == CAP_NONE || imap_caps_has(&s->caps, cap);
}
extern const struct front_ops imap_front;

/* ---- endings of a command: exactly one of them ---- */
/* By the table from status to response codes; ST_OK gives "OK name completed". */
void imap_cmd_done(struct imap_cmd *cmd, enum status st);
/* The arguments were read with an error: BAD, or NO for a name that cannot be. */
void imap_cmd_syntax(struct imap_cmd *cmd);
/* "NO text" / "BAD text" / "OK text": with its response code, without CRLF. */
void imap_cmd_end(struct imap_cmd *cmd, const char *text);
/* As imap_cmd_end, with what stands in cmd->result. */
void imap_cmd_end_result(struct imap_cmd *cmd);
/* A store_done_fn for commands that have nothing to say but how it ended. */
void imap_cmd_finish(void *arg, enum status st, bool more, const void *msg);
/* A store_done_fn that takes notice of nothing. */
void imap_ignore(void *arg, enum status st, bool more, const void *msg);
/* Code and text for a status: "[NONEXISTENT] No such mailbox". */
const char *imap_status_text(enum status st);

/* Reads text as the session reads its commands: with UTF-8 where that is in force. */
void imap_session_args(const struct imap_session *s, struct span text, struct arena *arena,
    struct imap_args *a);
/* At a literal: why its form is not taken, as a tagged line; NULL: it is. */
const char *imap_literal_refusal(const struct imap_session *s);

/* Takes the text that was read as a command, which is not under way yet: its arguments stand
 * behind its name.  NULL: it is none that the session's state, or its reader, lets run. */
struct imap_cmd *imap_session_take(struct imap_session *s);
void imap_cmd_free(struct imap_cmd **cmd);
/* The command at hand is the one under way from now on; it may have ended already. */
void imap_session_promote(struct imap_session *s, struct imap_cmd *cmd);

/* The messages that a sequence-set or uid-set names, as uids that the client knows; false: a
 * number does not exist. */
bool imap_session_uids(const struct imap_session *s, struct span set, bool uid,
    struct uidset *uids);
/* The messages that a sequence-set or uid-set names, as uids that the client knows.
 * false: the command was ended (a sequence number that does not exist: BAD). */
bool imap_cmd_uids(struct imap_cmd *cmd, struct span set, struct uidset *uids);

/* Appends a name as astring or quoted string, as LIST does: in modified UTF-7, or in UTF-8
 * where the client enabled it. */
void imap_put_mailbox(const struct imap_session *s, struct buf *out, struct span path);
/* ---- tables ---- */
/* NULL: unknown to this session. */
const struct imap_command *imap_command_find(const struct imap_session *s, struct span name,
    bool uid);
extern const struct imap_command *const imap_families[];	/* NULL at the end */
extern const struct imap_command imap_cmds_any[], imap_cmds_auth[], imap_cmds_mailbox[],
    imap_cmds_list[],
    imap_cmds_select[], imap_cmds_append[], imap_cmds_fetch[], imap_cmds_store[],
    imap_cmds_copy[], imap_cmds_search[], imap_cmds_context[], imap_cmds_esearch[],
    imap_cmds_comparator[], imap_cmds_language[], imap_cmds_expunge[], imap_cmds_idle[], imap_cmds_acl[],
    imap_cmds_metadata[], imap_cmds_quota[], imap_cmds_notify[], imap_cmds_batches[],
    imap_cmds_urlauth[];

/* cmd_auth.c */
extern const struct sasl_ops imap_sasl;

/* cmd_idle.c: the session's timer rang, or something changed. */
void imap_idle_still_here(struct imap_cmd *cmd);
void imap_idle_dirty(struct imap_cmd *cmd);
bool imap_cmd_is_idle(const struct imap_cmd *cmd);

#endif
