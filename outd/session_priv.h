/* What the two halves of a session share: its beginning (session_open.c), and letters (session.c). */
#ifndef OUTD_SESSION_PRIV_H
#define OUTD_SESSION_PRIV_H

#include "common/net/conn.h"
#include "common/proto/smtp_client.h"
#include "outd/dial.h"
#include "outd/login.h"
#include "outd/session.h"

enum stage {
	DIAL, GREETING, HELLO, HELLO_OLD, STARTTLS, HANDSHAKE, LOGIN,	/* session_open.c */
	READY, ENVELOPE, DATA, TEXT, FINAL, LEAVING
};

struct session {
	struct loop		*loop;
	struct session_conf	 conf;
	const struct session_ops *ops;
	void			*arg;
	struct dial		*dial;
	struct conn		*conn;
	struct loop_timer	*quiet;
	bool			 reading;	/* on_data_in() is at it, and frees what is ended meanwhile */
	bool			 ended;
	enum stage		 stage;
	struct smtp_reply	 reply;		/* as far as it came */
	struct smtp_offers	 offers;
	struct login		*login;
	bool			 worked;
	/* the letter */
	struct letter		*letter;	/* NULL: none; or nobody waits for it any more */
	bool			 reset;		/* RSET goes first */
	bool			 used;		/* a letter went this way before */
	bool			 answered;	/* something of this one */
	bool			 mailed;	/* MAIL was taken */
	size_t			 sent, got;	/* of the envelope's commands */
	uint32_t		 wanted;	/* bytes that may come yet */
	struct smtp_send	 text;
};

/* Of a reply: "relay.example: 550 5.1.1 no such user". */
void session_words(const struct session *s, const struct smtp_reply *r, char why[OUT_WHY_MAX + 1]);
/* It is over: nobody got the letter, or nobody knows; see session.h. */
void session_lost(struct session *s, const char *why);
/* No letter can go this way: the settings and the relay do not fit. */
void session_unfit(struct session *s, const char *why);
void session_line(struct session *s, const char *line);
/* Waits for a reply. */
void session_await(struct session *s, enum stage stage);

/* session_open.c */
extern const struct conn_ops session_conn_ops;		/* session.c's */
void session_open(struct session *s);
void session_opening(struct session *s, const struct smtp_reply *r);
void session_secured(struct conn *c, void *arg);

#endif
