/* outd/sender.h
 * The configured submission program: each letter is one run of it (launcher.h), its body on the program's
 * standard input with LF at the ends of lines, its exit code the answer (sysexits.h): 0 sent; what would
 * be the same at every time refused; anything else later.  A program that was killed, or that took too long,
 * before its input had ended took nothing. */
#ifndef OUTD_SENDER_H
#define OUTD_SENDER_H

#include "common/conf/settings.h"
#include "common/net/loop.h"
#include "outd/letter.h"

struct sender;

/* Starts the launcher.  NULL: said in the log. */
struct sender *sender_new(struct loop *l, const struct conf_outgoing *c);
/* Times and numbers of c are in force from now on; the program stays what it is. */
void sender_configure(struct sender *x, const struct conf_outgoing *c);
void sender_free(struct sender **x);
/* It may end from inside. */
void sender_send(struct sender *x, struct letter *l);

/* What an exit code says. */
enum out_how sender_how(uint32_t code);

#endif
