/* common/json/put.h
 * Writing what was read. */
#ifndef COMMON_JSON_PUT_H
#define COMMON_JSON_PUT_H

#include "common/json/json.h"
#include "common/json/writer.h"

/* The value as one value more of w. */
void json_put(struct json_writer *w, const struct json *v);

#endif
