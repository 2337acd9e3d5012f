noinst_LIBRARIES += storage/state/libstate.a
storage_state_libstate_a_SOURCES = \
	storage/state/account.c \
	storage/state/acl.c \
	storage/state/annotation.c storage/state/read_annotations.c \
	storage/state/changes.c \
	storage/state/stage.c \
	storage/state/check.c \
	storage/state/cold.c storage/state/cold.h storage/state/pack.c storage/state/pack.h \
	storage/state/compact.c storage/state/compact.h \
	storage/state/columns.c storage/state/read_priv.h \
	storage/state/copy.c \
	storage/state/directory.c \
	storage/state/blob.c storage/state/email_set.c storage/state/append_into.c storage/state/mailbox_set.c \
	storage/state/flags_op.c \
	storage/state/fsck.c storage/state/fsck.h storage/state/fsck_priv.h \
	storage/state/fsck_judges.h storage/state/fsck_look.c storage/state/fsck_mail.c \
	storage/state/fsck_rest.c \
	storage/state/fsck_root.c storage/state/fsck_sieve.c storage/state/fsck_sums.c \
	storage/state/hash.c \
	storage/state/incarnation.c \
	storage/state/housekeeping.c storage/state/housekeeping.h storage/state/recount.c \
	storage/state/keyword.c \
	storage/state/mailbox.c \
	storage/state/message.c \
	storage/state/metadata.c \
	storage/state/once.c \
	storage/state/op.c storage/state/op.h \
	storage/state/path.c storage/state/pieces.c storage/state/place.c \
	storage/state/reader.c \
	storage/state/relocate.c \
	storage/state/remove.c \
	storage/state/repair.c \
	storage/state/read.c storage/state/emails.h \
	storage/state/read_emails.c storage/state/read_events.c storage/state/read_mailbox_changes.c \
	storage/state/open.c storage/state/read_mailboxes.c storage/state/read_touched.c \
	storage/state/schema.c storage/state/schema.h \
	storage/state/since.c \
	storage/state/state.c storage/state/state.h storage/state/state_priv.h \
	storage/state/stock.c storage/state/thread.c \
	storage/state/uidhigh.c \
	storage/state/uidl.c \
	storage/state/undelete.c storage/state/restore.c storage/state/restore_plan.c storage/state/restore.h \
	storage/state/restore_folders.c storage/state/restore_rows.c storage/state/restore_rest.c \
	storage/state/restore_plan.h \
	storage/state/read_undeleted.c storage/state/undelete.h \
	storage/state/upgrade.c storage/state/upgrade.h \
	storage/state/urlkey.c \
	storage/state/push.c storage/state/push.h \
	storage/state/deliver.c storage/state/deliver_of.c storage/state/deliver.h storage/state/queue.c storage/state/queue.h \
	storage/state/script.c storage/state/sieve_key.c storage/state/sieve.h \
	storage/state/uidmap.c
