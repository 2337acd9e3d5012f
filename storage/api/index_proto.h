/* storage/api/index_proto.h
 * What stored asks of indexd, the process that reads mail anew for it, over common/ipc.  One
 * socket, made by the monitor; stored asks, indexd only answers.
 *
 * A job is announced, then the stored body of its message follows piece by piece, as it lies in
 * the journal (storage/client/body.h); the answer to the job comes after the last piece, or
 * earlier when the job has failed.  One job at a time: a new one ends the one before without an
 * answer of its own.  Each piece is answered when it was worked off, so that the sender keeps no more
 * than INDEX_PIECES_MAX on their way and nothing grows with the size of a message.
 *
 * Status of a job: ST_OK with its message; ST_CORRUPT: the bytes are no stored body, or it ends too
 * early; ST_SYNTAX: not understood. */
#ifndef STORAGE_API_INDEX_PROTO_H
#define STORAGE_API_INDEX_PROTO_H

#include "common/ipc/message.h"
#include "storage/api/store_types.h"

#define INDEX_PROTO_MAJOR 1
#define INDEX_PROTO_MINOR 0

#define INDEX_PIECE_BYTES (256u << 10)	/* of a stored body in one message */
#define INDEX_PIECES_MAX 2u		/* on their way */
#define INDEX_TEXT_MAX (16u << 20)	/* of canonical text, and of extracted text, of a message */
#define INDEX_TEXT_BYTES (256u << 10)	/* of it in one message */

enum { INDEX_PEER_STORED = 1 };

enum index_no {
	INDEX_JOB = 1, INDEX_PIECE = 2, INDEX_HASH_IS = 3, INDEX_TEXT = 4, INDEX_DIGEST_IS = 5
};

enum index_kind {
	INDEX_HASH = 1,		/* raw size and SHA-256 */
	INDEX_DIGEST = 2	/* all that a worker tells of a message that it appends */
};

/* job -> hash_is, or any number of text and then digest_is. */
struct index_job_rq {
	uint8_t		kind;
	uint32_t	text_max;	/* of canonical text; 0: none.  At most INDEX_TEXT_MAX */
	bool		extract;	/* text of attachments too, by the programs configured */
};
/* piece -> status alone. */
struct index_piece {
	struct span	data;
	bool		last;
};
struct index_hash_is {
	uint64_t	size;		/* raw octets */
	struct span	sha256;		/* over them */
};
/* A piece of the text of the message: the canonical ones come first, in order. */
enum index_text_of { INDEX_TEXT_CANONICAL = 1, INDEX_TEXT_EXTRACTED = 2 };
struct index_text {
	uint8_t		of;		/* enum index_text_of */
	struct span	data;		/* case-mapped UTF-8 */
};
/* Fields as in store_append_item. */
struct index_digest_is {
	uint64_t	size;
	struct span	sha256, list, structure, columns, thread_keys;
	uint64_t	subject_hash;
	uint8_t		text_version;	/* MIME_TEXT_VERSION */
	bool		text_cut;	/* text_max was reached */
	uint32_t	extracted;	/* attachments that a program was run for */
	uint32_t	failed;		/* of them: it did not end well, or not in time */
	uint32_t	text_header;	/* how much of the canonical text is the header's */
};

extern const struct ipc_protocol index_protocol;

#endif
