/* imapd/finding.h
 * What SEARCH, SORT, THREAD and ESEARCH share: reading the program, running it over the
 * selected mailbox, and telling the result in pieces that the client can take. */
#ifndef IMAPD_FINDING_H
#define IMAPD_FINDING_H

#include "common/proto/imap_search.h"
#include "storage/client/searcher.h"
#include "imapd/session.h"

struct sorter;
struct multi;

/* Messages in the order in which they are told. */
struct imap_result {
	uint32_t	*uids;
	size_t		n;
	unsigned char	*scores;	/* NULL: none wanted */
};

struct imap_finding {
	struct imap_search	q;
	struct search_program	program;
	struct searcher		*searcher;
	struct sorter		*sorter;
	struct search_found	found;
	struct imap_result	result;
	bool			uid;		/* uids are told, not numbers */
	bool			limited;	/* to what one command may look at */
	void			(*then)(struct imap_cmd *cmd);	/* found is there */
	struct multi		*multi;		/* of cmd_esearch.c */
	struct span		text;		/* of the arguments, for who reads them again */
	void			(*parse)(struct imap_args *a, struct imap_search *s);
	/* telling */
	const char		*plain;		/* "SORT"; NULL: ESEARCH */
	struct buf		*head;		/* instead of TAG's correlator */
	void			(*told)(struct imap_cmd *cmd);
	size_t			at;
	unsigned		item;
	bool			open;
};

/* Words that this session's switches take away. */
unsigned imap_search_off(const struct imap_session *s, bool sort);
/* Fills the sets and ids of a program from a view and the saved result. */
void imap_search_resolve(struct search_program *p, const struct imap_view *v);
/* The messages of a view that are still there. */
void imap_search_universe(const struct imap_view *v, struct uidset *uids);

/* Reads the arguments; cmd->data becomes a finding.  NULL: the command was ended. */
struct imap_finding *imap_finding_new(struct imap_cmd *cmd,
    void (*parse)(struct imap_args *a, struct imap_search *s));
void imap_finding_release(struct imap_cmd *cmd);
/* Searches the view, then calls `then`; or ends the command with its failure. */
void imap_finding_run(struct imap_cmd *cmd, void (*then)(struct imap_cmd *cmd));
void imap_finding_run_view(struct imap_cmd *cmd, const struct imap_view *v,
    void (*then)(struct imap_cmd *cmd));
/* The result as found: in mailbox order. */
void imap_finding_in_order(struct imap_finding *f);
/* Tells f->result and calls f->told. */
void imap_finding_tell(struct imap_cmd *cmd);
/* What "$" becomes. */
void imap_finding_save(struct imap_cmd *cmd);
/* "12,13:15": runs are told as ranges where they rise. */
struct imap_set_printer {
	uint32_t	lo, hi;
	bool		any;
};
void imap_set_add(struct imap_set_printer *p, uint32_t n, struct buf *out);
void imap_set_end(struct imap_set_printer *p, struct buf *out);

#endif
