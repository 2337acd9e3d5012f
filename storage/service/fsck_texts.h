/* storage/service/fsck_texts.h
 * Reads the files of texts (storage/search) through, an account after the other, in the helper threads
 * and between their searches.  What is damaged is not known, and goes with the next sweep. */
#ifndef STORAGE_SERVICE_FSCK_TEXTS_H
#define STORAGE_SERVICE_FSCK_TEXTS_H

#include <stdint.h>

#include "common/util/span.h"

struct service;
struct fsck_texts;

/* In the loop: lines about an account's texts; account 0: it is over, and gone. */
typedef void (*fsck_texts_fn)(void *arg, uint64_t account, struct span lines);

/* account 0: all of them. */
struct fsck_texts *fsck_texts_start(struct service *svc, uint64_t account, fsck_texts_fn fn,
    void *arg);
/* fn is not called any more. */
void fsck_texts_cancel(struct fsck_texts **f);

#endif
