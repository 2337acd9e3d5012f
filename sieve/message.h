/* sieve/message.h
 * What a script sees of a message: fields by name, values decoded when they are first asked for,
 * addresses, parts and bodies.  The header stands in memory; bodies are read in ranges, and only by
 * tests that look into them.  A view is made once and serves any number of runs, of one thread.
 *
 * A view never changes.  A script that edits makes a new one from the one before; an action keeps
 * the one that was current when it ran. */
#ifndef SIEVE_MESSAGE_H
#define SIEVE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mime/address.h"
#include "common/mime/parser.h"
#include "common/util/arena.h"
#include "common/util/span.h"

/* One field.  Private but for name, value and raw. */
struct sieve_field {
	struct span		name;
	struct span		value;		/* behind the colon, folded, as it stands */
	struct span		raw;		/* the whole field with its last line end */
	struct sieve_field	*next;		/* behind it in the header; NULL: the last */
	struct sieve_field	*same;		/* the next one of the same name */
	uint32_t		hash;		/* sieve_name_hash() of its name */
	bool			has_text, has_addrs;
	struct span		text;
	struct mime_addr	*addrs;
	size_t			n_addrs;
};

/* A header block, of a message or of a part. */
struct sieve_header;
/* block: borrowed; the empty line may be with it.  All memory is a's. */
struct sieve_header *sieve_header_new(struct arena *a, struct span block);
struct span sieve_header_block(const struct sieve_header *h);
/* All fields, in order; NULL: none. */
struct sieve_field *sieve_header_fields(const struct sieve_header *h);
/* Names without regard to case. */
uint32_t sieve_name_hash(struct span name);
/* The first field of that name; the others by ->same, in order. */
struct sieve_field *sieve_header_find(const struct sieve_header *h, struct span name,
    uint32_t hash);
/* The value as tests see it: unfolded, blanks at both ends removed, encoded words as UTF-8. */
struct span sieve_field_text(struct sieve_header *h, struct sieve_field *f);
/* The addresses in it, groups too (see mime_addr_kind).  Returns how many. */
size_t sieve_field_addrs(struct sieve_header *h, struct sieve_field *f,
    const struct mime_addr **addrs);

struct sieve_message;
/* len bytes from there on; always within the message.  false: cannot be read. */
typedef bool (*sieve_read_fn)(void *arg, uint64_t from, void *to, size_t len);

/* header: the bytes from the message's first one to the end of its header, the empty line with it
 * if there is one; borrowed for the life of the view.  size: of the whole message.  read may be
 * NULL when header is all of it (size == header.len), or when no body can be had: tests that want
 * one then fail the run. */
struct sieve_message *sieve_message_new(struct span header, uint64_t size, sieve_read_fn read,
    void *arg);
/* A message that stands in memory whole; the header is found by itself. */
struct sieve_message *sieve_message_memory(struct span whole);
/* Of those two; derived views end with their arena. */
void sieve_message_free(struct sieve_message **m);

uint64_t sieve_message_size(const struct sieve_message *m);
struct sieve_header *sieve_message_header(struct sieve_message *m);
/* len bytes from offset from, all within the message. */
bool sieve_message_read(struct sieve_message *m, uint64_t from, void *to, size_t len);
/* The parts, 0 being the message; parsed (in pieces) when first asked.  NULL: cannot be read. */
const struct mime_part *sieve_message_parts(struct sieve_message *m, size_t *n);
/* The header of part i (0: the message's own), parsed when first asked.  NULL: cannot be read. */
struct sieve_header *sieve_message_part_header(struct sieve_message *m, uint32_t i);

/* What a view is made of: bytes in memory, or (p NULL) a range of the message given to
 * sieve_message_new() that it descends from. */
struct sieve_piece {
	const char	*p;
	uint64_t	from, len;
};
/* All of it, in order; one range for a view that was not derived. */
const struct sieve_piece *sieve_message_pieces(const struct sieve_message *m, size_t *n);

/* A view with another header (with its empty line), and with another body unless body is NULL.
 * Pieces' ranges are those of the message at the root: sieve_message_range() makes them.  Arena
 * memory; header and pieces are borrowed for its life. */
struct sieve_message *sieve_message_derive(struct arena *a, struct sieve_message *base,
    struct span header, const struct sieve_piece *body, size_t n_body);
/* The same for a message in which base is enclosed. */
struct sieve_message *sieve_message_enclose(struct arena *a, struct sieve_message *base,
    struct span header, const struct sieve_piece *body, size_t n_body);
/* What redirect sends: the message before it was enclosed, else itself (RFC 5703 6). */
struct sieve_message *sieve_message_plain(struct sieve_message *m);
/* Appends to out (room for sieve_message_pieces()'s n) the pieces of len bytes of m from from on;
 * returns how many. */
size_t sieve_message_range(const struct sieve_message *m, uint64_t from, uint64_t len,
    struct sieve_piece *out);
/* The message at the root of what m descends from. */
struct sieve_message *sieve_message_root(struct sieve_message *m);

#endif
