/* outd/unpack.h
 * The body of a letter out of the form in which the store keeps it (storage/client/body.h), piece by piece: at most
 * one frame more than was asked for lies here.  Its end is an end only when length and digest are those
 * that the store told: damaged mail does not leave. */
#ifndef OUTD_UNPACK_H
#define OUTD_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"

struct unpack;
enum unpack_is {
	UNPACK_FULL,		/* there is more here */
	UNPACK_HUNGRY,		/* there is not */
	UNPACK_LAST,		/* that was all of it, and it is right */
	UNPACK_BAD		/* it is none, or another one: once and for ever */
};

struct unpack *unpack_new(uint64_t size, struct span sha256);
void unpack_free(struct unpack **u);
void unpack_feed(struct unpack *u, struct span stored, bool last);
/* Appends at most `most` bytes. */
enum unpack_is unpack_take(struct unpack *u, size_t most, struct buf *out);

#endif
