/* imapd/fetch.h
 * A FETCH under way.  Messages are taken in chunks: rows for many at once, cache blobs
 * for some, bodies for as many as fit a budget; a message above FETCH_SMALL_MAX is
 * streamed item by item.  Whatever a message's size, what waits for the client stays
 * within the connection's limit: production stops when it is full. */
#ifndef IMAPD_FETCH_H
#define IMAPD_FETCH_H

#include "common/mime/coding.h"
#include "common/mime/columns.h"
#include "common/mime/digest.h"
#include "common/mime/summary.h"
#include "common/proto/imap_annotation.h"
#include "common/proto/imap_search.h"
#include "imapd/session.h"
#include "storage/client/body.h"

#define FETCH_SMALL_MAX		(512u << 10)	/* messages held whole while they are printed */
#define FETCH_ITEMS_MAX		64

enum fetch_kind {
	FETCH_UID, FETCH_FLAGS, FETCH_DATE, FETCH_SIZE, FETCH_MODSEQ, FETCH_ENVELOPE,
	FETCH_STRUCTURE, FETCH_STRUCTURE_BASIC, FETCH_EMAILID, FETCH_THREADID, FETCH_SAVEDATE,
	FETCH_PREVIEW, FETCH_ANNOTATION, FETCH_BODY, FETCH_BINARY, FETCH_BINARY_SIZE
};

struct fetch_item {
	enum fetch_kind		kind;
	struct imap_section	sec;
	const char		*name;		/* "RFC822.TEXT"; NULL: BODY and the section */
	bool			partial;
	uint64_t		from, length;
	struct imap_annotation_item note;
	/* when columns are asked for (fetch_columns.c) */
	unsigned		column, more;	/* which of those that come */
	size_t			label, label_len;	/* in labels */
	struct mime_header_names names;
};

struct fetch_row {
	struct store_row	row;
	bool			tell_flags;	/* this FETCH set \Seen */
	size_t			list, list_len, structure, structure_len;	/* in blobs */
	size_t			notes, notes_len;	/* in the fetch's notes */
};

enum fetch_sink { SINK_OUT, SINK_RAW, SINK_COUNT, SINK_DECODED, SINK_DIGEST };

/* One way through a large message. */
struct fetch_pass {
	struct body_reader	*reader;
	uint64_t		offset;		/* in the stored body */
	uint64_t		left;		/* raw bytes still to come */
	enum fetch_sink		sink;
	struct mime_decoder	decoder;
	uint64_t		count, skip, keep;	/* of decoded bytes */
	void			(*done)(struct imap_cmd *cmd);
};

struct fetch {
	struct fetch_item	items[FETCH_ITEMS_MAX];
	size_t			n_items;
	unsigned		fields, cache;	/* ROW_..., CACHE_... */
	bool			body, seen, filtered, vanished;
	bool			annotated, noted;	/* annotations are asked for; are here */
	bool			no_part;	/* one is of a part that is not there */
	uint64_t		changed_since;
	bool			columns;	/* what is asked for is in columns */
	uint32_t		want;		/* of them, and the fields of rows with them */
	unsigned		column_fields;
	struct uidset		slow;		/* messages whose columns do not do */
	struct buf		labels;
	struct imap_partial	partial;	/* lo 0: not asked for (RFC 9394) */
	struct uidset		todo;
	uint64_t		asked, told;
	struct fetch_row	*rows;
	size_t			n_rows, room, at, group_end;
	struct buf		blobs;		/* of the group */
	struct buf		notes;		/* of the group: store_annotation... */
	struct buf		raw;		/* a small message, or a header */
	struct body_reader	*reader;
	size_t			reading;	/* row whose body is read */
	uint32_t		resume_uid;
	uint64_t		resume_offset;
	struct mime_digest	*digest;
	struct fetch_pass	pass;
	size_t			item;		/* of a large message */
	bool			first, unknown_cte;
	enum status		failed;
};

/* Reads the items and what they need: "ALL", "(UID FLAGS)".  uid: UID FETCH. */
void fetch_parse(struct imap_args *a, struct fetch *f, bool uid);
void fetch_release(struct imap_cmd *cmd);
/* Fetches f->todo; the command ends.  f is the command's. */
void fetch_start(struct imap_cmd *cmd, struct fetch *f);

/* fetch_print.c */
/* "* 12 FETCH (" */
void fetch_put_head(struct imap_session *s, uint32_t uid, struct buf *out);
/* An item that needs no body; nothing for annotations where there are none. */
void fetch_put_item(struct imap_session *s, struct fetch *f, const struct fetch_row *r,
    const struct fetch_item *it, struct buf *out);
/* FLAGS that this FETCH changed, where they are not among the items. */
void fetch_put_seen(struct imap_session *s, const struct fetch *f, const struct fetch_row *r,
    struct buf *out);
/* All of a message; raw: its bytes, when body items are asked for. */
void fetch_put_message(struct imap_session *s, struct fetch *f, struct fetch_row *r,
    struct span raw, struct buf *out);
/* "BODY[1]<0>" */
void fetch_put_label(const struct fetch_item *it, struct buf *out);
void fetch_put_literal(struct buf *out, uint64_t n, bool binary);
/* The message's bytes that an item means; false: there is no such part. */
bool fetch_range(const struct fetch *f, const struct fetch_row *r, const struct fetch_item *it,
    struct mime_range *range, enum mime_coding *coding);
/* The same of a section alone, in what a structure blob tells. */
bool fetch_section_range(const struct mime_structure *st, const struct imap_section *sec,
    struct mime_range *range);
/* Cuts to what a partial asks for. */
void fetch_cut(const struct fetch_item *it, uint64_t *from, uint64_t *len);
void fetch_filter_header(struct span block, const struct imap_section *sec, struct buf *out);
/* Blobs of a message without any, made from its bytes. */
void fetch_keep_digest(struct fetch *f, struct fetch_row *r);
bool fetch_lacks_blobs(const struct fetch *f, const struct fetch_row *r);

/* fetch_big.c: a message above FETCH_SMALL_MAX; then calls fetch_next_group(). */
void fetch_big(struct imap_cmd *cmd);
/* fetch_columns.c.  Are all items columns, or of rows beside some? */
bool fetch_columns_plan(struct fetch *f);
/* Asks for some of todo and prints them, then calls fetch_next_group(); when todo is through,
 * those that need their blobs or bytes are left in it, and f->columns is false. */
void fetch_columns(struct imap_cmd *cmd);
/* cmd_fetch.c */
void fetch_next_group(struct imap_cmd *cmd);
/* The store failed in the middle of a literal: nothing else can be said. */
void fetch_abort(struct imap_cmd *cmd);

#endif
