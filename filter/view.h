/* filter/view.h
 * A message as scripts see it: what was put in front of it here, and what was kept of it.  Behind what
 * was kept of a long one there seem to be empty lines. */
#ifndef FILTER_VIEW_H
#define FILTER_VIEW_H

#include "filter/kept.h"
#include "sieve/message.h"

struct filter_view;

/* k stays until it is freed, and is whole or cut by now; prefix is copied. */
struct filter_view *filter_view_new(const struct kept *k, struct span prefix);
struct sieve_message *filter_view_message(const struct filter_view *v);
void filter_view_free(struct filter_view **v);

#endif
