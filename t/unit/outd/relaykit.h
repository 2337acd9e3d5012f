/* t/unit/outd/relaykit.h
 * A mail server that plays a script, on a port of this host, in a thread of its own.
 *
 * A step per word: "S:..." writes a line (several with | between them, in one write), "C:..." wants a line
 * that begins so, "T" takes a text up to its dot and keeps it, "E" wants the end of the connection, "X" ends
 * it; "N" waits for another connection. */
#ifndef T_UNIT_OUTD_RELAYKIT_H
#define T_UNIT_OUTD_RELAYKIT_H

#include <stdint.h>

#define KIT_HELLO "S:220 kit ready", "C:EHLO here", "S:250-kit|250-PIPELINING|250-8BITMIME|250-SIZE 100000|250 DSN"

/* steps: ended with NULL; borrowed.  Returns the port. */
uint16_t relaykit_play(const char *const *steps);
/* Waits for its end.  NULL: all went as it says; else what did not; a text of the thread's. */
const char *relaykit_end(void);
/* The last text. */
const char *relaykit_text(void);

#endif
