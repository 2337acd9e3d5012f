FUZZ_TARGETS += t/fuzz/compress/fuzz_inflate
t_fuzz_compress_fuzz_inflate_SOURCES = t/fuzz/compress/fuzz_inflate.c $(FUZZ_MAIN)
t_fuzz_compress_fuzz_inflate_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_compress_fuzz_inflate_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/compress/corpus_inflate
