FUZZ_TARGETS += t/fuzz/mail/fuzz_mailbox_name
t_fuzz_mail_fuzz_mailbox_name_SOURCES = t/fuzz/mail/fuzz_mailbox_name.c $(FUZZ_MAIN)
t_fuzz_mail_fuzz_mailbox_name_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_mail_fuzz_mailbox_name_LDFLAGS = $(FUZZ_LINK)
