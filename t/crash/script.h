/* t/crash/script.h
 * A script of changes of one account, a step at a time, through a store service in a rig; and
 * the shape of what it leaves, to compare with.  The rig, and with it the script, is one for
 * a program. */
#ifndef T_CRASH_SCRIPT_H
#define T_CRASH_SCRIPT_H

#include "t/unit/storage/rig.h"

#define SCRIPT_ACCOUNT 17
#define SCRIPT_STEPS 34

extern struct rig script_rig;

/* Makes the rig, whose configuration may be changed before rig_start(); operations change two
 * rows each, so that most steps take several. */
void script_begin(void);
void script_end(void);
/* false: the service died first, and called again for the same step it goes on waiting; or the disk
 * was full and the step refused.  What was staged with a service that ended is staged again. */
bool script_step(unsigned step);
/* Runs from a step to the end; returns how many were answered.  last_hash (may be NULL): the
 * account's hash behind the last of them. */
unsigned script_run(unsigned step, unsigned char last_hash[32]);
/* The client that was waiting is no more: the next step is asked for anew. */
void script_forget_call(void);

/* The account as it is now, in words. */
void script_shape(struct buf *out);
void script_hash(unsigned char out[32]);
/* What was staged is gone, or out of its old place. */
void script_settle(void);
/* Fails with the report unless state_check() finds nothing wrong. */
void script_consistent(void);

/* Runs all of it without a fault and keeps the shapes. */
void script_reference(void);
void script_reference_free(void);
/* Fails unless a shape is one that may be left behind `answered` steps: that after them, that
 * after one more, or one that the next step has on its way.  what: for the message. */
void script_judge(struct span shape, unsigned answered, const char *what);
/* The shape behind so many steps of the reference. */
struct span script_shape_after(unsigned steps);

#endif
