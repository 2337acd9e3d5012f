/* sieve/content.h
 * Bodies and parts as scripts look at them: what a run reads of a message is decoded once and kept
 * to its end.  Of one part SIEVE_CONTENT_MAX bytes are looked at, of all together half of the memory
 * that a run may take; what is behind that is not seen. */
#ifndef SIEVE_CONTENT_H
#define SIEVE_CONTENT_H

#include "common/mime/coding.h"
#include "common/mime/field.h"
#include "common/mime/parser.h"
#include "sieve/ext.h"

#define SIEVE_CONTENT_MAX (4u << 20)

/* What a part says of itself. */
struct sieve_content {
	bool			given;		/* it has a Content-Type that can be read */
	bool			malformed;	/* with more behind the type: it is of no type */
	struct span		type, subtype;	/* text/plain or message/rfc822 by default */
	struct span		charset;	/* p NULL: none is named */
	enum mime_coding	coding;
};

/* The parts of the current message; fails the run when they cannot be had. */
enum sieve_step sieve_parts(struct sieve_run *r, const struct sieve_node *n,
    const struct mime_part **parts, size_t *count);
/* Behind the last part that is inside of part i. */
uint32_t sieve_parts_end(const struct mime_part *parts, size_t count, uint32_t i);
/* Of part i of the current message; to the end of the run. */
enum sieve_step sieve_content_of(struct sieve_run *r, const struct sieve_node *n, uint32_t i,
    const struct sieve_content **c);
bool sieve_content_is_html(const struct sieve_content *c);

/* A range of the current message as it stands, cut at SIEVE_CONTENT_MAX. */
enum sieve_step sieve_content_raw(struct sieve_run *r, const struct sieve_node *n, uint64_t from,
    uint64_t len, struct span *out);

enum sieve_content_form {
	SIEVE_CONTENT_DECODED,		/* text as UTF-8, all else as the coding makes it */
	SIEVE_CONTENT_TEXT		/* text as UTF-8, HTML as text */
};
/* The leaf i.  *known false: its coding is not known, and nothing was read.  Not NULL *pure: the text
 * was what its charset says. */
enum sieve_step sieve_content_leaf(struct sieve_run *r, const struct sieve_node *n, uint32_t i,
    enum sieve_content_form form, struct span *out, bool *known, bool *pure);

#endif
