/* Operations out of a journal: what decodes encodes to an operation that is the same; the
 * lists inside are read to their end. */
#include <assert.h>

#include "storage/api/store_push.h"
#include "storage/api/store_email.h"
#include "storage/api/store_sieve.h"
#include "storage/state/op.h"
#include "common/util/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_delivery(const struct op_deliver *d)
{
	struct store_deliver_place p;
	struct store_deliver_key k;
	struct store_queue_new q;
	struct reader r;

	reader_init(&r, d->places.p, d->places.len);
	while (get_store_deliver_place(&r, &p))
		assert(p.body < STORE_DELIVER_BODIES);
	reader_init(&r, d->keys.p, d->keys.len);
	while (get_store_deliver_key(&r, &k))
		assert(k.key.len == STORE_SIEVE_KEY);
	reader_init(&r, d->queue.p, d->queue.len);
	while (get_store_queue_new(&r, &q))
		assert(store_envelope_good(&q.env));
}

static void
read_lists(const struct op *op)
{
	struct op_default_mailbox d;
	struct op_append_item it;
	struct store_annotation a;
	struct reader r;
	uint64_t pieces = 0, counted;

	if (op->kind == OP_ACCOUNT_CREATE) {
		reader_init(&r, op->u.account_create.mailboxes.p, op->u.account_create.mailboxes.len);
		while (get_op_default_mailbox(&r, &d))
			;
	}
	if (op->kind == OP_APPEND || op->kind == OP_APPEND_ANNOTATED ||
	    op->kind == OP_APPEND_PLACED || op->kind == OP_APPEND_INTO) {
		reader_init(&r, op->u.append.items.p, op->u.append.items.len);
		while (get_op_append_item(&r, &it))
			pieces += it.pieces;
		assert(op_pieces(op, &counted) == reader_done(&r) && counted == pieces);
		reader_init(&r, op->u.append.annotations.p, op->u.append.annotations.len);
		while (get_store_annotation(&r, &a))
			;
	}
	if (op->kind == OP_DELIVER || op->kind == OP_DELIVER_OF) {
		reader_init(&r, op->u.deliver.bodies.p, op->u.deliver.bodies.len);
		while (get_op_append_item(&r, &it))
			pieces += it.pieces;
		assert(op_pieces(op, &counted) == reader_done(&r) && counted == pieces);
		read_delivery(&op->u.deliver);
	}
	if (op->kind == OP_SCRIPT_SET)
		(void)script_name_valid(op->u.script_set.name);
	if (op->kind == OP_RETENTION) {
		struct uidset uids = { 0 };

		reader_init(&r, op->u.retention.uids.p, op->u.retention.uids.len);
		(void)uidset_decode(&uids, &r, STORE_RANGES_MAX);
		uidset_fini(&uids);
	}
	if (op->kind == OP_RESTORE) {
		struct op_restore_step s;

		reader_init(&r, op->u.restore.steps.p, op->u.restore.steps.len);
		while (get_op_restore_step(&r, &s))
			;
	}
	if (op->kind == OP_PUSH) {
		struct store_push p;

		reader_init(&r, op->u.push.push.p, op->u.push.push.len);
		(void)get_store_push(&r, &p);
	}
	if (op->kind == OP_BLOB_PUT && op_pieces(op, &counted))
		assert(counted == op->u.blob_put.pieces);
	if (op->kind == OP_EMAIL_SET) {
		struct store_email_item e;

		reader_init(&r, op->u.email_set.items.p, op->u.email_set.items.len);
		while (get_store_email_item(&r, &e))
			;
	}
	if (op->kind == OP_RELOCATE) {
		struct op_move m;

		reader_init(&r, op->u.relocate.moves.p, op->u.relocate.moves.len);
		while (get_op_move(&r, &m))
			pieces++;
		if (op_pieces(op, &counted))
			assert(reader_done(&r) && counted == pieces);
	}
	if (op->kind == OP_ANNOTATE) {
		reader_init(&r, op->u.annotate.entries.p, op->u.annotate.entries.len);
		while (get_store_annotation(&r, &a))
			;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf a = { 0 }, b = { 0 };
	struct op op, again;

	if (!op_decode(&op, span(data, size)))
		return 0;
	read_lists(&op);
	op_encode(&op, &a);
	assert(op_decode(&again, buf_span(&a)));
	op_encode(&again, &b);
	assert(span_eq(buf_span(&a), buf_span(&b)));
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
