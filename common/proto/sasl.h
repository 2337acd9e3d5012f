/* common/proto/sasl.h
 * Grammars of SASL messages: PLAIN (RFC 4616), SCRAM (RFC 5802, RFC 7677), bearer tokens (RFC 7628).  Bytes in,
 * spans out, borrowed from the message.  Lengths are the caller's business: he has
 * bounded the message. */
#ifndef COMMON_PROTO_SASL_H
#define COMMON_PROTO_SASL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

struct sasl_plain {
	struct span	authzid;	/* may be empty */
	struct span	authcid, password;	/* neither is empty */
};
/* message = [authzid] NUL authcid NUL passwd; the names are UTF-8 without control
 * characters, the password any bytes: old hashes were made of old charsets. */
bool sasl_plain_parse(struct span in, struct sasl_plain *out);
/* Appends a message of these; a NUL in a name or password makes one that is refused. */
void sasl_plain_put(struct buf *out, const struct sasl_plain *p);

struct scram_first {
	char		binding;	/* 'n' none; 'y' client would, thinks we cannot; 'p' */
	struct span	binding_name;	/* with 'p': "tls-exporter" */
	struct span	authzid;	/* as sent: see scram_name_decode(); may be empty */
	struct span	gs2;		/* the whole header, with its last comma */
	struct span	bare;		/* what follows it */
	struct span	user;		/* as sent; not empty */
	struct span	nonce;
};
/* client-first-message; refuses a mandatory extension ("m="). */
bool scram_first_parse(struct span in, struct scram_first *out);
/* saslname: "=2C" is ',', "=3D" is '='; false for any other '='.  Appended. */
bool scram_name_decode(struct span in, struct buf *out);

struct scram_final {
	struct span	binding;	/* base64, as sent */
	struct span	nonce;
	struct span	proof;		/* base64, as sent */
	struct span	without_proof;
};
/* client-final-message. */
bool scram_final_parse(struct span in, struct scram_final *out);

/* OAUTHBEARER (RFC 7628 §3.1) and XOAUTH2 (Google's): who is meant, and the bearer token. */
struct sasl_bearer {
	struct span	authzid;	/* as sent: see scram_name_decode() (OAUTHBEARER); may be empty */
	struct span	token;		/* of the characters of RFC 6750 §2.1; empty: none was sent */
};
bool sasl_oauthbearer_parse(struct span in, struct sasl_bearer *out);
bool sasl_xoauth2_parse(struct span in, struct sasl_bearer *out);

#endif
