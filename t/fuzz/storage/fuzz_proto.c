/* ipc_decode over every message of the six protocols: byte 0 the protocol, 1 and 2
 * the message number, the rest its body.  What decodes must encode, and decode to the
 * same bytes again. */
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/auth/auth_proto.h"
#include "common/out/out_proto.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "common/worker/control_proto.h"
#include "storage/api/index_proto.h"
#include "storage/api/store_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct ipc_protocol *const protocols[] = {
		&store_protocol, &auth_protocol, &control_protocol, &admin_protocol,
		&out_protocol, &index_protocol
	};
	alignas(max_align_t) char msg[IPC_STRUCT_MAX], again[IPC_STRUCT_MAX];
	const struct ipc_message *m;
	struct buf one = { 0 }, two = { 0 };

	if (len < 3)
		return 0;
	m = ipc_find(protocols[data[0] % ARRAY_LEN(protocols)], get_be16(data + 1));
	if (m == NULL || ipc_decode(m, span(data + 3, len - 3), msg) != ST_OK)
		return 0;
	ipc_encode(m, msg, &one);
	if (ipc_decode(m, buf_span(&one), again) != ST_OK)
		abort();
	ipc_encode(m, again, &two);
	if (!span_eq(buf_span(&one), buf_span(&two)))
		abort();
	buf_clear(&two);
	ipc_describe(m, msg, &two, 500);
	buf_fini(&one);
	buf_fini(&two);
	return 0;
}
