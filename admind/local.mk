mansiolibexec_PROGRAMS += admind/admind
noinst_LIBRARIES += admind/libadmind.a
admind_libadmind_a_SOURCES = admind/admind.h \
	admind/client.c admind/client.h \
	admind/cmd_account.c admind/cmd_acl.c admind/cmd_copy.c admind/cmd_deliver.c admind/cmd_domain.c admind/cmd_fsck.c \
	admind/cmd_mailbox.c admind/cmd_pop3.c admind/cmd_queue.c admind/cmd_status.c admind/cmd_undelete.c \
	admind/commands.c admind/commands.h \
	admind/backup.c admind/relay.c \
	admind/report.c admind/report.h
admind_admind_SOURCES = admind/main.c
admind_admind_LDADD = admind/libadmind.a $(LIBS_STORE_CLIENT) $(LIBS_COMMON) $(OUTSIDE_LIBS)
