/* pop3d/session.h
 * A client's session (RFC 1939 §3).  One command at a time; what was pipelined behind it
 * waits in the connection.  A command is found in a table, which says in which states it
 * may come, and either answers before it returns or makes the session busy until it
 * answers: pop3_ok(), pop3_err() or the end of a multi-line answer, exactly once.
 *
 * Nothing is deleted before QUIT: a session that ends in any other way has changed
 * nothing. */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include "common/proto/pop3.h"
#include "front/front.h"
#include "pop3d/ahead.h"
#include "pop3d/maildrop.h"
#include "pop3d/uidl.h"

/* What all sessions of this worker share. */
struct pop3_server {
	FRONT(front);
	const struct conf_pop3	*conf;		/* replaced on reload */
	uint64_t		ahead_bytes;	/* held by all sessions */
};

/* States as bits, for the tables. */
enum {
	POP3_IN_AUTH = 1, POP3_IN_TRANS = 2, POP3_IN_UPDATE = 4,
	POP3_IN_ANY = POP3_IN_AUTH | POP3_IN_TRANS
};

struct pop3_session;

struct pop3_command {
	const char	*name;
	unsigned	states;
	void		(*run)(struct pop3_session *s, struct span rest);
};

/* A message on its way out, piece by piece. */
struct pop3_stream {
	struct body_reader	*reader;	/* NULL: none */
	struct pop3_stuffer	stuffer;
	struct pop3_top		top;
	struct pop3_header	header;
	struct buf		stored;		/* not unpacked yet */
	uint64_t		offset;		/* of what is asked for next */
	uint32_t		index;
	bool			whole;		/* RETR, not TOP */
	bool			ascii;		/* its header is made so */
	bool			begun;		/* the answer has begun */
};

/* The answer to the next RETR, made while a client that fetches one message after the
 * other reads the last one. */
struct pop3_ready {
	struct buf		answer;		/* empty: none */
	uint32_t		index;
	bool			utf8;		/* for a client that said UTF8 */
	uint32_t		next;		/* index of what would come next, of RETR alone */
	struct loop_task	*make;
};

struct pop3_session {
	FRONT_SESSION(base);
	struct pop3_server	*srv;
	unsigned		state;
	bool			utf8, lease_lost;
	bool			answering;	/* the next line answers a challenge */
	/* The client took output after conn_full(); cleared before it runs. */
	void			(*drained)(struct pop3_session *s);
	struct buf		name;		/* of USER, without folder */
	struct buf		folder;
	struct store		*store;
	struct maildrop		drop;
	struct drop_load	load;
	struct uidls		uidls;
	struct ahead		ahead;
	struct pop3_ready	ready;
	struct loop_timer	*rest;		/* what was read ahead is forgotten */
	struct pop3_stream	stream;
	uint32_t		at;		/* of a listing, of a message fetched, of QUIT */
	uint32_t		top_lines;
	bool			top;
	bool			tried;		/* once again, after the store was away */
	bool			fetching;	/* waits for a batch */
	uint64_t		n_retrieved, n_topped;
};

/* Takes fd over.  id, peer: copied. */
struct pop3_session *pop3_session_new(struct pop3_server *srv, int fd, const char *id,
    const char *peer, const struct conf_listener *listener);
/* Sends what was said, then closes; deletes nothing. */
static inline void
pop3_session_end(struct pop3_session *s)
{
	front_session_end(&s->base);
}
static inline struct buf *
pop3_out(struct pop3_session *s)
{
	return conn_out(s->conn);
}
/* Those that this client may use, with blanks between. */
struct span pop3_mechanisms(const struct pop3_session *s);
extern const struct front_ops pop3_front;

/* ---- answers ---- */

/* "+OK text" / "-ERR text", with CRLF; text with its response code. */
void pop3_ok(struct pop3_session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void pop3_err(struct pop3_session *s, const char *text);
/* A command that makes no sense: counted. */
void pop3_bad(struct pop3_session *s, const char *text);
/* The answer was written by the command itself. */
void pop3_done(struct pop3_session *s);
/* By the table from status to response codes. */
void pop3_fail(struct pop3_session *s, enum status st);

/* ---- tables ---- */

const struct pop3_command *pop3_command_find(struct span word);
extern const struct pop3_command pop3_cmds_any[], pop3_cmds_auth[], pop3_cmds_drop[],
    pop3_cmds_retr[], pop3_cmds_quit[];

/* cmd_auth.c */
extern const struct sasl_ops pop3_sasl;
/* A line that answers a challenge. */
void pop3_auth_answer(struct pop3_session *s, struct span line);
/* user+folder@domain; without a folder, or where that is not configured, user alone. */
void pop3_split_login(const struct conf_pop3 *conf, struct span login, struct buf *user,
    struct buf *folder);
/* The lease is asked for again after the store was away. */
void pop3_lease_again(struct pop3_session *s);
/* cmd_drop.c: a message number; false: answered. */
bool pop3_message(struct pop3_session *s, struct span *rest, uint32_t *index);
/* cmd_retr.c */
void pop3_stream_end(struct pop3_session *s);
/* Another session changed something: no message that is gone may be sent. */
void pop3_retr_stale(struct pop3_session *s);
/* The end of the session. */
void pop3_retr_end(struct pop3_session *s);

#endif
