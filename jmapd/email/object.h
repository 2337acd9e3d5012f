/* jmapd/email/object.h
 * An Email as JSON (RFC 8621 §4.1), out of what the store keeps of a message (common/mime/summary.h)
 * and, where that does not do, one way through its bytes (pass.h).
 *
 *   email_open() -> email_plan(): is a pass needed? -> feed it -> email_put() -> email_close() */
#ifndef JMAPD_EMAIL_OBJECT_H
#define JMAPD_EMAIL_OBJECT_H

#include "common/mail/blob_id.h"
#include "common/mime/flat.h"
#include "common/mime/summary.h"
#include "jmapd/email/pass.h"
#include "jmapd/email/want.h"

struct email_object {
	const struct email_want	*want;
	struct blob_id		blob;		/* of the message */
	struct mime_list	list;
	struct mime_structure	structure;
	struct mime_flat	flat;
	bool			have_list, have_structure, have_flat;
	struct pass		pass;
	/* Writes the value of a property of the store's (id .. receivedAt), but blobId. */
	void			(*put_own)(void *arg, struct json_writer *w, enum email_property p);
	void			*arg;
};

/* Which blobs are needed: bits of WANT_LIST and WANT_STRUCTURE.  keep_max: see pass_init().  The
 * object is zeroed but for want, blob, put_own and arg. */
void email_object_init(struct email_object *o, size_t keep_max);
/* The blobs as they come from the store or a digest; borrowed until email_close().  false: one that
 * is needed is missing, damaged or of another version: digest the message and open again. */
bool email_open(struct email_object *o, struct span list, struct span structure);
/* Are bytes needed?  Then feed o->pass, up to pass_end(). */
bool email_plan(struct email_object *o);
/* The object.  a: for work. */
void email_put(const struct email_object *o, struct json_writer *w, struct arena *a);
void email_close(struct email_object *o);

#endif
