/* storage/client/columns.h
 * Reads the columns (common/mime/columns.h) of many messages of a mailbox, for SORT and
 * THREAD.  Of messages whose columns the store does not know they are made from the
 * LIST blob, or from the bytes. */
#ifndef STORAGE_CLIENT_COLUMNS_H
#define STORAGE_CLIENT_COLUMNS_H

#include "common/mime/columns.h"
#include "common/net/loop.h"
#include "storage/client/store.h"

struct columns_job {
	struct loop	*loop;
	struct store	*store;
	uint64_t	mailbox;
	uint32_t	want;		/* bits 1 << enum mime_column */
	unsigned	fields;		/* ROW_... */
	bool		lists;		/* LIST blobs instead of columns, of every message */
};

struct columns_reader;
/* Once or twice for each message that is there: row when fields are asked for; col (MIME_COLUMNS
 * of them) or list, as asked for, then or in a later call.  All borrowed. */
typedef void (*columns_fn)(void *arg, uint32_t uid, const struct store_row *row,
    const struct span *col, const struct mime_list *list);

struct columns_reader *columns_read(const struct columns_job *job, const struct uidset *uids,
    columns_fn each, void (*done)(void *arg, enum status st), void *arg);
void columns_reader_free(struct columns_reader **r);

#endif
