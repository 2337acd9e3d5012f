/* storage/api/rights.h
 * The letters of rights (RFC 4314 §2.1), and those of RFC 2086 that stand for several. */
#ifndef STORAGE_API_RIGHTS_H
#define STORAGE_API_RIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

/* "lrs"; 'c' and 'd' are told with any of their members. */
void rights_print(uint32_t rights, struct buf *out);
/* false: a letter that is none. */
bool rights_parse(struct span text, uint32_t *rights);

#endif
