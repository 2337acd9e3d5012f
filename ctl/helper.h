/* ctl/helper.h
 * The process beside mansioctl that looks into mail, so that mansioctl, which root may have
 * started, never does: it has no file, no socket and no right, only two pipes.  Raw messages, mbox
 * files or archives go in; out comes what an append of each message carries, made by the same code
 * as in the delivery worker.  For an export stored bodies go in and raw octets come out. */
#ifndef CTL_HELPER_H
#define CTL_HELPER_H

#include <stdbool.h>

#include "common/transfer/transfer.h"

enum helper_mode { HELPER_MESSAGES, HELPER_MBOX, HELPER_ARCHIVE, HELPER_UNPACK };

/* What comes out. */
enum helper_kind {
	HELPER_FOLDER = 'F',	/* put_transfer_folder() */
	HELPER_BEGIN = 'B',	/* a message */
	HELPER_STORED = 'S',	/* of its stored body */
	HELPER_MESSAGE = 'M',	/* it is whole: put_transfer_message(), put_store_append_item() */
	HELPER_DROP = 'X',	/* it is not, or there is none: why, in words; empty: no matter */
	HELPER_RAW = 'R',	/* of an unpacked message */
	HELPER_DONE = 'Z'	/* with what was sent up to helper_end(); u8 1: it was good */
};
typedef void (*helper_fn)(void *arg, enum helper_kind kind, struct span data);

struct helper;

/* user: as whom it runs when root started us.  NULL: said why. */
struct helper *helper_start(enum helper_mode mode, const char *user, helper_fn fn, void *arg);
/* More of the file, message or body.  fn runs meanwhile.  false: the helper ended; said so. */
bool helper_send(struct helper *h, struct span data);
/* It was all: fn runs until DONE. */
bool helper_end(struct helper *h);
void helper_stop(struct helper **h);

/* For a process that is to look into what others wrote: becomes that user, or nobody, when root
 * started us. */
bool helper_drop_rights(const char *user);

/* What the process does with its pipes, for tests; returns its exit code. */
int helper_run(enum helper_mode mode, int in, int out);

#endif
