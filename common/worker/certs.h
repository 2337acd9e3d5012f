/* common/worker/certs.h
 * Certificates and keys on their way from the monitor, which reads the files, to the
 * workers, which have none: one blob in a sealed memory file. */
#ifndef COMMON_WORKER_CERTS_H
#define COMMON_WORKER_CERTS_H

#include <stdbool.h>

#include "common/util/buf.h"
#include "common/util/bytes.h"

#define CERTS_PUSH_KEY "push-key"	/* the name of an entry that is no certificate; its chain is base64url of
				 * the public key that pushes are signed with (common/crypto/webpush.h) */
#define CERTS_MAX 256			/* certificates */
#define CERTS_BLOB_MAX (4u << 20)	/* bytes of the whole */

struct cert_pem {
	struct span	name;		/* of its section in the configuration */
	struct span	chain, key;	/* PEM; leaf first.  No key: the authorities of clients, or
					 * CERTS_PUSH_KEY */
};
void cert_pem_put(struct buf *out, const struct cert_pem *c);
/* false at the end, or with r->bad. */
bool cert_pem_get(struct reader *r, struct cert_pem *c);

#endif
