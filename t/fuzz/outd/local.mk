FUZZ_TARGETS += t/fuzz/outd/fuzz_header
t_fuzz_outd_fuzz_header_SOURCES = t/fuzz/outd/fuzz_header.c $(FUZZ_MAIN)
t_fuzz_outd_fuzz_header_LDADD = outd/liboutd.a $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_outd_fuzz_header_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/outd/corpus_header
