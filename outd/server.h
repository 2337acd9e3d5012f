/* outd/server.h
 * What authd and the stores may ask, and the requests made of it. */
#ifndef OUTD_SERVER_H
#define OUTD_SERVER_H

#include "common/conf/settings.h"
#include "common/net/loop.h"
#include "common/worker/control_proto.h"

struct outd;

struct outd *outd_new(struct loop *l);
void outd_free(struct outd **o);
/* Takes conf over.  When a setting of ours changed, what is under way fails, and nothing is
 * fetched before outd_secrets(): a secret goes to no server but its own. */
void outd_configure(struct outd *o, struct mansio_conf *conf);
/* What outd may not read itself.  ca: PEM, empty: the system's; client: that of oauth
 * client-secret-file; vapid: of push vapid-key-file, PEM. */
struct outd_secrets {
	struct span	ca, client, vapid;
};
void outd_secrets(struct outd *o, const struct outd_secrets *s);
/* The socket of authd, or of the stored of a shard; takes fd over, and replaces an earlier one. */
void outd_connect(struct outd *o, enum program who, uint32_t shard, int fd);
/* "name=value\n" text. */
void outd_status(const struct outd *o, struct buf *out);

/* A value in application/x-www-form-urlencoded; appended. */
void outd_form_encode(struct span s, struct buf *out);
/* The value of Authorization for introspection (RFC 6749 §2.3.1); "" for none. */
void outd_authorization(const struct conf_oauth *c, struct span secret, struct buf *out);

#endif
