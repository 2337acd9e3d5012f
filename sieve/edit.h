/* sieve/edit.h
 * Edited messages: each edit makes a new view (sieve/message.h) that later tests and actions see. */
#ifndef SIEVE_EDIT_H
#define SIEVE_EDIT_H

#include "sieve/ext.h"

/* Appends the field with its line end: folded, encoded where it must be; line ends in value become
 * blanks.  false: it has control characters. */
bool sieve_edit_field(struct span name, struct span value, struct buf *out);
bool sieve_edit_value_ok(struct span value);

/* A header with fields (whole lines) put in before its first field, or behind its last one, and
 * without those that drop tells.  All may be empty.  To the end of the run. */
struct sieve_header_edit {
	struct span	first, last;
	bool (*drop)(void *arg, const struct sieve_field *f);	/* asked of each, in order */
	void		*arg;
	bool		has_body;	/* something stands behind the header */
};
struct span sieve_edit_header(struct sieve_run *r, const struct sieve_header *h,
    const struct sieve_header_edit *e);
/* The current message with that header in place of its own. */
enum sieve_step sieve_edit_message_header(struct sieve_run *r, const struct sieve_node *n,
    const struct sieve_header_edit *e);
/* Content-Type, Content-Disposition, MIME-Version, ... */
bool sieve_edit_is_mime_field(struct span name);
/* A text as a MIME entity, in UTF-8: its fields, without an empty line, and its body, in a coding
 * that any transport takes and in which no line begins with "--" (which may be a boundary). */
void sieve_edit_text(struct span text, struct buf *fields, struct buf *body);
/* Appends text with each line ended by CRLF. */
void sieve_edit_lines(struct span text, struct buf *out);

#endif
