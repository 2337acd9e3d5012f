/* common/transfer/maildir.h
 * Names in a Maildir and the two lists that Dovecot keeps in one, as formats of data:
 *
 *	cur/1600000000.000000005.mansio,S=120,U=5,Z=60:2,FSa	letters: flags; a..z: keywords by number
 *	dovecot-keywords	"0 name" lines
 *	dovecot-uidlist		"3 V<uidvalidity> N<uidnext> ..." and then "uid [P<uidl>] :name" lines
 *
 * Folders (Maildir++) are ".Name.Sub" beside INBOX's own cur and new, in modified UTF-7, in which a
 * '.' of a name is written as a shift too. */
#ifndef COMMON_TRANSFER_MAILDIR_H
#define COMMON_TRANSFER_MAILDIR_H

#include "common/transfer/transfer.h"

#define MAILDIR_KEYWORDS 26u

struct maildir_keywords {		/* zeroed: none */
	struct buf	names[MAILDIR_KEYWORDS];
	unsigned	n;
};
void maildir_keywords_fini(struct maildir_keywords *k);
/* The file's text; what is no such line is passed over. */
void maildir_keywords_read(struct maildir_keywords *k, struct span text);
void maildir_keywords_print(const struct maildir_keywords *k, struct buf *out);

/* Appends the name of m's file; keywords that find no place any more are left out: *left of them. */
void maildir_name(const struct transfer_message *m, struct maildir_keywords *k, unsigned *left,
    struct buf *out);
/* Flags and keywords, and the uid and zone that maildir_name() left there; m was cleared. */
void maildir_name_read(struct span name, const struct maildir_keywords *k,
    struct transfer_message *m);
/* The part of a name that stays when flags change. */
struct span maildir_base(struct span name);

void maildir_uidlist_begin(uint32_t uidvalidity, uint32_t uidnext, struct buf *out);
void maildir_uidlist_add(const struct transfer_message *m, struct span name, struct buf *out);
struct maildir_uid {
	uint32_t	uid;
	struct span	uidl, base;
};
/* The first line; false: it is none. */
bool maildir_uidlist_head(struct span line, uint32_t *uidvalidity, uint32_t *uidnext);
bool maildir_uidlist_line(struct span line, struct maildir_uid *u);

/* ".Name.Sub"; the empty name for INBOX. */
void maildir_folder(struct span path, struct buf *out);
/* false: it is no folder's name. */
bool maildir_folder_read(struct span name, struct buf *path);

#endif
