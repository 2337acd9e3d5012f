/* indexd/work.h
 * One job on one message: stored bytes in, what was asked for out.  No sockets. */
#ifndef INDEXD_WORK_H
#define INDEXD_WORK_H

#include "common/util/buf.h"
#include "indexd/extract.h"
#include "storage/api/index_proto.h"

struct work;

/* extract: who makes text of attachments, borrowed; NULL: nobody. */
struct work *work_new(const struct index_job_rq *rq, struct extract *extract);
void work_free(struct work **w);
/* The next stored bytes.  Not ST_OK: the job has failed; what is fed then is not looked at. */
enum status work_feed(struct work *w, struct span stored);
/* After the last piece: exactly one of both is filled, by the kind of the job; its spans point into
 * w. */
enum status work_finish(struct work *w, struct index_hash_is *hash, struct index_digest_is *digest);
/* The next part of the text, at most INDEX_TEXT_BYTES; after work_finish().  false: no more. */
bool work_text(struct work *w, struct index_text *t);

#endif
