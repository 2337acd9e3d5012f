/* common/proto/imap_search.h
 * The arguments of IMAP SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 7162 §3.1.5) as a
 * search tree.  Nodes and strings are the arguments' arena's. */
#ifndef COMMON_PROTO_IMAP_SEARCH_H
#define COMMON_PROTO_IMAP_SEARCH_H

#include "common/mail/search.h"
#include "common/proto/imap_args.h"

enum {
	IMAP_RETURN_MIN = 1, IMAP_RETURN_MAX = 2, IMAP_RETURN_ALL = 4, IMAP_RETURN_COUNT = 8
};

struct imap_search {
	bool			extended;	/* RETURN stood there */
	unsigned		wants;		/* IMAP_RETURN_... */
	bool			bad_charset;
	bool			modseq;		/* the MODSEQ key is used */
	struct search_node	*root;
};

/* [SP "RETURN" SP "(" ... ")"] [SP "CHARSET" SP charset] 1*(SP search-key) */
void imap_search_parse(struct imap_args *a, struct imap_search *s);

#endif
