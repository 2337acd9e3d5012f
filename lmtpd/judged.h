/* lmtpd/judged.h
 * A message and one recipient's mail rules: runs them, does what they want in one request, again when
 * what they relied on was not so any more, and keeps the message in INBOX whatever goes wrong. */
#ifndef LMTPD_JUDGED_H
#define LMTPD_JUDGED_H

#include "filter/plan.h"

struct judged;

struct judged_of {
	struct filter		*filter;	/* NULL: no scripts are run */
	const struct mansio_conf *(*conf)(void *arg);	/* as it is now */
	void			*conf_arg;
	struct loop		*loop;
	const struct log_ctx	*log;
	struct copy		*copy;		/* held, or soon: judged_held() */
	const struct kept	*kept;
	struct span		prefix;		/* what was put in front of the text */
	const char		*user, *address, *from;
	struct auth_client	*auth;		/* knows the recipient's other addresses */
	const char		*conn;		/* id of the connection */
	const struct dsn	*dsn;		/* NULL: nothing was said of reports */
	const char		*envelope_auth;	/* AUTH= as xtext; NULL: none */
	uint64_t		account;
	bool			utf8;
};

/* Runs once, never from inside a function of this header. */
typedef void (*judged_done_fn)(void *arg, enum status st);

/* All of it stays until it is freed, but prefix, which is copied. */
struct judged *judged_new(const struct judged_of *of, judged_done_fn done, void *arg);
/* The copy is held (ST_OK), or why not. */
void judged_held(struct judged *j, enum status st);
const char *judged_refusal(const struct judged *j);
/* What was done, for the log. */
const char *judged_words(const struct judged *j);
void judged_free(struct judged **j);

#endif
