bin_PROGRAMS += ctl/mansioctl
noinst_LIBRARIES += ctl/libctl.a
ctl_libctl_a_SOURCES = ctl/args.c ctl/args.h ctl/batch.c ctl/batch.h ctl/client.c ctl/client.h \
	ctl/cmd_account.c ctl/cmd_acl.c ctl/cmd_config.c ctl/cmd_copy.c ctl/cmd_domain.c ctl/cmd_fsck.c ctl/cmd_group.c ctl/cmd_mailbox.c ctl/cmd_pop3.c ctl/cmd_queue.c ctl/cmd_server.c ctl/cmd_sieve.c ctl/cmd_store.c \
	ctl/sieve_priv.h ctl/sieve_run.c ctl/sieve_run.h ctl/sieve_show.c ctl/sieve_world.c \
	ctl/cmd_undelete.c ctl/when.c ctl/when.h \
	ctl/commands.c ctl/ctl.h ctl/import.c ctl/import.h ctl/output.c ctl/output.h \
	ctl/pages.c ctl/pages.h ctl/password.c ctl/password.h
ctl_mansioctl_SOURCES = ctl/main.c
ctl_mansioctl_LDADD = ctl/libctl.a $(LIBS_FILTER) $(LIBS_STORE_CLIENT) $(LIBS_COMMON) $(OUTSIDE_LIBS)
# mail into files and back
ctl_libctl_a_SOURCES += ctl/cmd_transfer.c ctl/export.c ctl/export.h ctl/export_file.c \
	ctl/helper.c ctl/helper.h ctl/helper_priv.h ctl/helper_run.c \
	ctl/import_files.c ctl/import_batch.c ctl/import_folder.c \
	ctl/import_store.c ctl/import_store.h ctl/import_store_priv.h ctl/mail.c ctl/mail.h
ctl_libctl_a_SOURCES += ctl/backup.h ctl/backup_keep.c ctl/backup_make.c ctl/backup_manifest.c \
	ctl/backup_restore.c ctl/cmd_backup.c
