FUZZ_TARGETS += t/fuzz/jmapd/fuzz_request
t_fuzz_jmapd_fuzz_request_SOURCES = t/fuzz/jmapd/fuzz_request.c $(FUZZ_MAIN)
t_fuzz_jmapd_fuzz_request_LDADD = $(LIBS_JMAPD) $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_jmapd_fuzz_request_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/jmapd/corpus_request
FUZZ_TARGETS += t/fuzz/jmapd/fuzz_query
t_fuzz_jmapd_fuzz_query_SOURCES = t/fuzz/jmapd/fuzz_query.c $(FUZZ_MAIN)
t_fuzz_jmapd_fuzz_query_LDADD = $(LIBS_JMAPD) $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_jmapd_fuzz_query_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/jmapd/corpus_query

FUZZ_TARGETS += t/fuzz/jmapd/fuzz_mailbox
t_fuzz_jmapd_fuzz_mailbox_SOURCES = t/fuzz/jmapd/fuzz_mailbox.c $(FUZZ_MAIN)
t_fuzz_jmapd_fuzz_mailbox_LDADD = $(LIBS_JMAPD) $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_jmapd_fuzz_mailbox_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/jmapd/corpus_mailbox
