/* common/conf/settings_store.c
 * Settings of the store service. */
#include "common/conf/settings_priv.h"

/* In the order of enum engine_kind. */
static const char *const engines[] = { "berkeley-db", "lmdb", NULL };

const struct conf_field conf_store_fields[] = {
	CONF_INT(conf_store, shards, "1", "1", "256", CONF_RESTART,
	    "Shards, one process and one folder each.  May grow; an account stays where it is."),
	CONF_ENUM(conf_store, engine, engines, "berkeley-db", CONF_RESTART,
	    "What keeps the database of each shard.  A database that the other one made is "
	    "refused: see mansioctl store convert."),
	CONF_SIZE(conf_store, segment, "64M", "1M", "1G", CONF_RESTART,
	    "Size of a journal segment."),
	CONF_SIZE(conf_store, cache, "64M", "1M", "1T", CONF_RESTART,
	    "Database cache of one shard.  LMDB has none but the system's."),
	CONF_SIZE(conf_store, checkpoint, "32M", "1M", "1G", CONF_RELOAD,
	    "A checkpoint is made after so much database log: more makes recovery longer."),
	CONF_TIME(conf_store, checkpoint_time, "5min", "1s", "1d", CONF_RELOAD,
	    "A checkpoint is made at the latest after this time."),
	CONF_SIZE(conf_store, tick, "8M", "64K", "256M", CONF_RELOAD,
	    "Bytes that one tick (one write and sync of the journal) takes at most."),
	CONF_SIZE(conf_store, account_tick, "1M", "64K", "64M", CONF_RELOAD,
	    "Bytes of one account in one tick; each message that a request changes counts as 1K, "
	    "for the time it takes."),
	CONF_INT(conf_store, whole_messages, "1000000", "1000", "4000000", CONF_RELOAD,
	    "Most messages that one COPY, MOVE or APPEND makes; they appear together or not at "
	    "all."),
	CONF_INT(conf_store, readers, "4", "1", "64", CONF_RESTART,
	    "Threads that read bodies from disk and scan."),
	CONF_TIME(conf_store, undelete_time, "14d", "0", "3650d", CONF_RELOAD,
	    "Deleted messages, mailboxes and accounts can be restored for this long."),
	CONF_SIZE(conf_store, undelete_max, "1G", "0", "1T", CONF_RELOAD,
	    "Bytes of deleted mail kept for one account; the oldest goes first."),
	CONF_TIME(conf_store, history_time, "30d", "1d", "3650d", CONF_RELOAD,
	    "Changes are remembered for this long: a client that was away longer fetches "
	    "everything again."),
	CONF_INT(conf_store, history_max, "1000000", "1000", "4000000000", CONF_RELOAD,
	    "Changes of one account that are remembered at most; what could be restored out of older "
	    "ones no longer can."),
	CONF_TIME(conf_store, staged_time, "1h", "1min", "30d", CONF_RELOAD,
	    "A large message on its way into the store whose next piece does not come for this long is "
	    "given up."),
	CONF_TIME(conf_store, upload_time, "1d", "1h", "30d", CONF_RELOAD,
	    "What a client uploaded for messages to come (JMAP) is kept for this long."),
	CONF_SIZE(conf_store, upload_max, "1G", "0", "1T", CONF_RELOAD,
	    "Bytes of uploads kept for one account; the oldest make room, but those of the last hour.  0: no "
	    "limit."),
	CONF_INT(conf_store, uploads, "1000", "0", "100000", CONF_RELOAD,
	    "Uploads kept for one account at most.  0: no limit."),
	CONF_INT(conf_store, sieve_keys, "10000", "100", "1000000", CONF_RELOAD,
	    "Messages and correspondents of one account that Sieve's duplicate and vacation remember at "
	    "most; the oldest are forgotten first."),
	CONF_INT(conf_store, queue_max, "1000", "1", "100000", CONF_RELOAD,
	    "Messages of one account (redirected ones, answers, notices) that wait to be sent at most; "
	    "what would be redirected then stays in the INBOX, the others are not sent."),
	CONF_SIZE(conf_store, queue_size, "256M", "1M", "1T", CONF_RELOAD,
	    "Octets of these messages together at most."),
	CONF_TIME(conf_store, recount_time, "30d", "0", "3650d", CONF_RELOAD,
	    "Once in this time what an account uses is counted anew; the log names a difference, "
	    "which mansioctl fsck repairs.  0: never."),
	CONF_TIME(conf_store, compact_time, "1d", "0", "3650d", CONF_RELOAD,
	    "Once in this time the gaps in the database are closed that changes of accounts left, and "
	    "files that became half empty are made smaller.  0: never.  Berkeley DB only."),
	CONF_INT(conf_store, compact_share, "2", "1", "100", CONF_RELOAD,
	    "Per cent of its time that the store spends on that; ten times as much when nobody asks it "
	    "for anything."),
	CONF_SIZE(conf_store, min_free, "256M", "0", "1T", CONF_RELOAD,
	    "Free space on the disk below which no new mail is taken, in addition to what the "
	    "store itself needs to go on."),
	CONF_TIME(conf_store, copy_time, "1d", "1h", "365d", CONF_RELOAD,
	    "Time between two verified hot copies of the database."),
	CONF_INT(conf_store, copy_hour, "3", "0", "23", CONF_RELOAD,
	    "Hour of the day (UTC) in which copies are made that are a day or more apart."),
	CONF_SIZE(conf_store, copy_journal, "4G", "64M", "1T", CONF_RELOAD,
	    "A hot copy is made earlier after so much journal."),
	CONF_INT(conf_store, copies, "2", "1", "100", CONF_RELOAD,
	    "Verified hot copies kept.  A damaged database is made anew from the newest one that "
	    "is whole and the journal behind it; the journal is kept as far back as they need it."),
	CONF_INT(conf_store, fsck_share, "20", "1", "100", CONF_RELOAD,
	    "Per cent of a shard's time that mansioctl fsck takes while everybody is served; a fourth of "
	    "it while anybody asks for something."),
	CONF_SIZE(conf_store, fsck_body_rate, "32M", "64K", "1T", CONF_RELOAD,
	    "Bytes a second that mansioctl fsck --bodies reads of a shard."),
	CONF_INT(conf_store, reclaim_share, "50", "0", "90", CONF_RELOAD,
	    "Of a journal segment that holds less living mail than this (per cent) the mail is moved "
	    "and the segment let go, as soon as its changes are older than `undelete-time` and the "
	    "hot copies can do without it.  0: only segments without any."),
	CONF_SIZE(conf_store, reclaim_rate, "8M", "64K", "1G", CONF_RELOAD,
	    "Bytes of mail moved in a second."),
	CONF_TIME_MS(conf_store, request_retry, "5s", "0", "1min", CONF_RELOAD,
	    "How long a worker's request waits for a store that is being restarted."),
	CONF_END
};

const struct conf_field conf_indexd_fields[] = {
	CONF_SIZE(conf_indexd, memory, "256M", "64M", "64G", CONF_RESTART,
	    "Memory of such a process; a message that makes it take more is given up."),
	CONF_TIME(conf_indexd, cpu_time, "60s", "1s", "1h", CONF_RELOAD,
	    "Time of the processor that a piece of a message (at most 256K as stored) may take."),
	CONF_TIME(conf_indexd, timeout, "3min", "1s", "1d", CONF_RELOAD,
	    "After so long without an answer about a piece the process is replaced."),
	CONF_STRINGS(conf_indexd, extractors, "", CONF_RESTART,
	    "Programs that make text of attachments, for searches: the type, the program, its "
	    "arguments, with blanks between, as in \"application/pdf /usr/bin/pdftotext - -\"; the type "
	    "may end in /*.  The program reads the attachment from its standard input and writes "
	    "text in UTF-8 to its standard output, in a sandbox: see mansio-indexd(8)."),
	CONF_TIME(conf_indexd, extractor_time, "10s", "1s", "10min", CONF_RESTART,
	    "Such a program is killed after this time; when those of one message took so long together, "
	    "no more are run for it."),
	CONF_SIZE(conf_indexd, extractor_memory, "512M", "16M", "64G", CONF_RESTART,
	    "Memory that it may take."),
	CONF_SIZE(conf_indexd, extractor_output, "1M", "1K", "16M", CONF_RESTART,
	    "Text that is taken of it, from one attachment."),
	CONF_END
};

const struct conf_field conf_retention_fields[] = {
	CONF_TIME(conf_retention, trash, "30d", "0", "36500d", CONF_RELOAD,
	    "In mailboxes with the role trash."),
	CONF_TIME(conf_retention, junk, "30d", "0", "36500d", CONF_RELOAD,
	    "In those with the role junk."),
	CONF_TIME(conf_retention, drafts, "0", "0", "36500d", CONF_RELOAD,
	    "In those with the role drafts."),
	CONF_TIME(conf_retention, sent, "0", "0", "36500d", CONF_RELOAD,
	    "In those with the role sent."),
	CONF_TIME(conf_retention, archive, "0", "0", "36500d", CONF_RELOAD,
	    "In those with the role archive."),
	CONF_TIME(conf_retention, inbox, "0", "0", "36500d", CONF_RELOAD,
	    "In INBOX."),
	CONF_STRINGS(conf_retention, mailboxes, "", CONF_RELOAD,
	    "By path, in every account that has such a mailbox: a time, a blank, the path, as in "
	    "\"90d Lists/News\".  It goes before the rule of the role; 0 keeps what that would "
	    "take."),
	CONF_END
};

const struct conf_field conf_quota_fields[] = {
	CONF_SIZE(conf_quota, storage, "0", "0", "1024T", CONF_RELOAD,
	    "Bytes of mail."),
	CONF_INT(conf_quota, messages, "0", "0", "4000000000", CONF_RELOAD,
	    "Messages."),
	CONF_INT(conf_quota, mailboxes, "2000", "0", "1000000", CONF_RELOAD,
	    "Mailboxes."),
	CONF_INT(conf_quota, warn, "80", "0", "100", CONF_RELOAD,
	    "An account whose mail comes to fill so many per cent of its limit is named in the log "
	    "(quota.near), and IMAP clients are told.  0: never."),
	CONF_INT(conf_quota, warn_again, "95", "0", "100", CONF_RELOAD,
	    "And once more."),
	CONF_END
};

const struct conf_field conf_shard_fields[] = {
	CONF_PATH(conf_shard, path, "", CONF_REQUIRED | CONF_RESTART,
	    "Folder of the shard; it belongs to the user of the store service."),
	CONF_END
};
