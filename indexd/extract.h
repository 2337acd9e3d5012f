/* indexd/extract.h
 * Text out of attachments, by programs of others (conf_indexd.extractors), which run in a sandbox
 * (runner.h).  An attachment is piped through; waits for the program, but never longer than its
 * time; memory is bounded by what is taken of its output. */
#ifndef INDEXD_EXTRACT_H
#define INDEXD_EXTRACT_H

#include "common/conf/settings.h"
#include "common/util/buf.h"

struct extract;

/* Starts the runner: before indexd gives up its rights.  NULL: nothing is configured, or the log
 * says why there is none. */
struct extract *extract_new(const struct conf_indexd *conf);
void extract_free(struct extract **x);

/* Another message: the time that its attachments took is counted from 0. */
void extract_next(struct extract *x);
/* true: somebody reads attachments of this type, and has begun; feed it, then end it. */
bool extract_begin(struct extract *x, struct span type, struct span subtype);
void extract_feed(struct extract *x, struct span content);
/* Appends the text, as UTF-8 whatever came (bytes that are none are read as in mail, see
 * common/mime/charset.h), mapped by i;unicode-casemap, and LF.  false: it did not
 * end well, or not in time, and nothing is appended. */
bool extract_end(struct extract *x, struct buf *text);
/* Nobody wants it any more. */
void extract_abort(struct extract *x);

#endif
