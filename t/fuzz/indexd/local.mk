FUZZ_TARGETS += t/fuzz/indexd/fuzz_job
t_fuzz_indexd_fuzz_job_SOURCES = t/fuzz/indexd/fuzz_job.c $(FUZZ_MAIN)
t_fuzz_indexd_fuzz_job_LDADD = indexd/libindexd.a $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_indexd_fuzz_job_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/indexd/corpus_job
