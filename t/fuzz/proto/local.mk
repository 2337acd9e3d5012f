FUZZ_TARGETS += t/fuzz/proto/fuzz_imap
t_fuzz_proto_fuzz_imap_SOURCES = t/fuzz/proto/fuzz_imap.c $(FUZZ_MAIN)
t_fuzz_proto_fuzz_imap_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_proto_fuzz_imap_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += t/fuzz/proto/fuzz_http
t_fuzz_proto_fuzz_http_SOURCES = t/fuzz/proto/fuzz_http.c $(FUZZ_MAIN)
t_fuzz_proto_fuzz_http_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_proto_fuzz_http_LDFLAGS = $(FUZZ_LINK)
