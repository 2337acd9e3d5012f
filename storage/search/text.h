/* storage/search/text.h
 * The canonical texts of an account's messages (doc/search.md), kept in one file for searches; the
 * format stands in doc/storage.md.  Knows no engine and no threads.
 *
 * All of it is derived: what is missing, damaged or of another version is a text that is not known,
 * never a wrong answer.  Nothing is synced: what a crash takes is not known either.
 *
 * Who writes does one thing at a time for an account.  Whoever searches holds a view, which
 * stays as it is whatever is written meanwhile; views and what they consist of are counted, so
 * that any thread may let go of them. */
#ifndef STORAGE_SEARCH_TEXT_H
#define STORAGE_SEARCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

#define TEXT_BLOCK_BYTES (256u << 10)	/* of text in a block, but for its last message */
#define TEXT_DOC_MAX	(512u << 10)	/* of text of one message */
#define TEXT_BLOCK_MAX	(1u << 20)	/* of each of the two texts of a block */
#define TEXT_DOCS_MAX	8192u		/* messages of a block */

/* Texts that lie together: of all the headers, then all the rest. */
struct text_doc {
	uint64_t	message;
	uint8_t		version;	/* of the canonical text */
	bool		cut;		/* there is more of it */
	uint32_t	header_at, header_len, body_at, body_len;
};
struct text_docs {			/* zeroed: none */
	struct text_doc	*v;
	size_t		n, room;
	struct buf	header, body;
};
void text_docs_fini(struct text_docs *d);
/* false: it is too large, or there is no room in a block. */
bool text_docs_add(struct text_docs *d, uint64_t message, uint8_t version, bool cut,
    struct span header, struct span body);
static inline size_t
text_docs_bytes(const struct text_docs *d)
{
	return d->header.len + d->body.len;
}

struct text_view;
struct text_view *text_view_ref(struct text_view *v);
void text_view_unref(struct text_view **v);
/* Memory that it takes; texts and bytes of the file, and how many of them are of no use. */
struct text_view_stats { size_t memory, docs; uint64_t bytes, dead, text; };
void text_view_stats(const struct text_view *v, struct text_view_stats *st);

/* The texts of an account, a file in the folder dir.  A file that is not there, or not one of
 * this shard and account, is an empty view. */
struct text_view *text_open(int dir, uint16_t shard, uint64_t account);
/* Adds docs, in front of which nothing but a view made last by text_open() or this module's other
 * functions is good; merges what is small.  The view that comes out replaces v, which stays the caller's.
 * ST_NO_SPACE, ST_UNAVAILABLE: they are not kept, and *out is v once more. */
enum status text_append(struct text_view *v, struct text_docs *docs, struct text_view **out);
/* Leaves out the messages that are not there any more (and what is damaged).  As text_append(). */
typedef bool (*text_there_fn)(void *arg, uint64_t message);
enum status text_sweep(struct text_view *v, text_there_fn there, void *arg,
    struct text_view **out);
/* The account is gone. */
void text_remove(int dir, uint64_t account);
/* Appends the accounts that have a file, u64 each. */
void text_list(int dir, struct buf *out);

/* Reads block i of a view through and appends a line for each thing wrong; false: it has none of this
 * number.  there: see text_sweep(); NULL: not asked. */
bool text_check_block(const struct text_view *v, size_t i, text_there_fn there, void *arg,
    struct buf *report, uint64_t *wrong);
/* Reads all of a file; appends a line for each thing wrong.  there: see text_sweep(); NULL: not
 * asked. */
void text_check(int dir, uint16_t shard, uint64_t account, text_there_fn there, void *arg,
    struct buf *report, uint64_t *wrong);

/* ---- searching ---- */

struct text_needle {
	bool		body_only;
	struct span	text;		/* mapped, not empty */
};
#define TEXT_NEEDLES_MAX 16u

/* A message that is asked for, and what became of it. */
struct text_wanted {
	uint64_t	message;
	uint32_t	uid;
	bool		there;		/* it has a text of this version */
	bool		known;		/* that was looked into, all of it that is needed */
	uint16_t	header, body;	/* by needle: found there; body: not found in the header */
};

struct text_search;
/* Spans are copied; wanted is taken over (mem_free()). */
struct text_search *text_search_new(const struct text_needle *needles, size_t n, uint8_t version,
    struct text_wanted *wanted, size_t n_wanted);
void text_search_free(struct text_search **s);
/* Plans the search of texts that are in memory alone, then of a view; those that are added
 * first count where a message is in several.  docs are copied, the view is referred to. */
void text_search_add_docs(struct text_search *s, const struct text_docs *docs);
void text_search_add_view(struct text_search *s, struct text_view *v);
/* How many steps there are now; any thread may do any of them once, several at a time. */
size_t text_search_steps(const struct text_search *s);
/* About a millisecond of work.  false: a block was damaged. */
bool text_search_step(struct text_search *s, size_t step);
/* When all is done: by uid. */
void text_search_end(struct text_search *s);
struct text_wanted *text_search_wanted(struct text_search *s, size_t *n);

#endif
