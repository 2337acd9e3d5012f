/* jmapd/email/compose.h
 * A message out of what Email/set create gives (RFC 8621 §4.6): read, judged, and written as MIME.
 * Blobs that become parts stay where they are: what is written is text with places where a blob's
 * bytes belong, so that memory does not grow with them.
 *
 *   compose_read() -> each blob: found, and looked at where `look` says so -> compose_write() ->
 *   for each piece: its text, then its blob through a compose_encoder */
#ifndef JMAPD_EMAIL_COMPOSE_H
#define JMAPD_EMAIL_COMPOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json/json.h"
#include "common/mail/blob_id.h"
#include "common/util/arena.h"
#include "common/util/buf.h"

#define COMPOSE_PARTS_MAX	500u
#define COMPOSE_DEPTH_MAX	16u	/* multiparts within one another */

/* What a content is like; zeroed: at the start. */
struct compose_look {
	bool		eight_bit, nul, bare;	/* bare: a CR or LF that is not half of a CRLF */
	size_t		longest;		/* bytes of a line, its end not counted */
	size_t		column;
	bool		cr;
	uint64_t	size;
};
void compose_look(struct compose_look *l, struct span piece);
void compose_look_end(struct compose_look *l);

struct compose_blob {
	struct span		text;		/* the id as given */
	struct blob_id		id;
	bool			valid;		/* it is one by its form; false: not found */
	bool			look;		/* its content must be looked at */
	struct compose_look	seen;
	bool			missing;	/* the caller's, for its answer */
};

struct compose_part;
struct compose_piece {
	size_t			text, text_len;	/* in text */
	const struct compose_blob *blob;	/* behind it; NULL: nothing */
	bool			base64;		/* else as it is */
};
struct compose {
	/* Given: what "#name" stands for in place of a blob's id; NULL: nothing. */
	struct span		(*resolve)(void *arg, struct span text);
	void			*arg;

	struct arena		*arena;
	const struct json	*email;
	struct compose_part	*root;
	struct compose_blob	*blobs;
	size_t			n_blobs, n_parts;
	struct buf		header;		/* fields of the message but those of its content */
	bool			has_id, has_date, has_version;

	struct buf		bad;		/* names of what is wrong, a blank behind each */
	struct buf		why;		/* of the first */

	struct buf		text;		/* written: */
	struct compose_piece	*pieces;
	size_t			n_pieces;
};

/* Properties of the store's (mailboxIds, keywords, receivedAt) are passed over.  false: invalid: bad
 * and why tell.  email lives as long as c, which is
 * zeroed but for what is given. */
bool compose_read(struct compose *c, struct arena *a, const struct json *email);
/* now_s: the Date that is missing; domain: of the Message-ID that is. */
void compose_write(struct compose *c, int64_t now_s, struct span domain);
void compose_fini(struct compose *c);

/* A blob's bytes on their way into a message. */
struct compose_encoder {
	bool		base64;
	struct buf	held;		/* less than a line */
};
void compose_encode(struct compose_encoder *e, struct span piece, struct buf *out);
void compose_encode_end(struct compose_encoder *e, struct buf *out);

#endif
