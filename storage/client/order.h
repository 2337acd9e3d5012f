/* storage/client/order.h
 * Puts rows of keys in order, in slices; rows that are equal keep theirs.
 *
 * A row has nc keys.  A key is a number, or a text of which the first eight bytes are also there
 * as a number.  Eight bytes at a time are sorted by radix, together with the row's index, so
 * that a pass reads memory from front to back; only rows that are equal there have their next
 * eight bytes looked at, or their next key. */
#ifndef STORAGE_CLIENT_ORDER_H
#define STORAGE_CLIENT_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What order_new() takes of memory for a row. */
#define ORDER_ROW_BYTES 32u

struct order_text {
	uint32_t	at, len;	/* in the texts */
};

/* Borrowed until order_free(). */
struct order_keys {
	size_t			n, nc;
	const uint64_t		*prefix;	/* nc of each row; of a text zeros behind its end */
	const struct order_text	*text;		/* the same; those of numbers are not looked at */
	const char		*texts;
	const bool		*is_text, *reverse;	/* nc */
};

struct order;
struct order *order_new(const struct order_keys *k);
void order_free(struct order **o);
/* false: there is more to do, and the time is over. */
bool order_run(struct order *o, uint64_t until_us);
/* After order_run(): the row that is the i-th. */
size_t order_at(const struct order *o, size_t i);

#endif
