/* storage/service/texts.h
 * The texts that a shard keeps for searches (storage/search): taken behind the commit, held in
 * memory until there is a block of them or some time went by, written by helper threads, which
 * search them too.  What is held dies with the process, and is then not known.
 *
 * Memory is bounded: texts that come faster than they are written are not kept, and the lists of
 * blocks of accounts that nobody searches go. */
#ifndef STORAGE_SERVICE_TEXTS_H
#define STORAGE_SERVICE_TEXTS_H

#include "storage/api/store_types.h"
#include "storage/search/text.h"
#include "storage/service/pool.h"

struct service;
struct texts;
struct texts_search;

/* The files lie in the shard's folder. */
struct texts *texts_new(struct service *svc);
/* Writes what is held. */
void texts_free(struct texts **t);

/* The text of a message of the account that is there. */
void texts_add(struct texts *t, uint64_t account, uint64_t message, const struct store_text *text);
/* An answered append: its items' texts; messages: the ids they got, u64 each, in order; uid: the first
 * one's, 0: not known.  Where indexd makes text of attachments, messages that may have such are
 * left to it, and not known until then. */
void texts_take(struct texts *t, uint64_t account, struct span items, struct span messages,
    uint64_t mailbox, uint32_t uid);
/* The account was purged. */
void texts_drop(struct texts *t, uint64_t account);

/* Searches the account's texts; s is the caller's again when done runs, in the loop.  One that was
 * cancelled ends soon, its done runs like any other's.  good: no damage was met. */
typedef void (*texts_done_fn)(void *arg, bool good);
struct texts_search *texts_search(struct texts *t, uint64_t account, struct text_search *s,
    texts_done_fn done, void *arg);
void texts_cancel(struct texts_search *ts);

/* Mail whose text is not known: it is read anew when there is time (storage/service/index.h). */
void texts_missing(struct texts *t, uint64_t account, uint64_t mailbox, const struct uidset *uids);

/* For who reads the files through: their folder, the threads; a file that is damaged is written anew
 * without what is. */
int texts_dir(const struct texts *t);
struct pool *texts_pool(struct texts *t);
void texts_damaged(struct texts *t, uint64_t account);

/* "name=value\n" */
void texts_stats(const struct texts *t, struct buf *out);

#endif
