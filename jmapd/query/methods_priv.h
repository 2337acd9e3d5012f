/* jmapd/query/methods_priv.h
 * What the files of methods share. */
#ifndef JMAPD_QUERY_METHODS_PRIV_H
#define JMAPD_QUERY_METHODS_PRIV_H

#include "jmapd/core/method.h"

struct filter;

void jmap_snippet_get(struct jmap_call *c);
/* json: NULL is everything.  false: the call is over. */
bool query_filter(struct jmap_call *c, const struct json *json, struct filter *f);
/* The call ends with what a mirror, a search or a sort says instead of ST_OK. */
void query_refuse(struct jmap_call *c, enum status st);

#endif
