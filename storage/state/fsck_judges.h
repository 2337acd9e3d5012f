/* storage/state/fsck_judges.h
 * The judges of single rows, by table: each compares its row with the rows it refers to. */
#ifndef STORAGE_STATE_FSCK_JUDGES_H
#define STORAGE_STATE_FSCK_JUDGES_H

#include "storage/state/fsck_priv.h"

#define FSCK_JUDGE(name) \
	void fsck_##name(struct state_fsck *f, enum tab t, struct span key, struct span payload)

/* fsck_mail.c */
FSCK_JUDGE(mboxname);
FSCK_JUDGE(mailbox);
FSCK_JUDGE(uidhigh);
FSCK_JUDGE(work);
FSCK_JUDGE(message);
FSCK_JUDGE(thread);
FSCK_JUDGE(threadkey);
FSCK_JUDGE(index);
FSCK_JUDGE(uidmap);
FSCK_JUDGE(cold);
FSCK_JUDGE(pack);

/* fsck_rest.c */
FSCK_JUDGE(keyword);
FSCK_JUDGE(change);
FSCK_JUDGE(mchange);
FSCK_JUDGE(history_row);
FSCK_JUDGE(subscription);
FSCK_JUDGE(of_message);
FSCK_JUDGE(metadata);
FSCK_JUDGE(stage);
FSCK_JUDGE(placed);
FSCK_JUDGE(kept);
FSCK_JUDGE(blob);
FSCK_JUDGE(acl);
FSCK_JUDGE(rseen);
FSCK_JUDGE(reader);
FSCK_JUDGE(urlkey);
FSCK_JUDGE(push);
FSCK_JUDGE(annlog);
FSCK_JUDGE(quarantine);
FSCK_JUDGE(extent);
FSCK_JUDGE(aclby);
/* fsck_sieve.c */
FSCK_JUDGE(script);
FSCK_JUDGE(scripttext);
FSCK_JUDGE(sievekey);
FSCK_JUDGE(queue);
FSCK_JUDGE(queuemsg);
FSCK_JUDGE(queuedue);
/* The rows of meta, which are few and have fixed names. */
void fsck_meta_rows(struct state_fsck *f);
FSCK_JUDGE(once);
FSCK_JUDGE(dir);

#endif
