/* storage/service/record.h
 * What the service puts into journal records.
 *
 * JOURNAL_OP: u32 number of body pieces, each u32 segment, u32 offset, u32 length; then the
 * operation (storage/state/op.h).  The pieces lie in BODY records of the same tick or in
 * CHUNK records of this or earlier ones.
 * JOURNAL_OUTCOME: for each operation of an earlier tick varint lsn, u8 status, varint
 * modseq, varint mailbox, varint uid. */
#ifndef STORAGE_SERVICE_RECORD_H
#define STORAGE_SERVICE_RECORD_H

#include "common/util/bytes.h"
#include "storage/state/state.h"

#define RECORD_LOC_BYTES 12

/* The head of an operation's record; the operation's bytes follow. */
void record_op_head(struct buf *out, const struct journal_loc *locs, size_t n);
/* locs: array of struct journal_loc, replaced.  op borrows from the payload. */
bool record_op_get(struct span payload, struct op *op, struct buf *locs, size_t *n);

struct outcome {
	uint64_t	lsn;
	enum status	status;
	uint64_t	modseq, mailbox;
	uint32_t	uid;
};
struct outcome outcome_of(uint64_t lsn, const struct state_result *res);
void outcome_put(struct buf *out, const struct outcome *o);
bool outcome_get(struct reader *r, struct outcome *o);
bool outcome_eq(const struct outcome *a, const struct outcome *b);

#endif
