FUZZ_TARGETS += t/fuzz/net/fuzz_addr t/fuzz/net/fuzz_base64 \
	t/fuzz/net/fuzz_json t/fuzz/net/fuzz_linebuf
t_fuzz_net_fuzz_addr_SOURCES = t/fuzz/net/fuzz_addr.c $(FUZZ_MAIN)
t_fuzz_net_fuzz_addr_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_net_fuzz_addr_LDFLAGS = $(FUZZ_LINK)
t_fuzz_net_fuzz_base64_SOURCES = t/fuzz/net/fuzz_base64.c $(FUZZ_MAIN)
t_fuzz_net_fuzz_base64_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_net_fuzz_base64_LDFLAGS = $(FUZZ_LINK)
t_fuzz_net_fuzz_json_SOURCES = t/fuzz/net/fuzz_json.c $(FUZZ_MAIN)
t_fuzz_net_fuzz_json_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_net_fuzz_json_LDFLAGS = $(FUZZ_LINK)
t_fuzz_net_fuzz_linebuf_SOURCES = t/fuzz/net/fuzz_linebuf.c $(FUZZ_MAIN)
t_fuzz_net_fuzz_linebuf_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_net_fuzz_linebuf_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/net/corpus_addr t/fuzz/net/corpus_base64 \
	t/fuzz/net/corpus_json t/fuzz/net/corpus_linebuf
