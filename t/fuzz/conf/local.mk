FUZZ_TARGETS += t/fuzz/conf/fuzz_conf
t_fuzz_conf_fuzz_conf_SOURCES = t/fuzz/conf/fuzz_conf.c $(FUZZ_MAIN)
t_fuzz_conf_fuzz_conf_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_conf_fuzz_conf_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/conf/corpus_conf
