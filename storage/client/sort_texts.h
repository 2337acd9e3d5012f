/* storage/client/sort_texts.h
 * The keys that rows of messages are put in order by (order.h): numbers, and the texts of
 * columns, which may be cut there; then the LIST blob has the whole one. */
#ifndef STORAGE_CLIENT_SORT_TEXTS_H
#define STORAGE_CLIENT_SORT_TEXTS_H

#include "common/mail/search.h"
#include "common/mime/columns.h"
#include "common/util/buf.h"
#include "storage/client/order.h"

#define SORT_BYTES_MAX (256u << 20)	/* of texts */

struct sort_texts {
	size_t			n, nc;
	uint64_t		*prefix;	/* nc of each row */
	struct order_text	*text;
	bool			*cut;
	struct buf		texts;
	bool			over;		/* too much to hold */
};
void sort_texts_init(struct sort_texts *t, size_t n, size_t nc);
void sort_texts_fini(struct sort_texts *t);
/* Key k = row * nc + c. */
void sort_texts_set(struct sort_texts *t, size_t k, struct span text, bool cut);
/* Rows whose cut texts of key c begin like another's, perhaps more than once: by the first bytes
 * that all cut ones have. */
void sort_texts_alike(const struct sort_texts *t, size_t c, void (*fn)(void *arg, size_t row),
    void *arg);
/* Appends what a key column holds, whole and mapped by the collation, out of the LIST blob. */
void sort_list_text(enum mime_column col, enum search_collation collation,
    const struct mime_list *l, struct buf *out);

#endif
