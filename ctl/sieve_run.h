/* ctl/sieve_run.h
 * Scripts compiled and run here, without a server, by its configuration where that can be read.
 * Scripts and messages are read by a child process that has given up all rights, files and
 * sockets before. */
#ifndef CTL_SIEVE_RUN_H
#define CTL_SIEVE_RUN_H

#include "common/util/span.h"
#include "ctl/ctl.h"

/* What `sieve run` is asked. */
struct sieve_try {
	const char	*script, *message;	/* files, or "-" for one of them */
	const char	*from, *to;		/* of the envelope; NULL: as the message says */
	const char	*mailboxes;		/* those that are there, parted by commas; NULL: any */
	const char	*include;		/* folder with the user's other scripts; NULL: none */
	/* An event of IMAP: APPEND, COPY or FLAG; NULL: a delivery. */
	const char	*event;
	const char	*mailbox;		/* of the event; NULL: INBOX */
	const char	*flags, *changed;	/* of it, parted by blanks; NULL: none */
	bool		trace;
};

/* path "-": standard input.  An exit code; the caller frees *text. */
int sieve_read_file(const char *path, size_t max, char **text, size_t *len);
/* CTL_FAILED: it has errors.  They, and warnings, are said on standard error. */
int sieve_compiles(struct ctl *ctl, struct span text, const char *name);
/* The same, and how it was read. */
int sieve_check_file(struct ctl *ctl, const char *path);
bool sieve_event_known(const char *event);
int sieve_try_run(struct ctl *ctl, const struct sieve_try *t);

#endif
