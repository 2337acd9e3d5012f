/* outd/submit.h
 * The role that hands mail over: the stores' requests (OUT_SUBMIT), each made a letter, carried by the
 * configured relay (relay.h) or program (sender.h). */
#ifndef OUTD_SUBMIT_H
#define OUTD_SUBMIT_H

#include "common/conf/settings.h"
#include "common/net/loop.h"

struct submit;
struct sender;

struct submit *submit_new(struct loop *l);
void submit_free(struct submit **s);
/* Takes conf over.  When it differs for us, nothing is taken before submit_secrets(). */
void submit_configure(struct submit *s, struct mansio_conf *conf);
/* ca: PEM; empty: the system's. */
void submit_secrets(struct submit *s, struct span ca, struct span password);
/* The socket of the stored of a shard; takes fd over, and replaces an earlier one. */
void submit_connect(struct submit *s, uint32_t shard, int fd);
/* A program is configured: what starts it begins now, before rights are given up. */
bool submit_has_program(const struct submit *s);
bool submit_start_program(struct submit *s);
/* "name=value\n" text. */
void submit_status(const struct submit *s, struct buf *out);

#endif
