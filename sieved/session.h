/* sieved/session.h
 * A client's session (RFC 5804 §2).  One command at a time; what was pipelined behind it
 * waits in the connection.  A command is found in a table, which says in which states it
 * may come and how many arguments it takes, and either answers before it returns or makes
 * the session busy until it answers: sieved_ok(), sieved_no() or sieved_bye(), exactly once.
 * Its arguments stay until then.
 *
 * Scripts are compiled here, and kept by the store. */
#ifndef SIEVED_SESSION_H
#define SIEVED_SESSION_H

#include "common/proto/imap_reader.h"
#include "common/proto/managesieve.h"
#include "front/front.h"

/* What all sessions of this worker share. */
struct sieved_server {
	FRONT(front);
	const struct mansio_conf	*conf;		/* replaced on reload */
	struct sieved_language {	/* values of capabilities; empty: not told */
		struct buf	sieve, redirects, notify, lists;
	} language;
};

/* States as bits, for the tables. */
enum {
	SIEVED_IN_START = 1, SIEVED_IN_AUTH = 2,
	SIEVED_IN_ANY = SIEVED_IN_START | SIEVED_IN_AUTH
};

struct sieved_session;

struct sieved_command {
	const char	*name;
	unsigned	states;
	/* Its arguments: 's' a string, 'n' a number; those behind '?' may be missing. */
	const char	*args;
	void		(*run)(struct sieved_session *s, const struct managesieve_arg *args, size_t n);
};

struct sieved_session {
	FRONT_SESSION(base);
	struct sieved_server	*srv;
	unsigned		state;
	bool			greeted;
	bool			answering;	/* what comes next answers a challenge */
	struct imap_reader	reader;
	uint64_t		kept;		/* bytes of this command's literals */
	struct store		*store;
	uint8_t			change;		/* SCRIPT_...: what the store is asked for */
	struct span		changed;	/* the script's name, as long as the command's text */
	struct buf		warnings;	/* of the script that is being put */
	uint64_t		n_put, n_got;
};

/* Takes fd over.  id, peer: copied. */
struct sieved_session *sieved_session_new(struct sieved_server *srv, int fd, const char *id,
    const char *peer, const struct conf_listener *listener);
/* Sends what was said, then closes. */
static inline void
sieved_session_end(struct sieved_session *s)
{
	front_session_end(&s->base);
}
static inline struct buf *
sieved_out(struct sieved_session *s)
{
	return conn_out(s->conn);
}
/* The time for a login begins, or that of silence. */
void sieved_session_restart_timer(struct sieved_session *s);

extern const struct front_ops sieved_front;

/* ---- the language ---- */

/* language.c: what a script may say here, and who may say it. */
void sieved_language_set(struct sieved_language *l, const struct mansio_conf *conf);
void sieved_language_fini(struct sieved_language *l);
/* enum sieve_offer */
unsigned sieved_offers(const struct mansio_conf *conf);

/* ---- answers ---- */

/* OK, NO, BYE: code without its parentheses, and text for people; each may be NULL. */
void sieved_ok(struct sieved_session *s, const char *code, const char *text);
void sieved_no(struct sieved_session *s, const char *code, const char *text);
void sieved_bye(struct sieved_session *s, const char *code, const char *text);
/* The same with a code and a text of any bytes. */
void sieved_answer(struct sieved_session *s, bool ok, struct span code, struct span text);
/* A command that makes no sense: counted. */
void sieved_bad(struct sieved_session *s, const char *text);
/* The answer was written by the command itself. */
void sieved_done(struct sieved_session *s);
/* By the table from status to response codes; text may be NULL. */
void sieved_fail(struct sieved_session *s, enum status st);

/* ---- tables ---- */

const struct sieved_command *sieved_command_find(struct span word);
extern const struct sieved_command sieved_cmds_any[], sieved_cmds_auth[], sieved_cmds_script[];

/* commands.c: the lines of RFC 5804 §1.7, then OK. */
void sieved_put_capabilities(struct sieved_session *s);
/* cmd_auth.c */
extern const struct sasl_ops sieved_sasl;
/* A text that answers a challenge; NULL: one that was too long. */
void sieved_auth_answer(struct sieved_session *s, char *text, size_t len);
/* Nothing of the login is left. */
void sieved_log_out(struct sieved_session *s);

#endif
