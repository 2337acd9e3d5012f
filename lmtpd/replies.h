/* lmtpd/replies.h
 * Replies that more than one place knows of, as lines without their end, but for the first. */
#ifndef LMTPD_REPLIES_H
#define LMTPD_REPLIES_H

#include "common/conf/settings.h"
#include "common/proto/smtp.h"
#include "common/util/status.h"

/* The words of somebody's mail rules, parted by "\n": a reply of whole lines, in which nothing can be
 * more than text. */
void replies_refusal(struct buf *out, const char *text);
/* The one table from our outcomes to the protocol's. */
const char *replies_status(const struct conf_lmtp *conf, enum status st);
#define REPLIES_MISTAKE	128u
/* c->error, in words; what is returned may lie in text. */
const char *replies_mistake(const struct smtp_command *c, char text[REPLIES_MISTAKE]);

#endif
