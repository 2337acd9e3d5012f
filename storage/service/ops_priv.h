/* storage/service/ops_priv.h
 * What the files that make operations of requests share. */
#ifndef STORAGE_SERVICE_OPS_PRIV_H
#define STORAGE_SERVICE_OPS_PRIV_H

#include "storage/service/service_priv.h"

/* ops.c */
/* What is remembered of a change; nothing when it is not to be. */
enum status op_remembered(struct request *rq, uint64_t seq, struct state_result *res,
    uint32_t *part);
bool op_is_remembered(struct request *rq, uint64_t seq);
void op_start_staging(struct request *rq);

/* ops_bodies.c */
enum status op_prepare_append(struct request *rq, const struct store_append *msg);
enum status op_prepare_place(struct request *rq, const struct store_place *msg);
enum status op_prepare_blob_put(struct request *rq, const struct store_blob_put *msg);
enum status op_prepare_deliver(struct request *rq, const struct store_deliver *msg);

#endif
