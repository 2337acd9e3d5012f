FUZZ_TARGETS += t/fuzz/proto/fuzz_imap
t_fuzz_proto_fuzz_imap_SOURCES = t/fuzz/proto/fuzz_imap.c $(FUZZ_MAIN)
t_fuzz_proto_fuzz_imap_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_proto_fuzz_imap_LDFLAGS = $(FUZZ_LINK)
