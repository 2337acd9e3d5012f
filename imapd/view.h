/* imapd/view.h
 * What the client knows of the selected mailbox: which uid each sequence number
 * means.  Changes by others are merged here first and told when the protocol lets us;
 * until then numbers keep their meaning.
 *
 * Uids are kept as runs.  Where there are many, the views of a mailbox in this process that know
 * the same uids have them in common: the set is never changed while more than one view holds it,
 * and one that went ways of its own joins the others again when it has been told what they know. */
#ifndef IMAPD_VIEW_H
#define IMAPD_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mail/flags.h"
#include "common/mail/uidset.h"
#include "storage/client/store.h"

struct imap_session;
struct imap_contexts;
struct imap_annotated;

struct view_uids;	/* the uids: sessions on the same mailbox share them while they agree */

/* The question that UIDBATCHES answered last, and the mailbox then. */
struct view_batches {
	uint32_t	size, from, to, count, uidnext;
};

struct imap_view {
	uint64_t		mailbox;
	struct buf		path;
	uint32_t		uidvalidity, uidnext;
	uint64_t		modseq;		/* changes up to it are merged */
	uint64_t		safe;		/* no expunge up to it is untold */
	uint32_t		rights;
	bool			readonly;
	bool			examined;	/* as the client wished it; else by its rights */
	bool			no_recent;	/* IMAP4rev2 knows nothing of it */
	bool			dirty;		/* the store said that something changed */
	bool			gone;		/* the mailbox was deleted */
	struct view_uids	*u;
	uint32_t		count;
	struct uidset		expunged;	/* by others, not told yet */
	struct uidset		recent;
	struct uidset		changed;	/* flags changed by others, not told yet */
	uint32_t		told_count, told_recent;	/* EXISTS and RECENT as told last */
	struct buf		keywords;	/* names by bit: put_store_keyword */
	uint32_t		n_keywords, told_keywords;
	struct view_batches	batches;
	/* Of the account: no change up to it is unknown here.  A silent STORE that got the very
	 * next one hides nobody else's change of the same message. */
	uint64_t		settled, settling;
	/* Our own changes since `modseq`: rows of these uids and modseqs were told already. */
	struct uidset		own_uids;
	uint64_t		*own;
	size_t			n_own;
	struct uidset		saved;		/* "$", RFC 5182 */
	struct imap_annotated	*annotated;	/* annotations.h; NULL: their changes are not told */
	struct imap_contexts	*contexts;	/* context.h; NULL: none */
	uint64_t		url_reset;	/* modseq of the last RESETKEY that is known here */
	bool			url_news;	/* and to be told */
};

struct imap_view *imap_view_new(const struct store_opened *o, struct span path, bool readonly);
void imap_view_free(struct imap_view **v);
/* How many views hold the set of uids that v holds, v among them. */
uint32_t imap_view_sharers(const struct imap_view *v);

/* 0: not in the view / no such number. */
uint32_t imap_view_seq(const struct imap_view *v, uint32_t uid);
uint32_t imap_view_uid(const struct imap_view *v, uint32_t seq);
uint32_t imap_view_last_uid(const struct imap_view *v);
/* All uids of the view, or those of [lo, hi] in numbers or uids. */
void imap_view_add_uids(const struct imap_view *v, uint32_t lo, uint32_t hi, struct uidset *out);
void imap_view_add_seqs(const struct imap_view *v, uint32_t lo, uint32_t hi, struct uidset *out);
void imap_view_append(struct imap_view *v, uint32_t uid);
/* Forgets messages; the numbers behind them shift. */
void imap_view_remove(struct imap_view *v, const struct uidset *uids);
uint32_t imap_view_recent(const struct imap_view *v);
/* From now on no message is \Recent and no RECENT is told (RFC 9051). */
void imap_view_no_recent(struct imap_view *v);

/* The account's keyword table, whole; ignored when it is not longer than what is known. */
void imap_view_keywords(struct imap_view *v, struct span list);
/* Bit of a keyword; -1: nobody used it yet. */
int imap_view_keyword(const struct imap_view *v, struct span name);
/* " (\Seen $Forwarded)" without the leading blank. */
void imap_view_put_flags(const struct imap_view *v, uint32_t uid, struct flags f, struct buf *out);
/* "* FLAGS", and PERMANENTFLAGS when asked for. */
void imap_view_tell_keywords(struct imap_view *v, bool permanent, struct buf *out);
/* The account's keywords came along with rows: the new ones are told before the rows are. */
void imap_view_learn(struct imap_view *v, struct span list, struct buf *out);

/* Our own change of that message was told: it is no news. */
void imap_view_own(struct imap_view *v, uint32_t uid, uint64_t modseq);

/* Merges what the store said. */
void imap_view_merge(struct imap_view *v, const struct store_changes_are *c);
/* Tells EXISTS, RECENT, and EXPUNGE (vanished: VANISHED) when it may; the rows of `changed`
 * are fetched by the session. */
void imap_view_tell(struct imap_view *v, bool expunges, bool vanished, struct buf *out);
/* Own expunges: told at once. */
void imap_view_tell_expunged(struct imap_view *v, const struct uidset *uids, bool vanished,
    struct buf *out);
/* "* VANISHED [(EARLIER) ]uids", in lines of a bounded length; nothing for the empty set. */
void imap_put_vanished(const struct uidset *uids, bool earlier, struct buf *out);
/* The highest of the pairs (n-th of seqs, n-th of uids) that is true here; 0: none
 * (RFC 7162 §3.2.5.2).  Both sets have the same count. */
uint32_t imap_view_match(const struct imap_view *v, const struct uidset *seqs,
    const struct uidset *uids);

#endif
