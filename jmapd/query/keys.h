/* jmapd/query/keys.h
 * Puts emails in order: those keys that the mirror has are taken at once, the others are read from
 * the store, mailbox by mailbox. */
#ifndef JMAPD_QUERY_KEYS_H
#define JMAPD_QUERY_KEYS_H

#include "jmapd/query/sort.h"

struct loop;
struct store;

struct keys_item {
	uint64_t	id, thread, mailbox;
	uint32_t	uid;
};

struct keys;
/* items is taken over; sort is bound, and borrowed.  done runs later, once, unless the keys are
 * freed before. */
struct keys *keys_start(struct loop *l, struct store *s, const struct sort *sort,
    const struct rows *r, struct keys_item *items, size_t n,
    void (*done)(void *arg, enum status st), void *arg);
void keys_free(struct keys **k);
/* After done with ST_OK: there are emails whose keys were not found, for they were not at their places
 * any more. */
bool keys_missed(const struct keys *k);
/* Reads again, of the emails that are in r, with their places there; done runs again. */
void keys_again(struct keys *k, const struct rows *r);
/* After done with ST_OK: the ids in order, collapsed when asked for; the caller frees them. */
uint64_t *keys_take(struct keys *k, bool collapse, size_t *n);
/* The same for sorts that read nothing. */
uint64_t *keys_sort_now(const struct sort *sort, const struct rows *r, const uint32_t *rows,
    size_t n, bool collapse, size_t *n_ids);

#endif
