# Not installed: runs the public tests of the field, and our own beside it (contrib/sieve-suite).
noinst_PROGRAMS += t/sieve/sieve-testsuite
t_sieve_sieve_testsuite_SOURCES = t/sieve/suite.h t/sieve/suite_main.c t/sieve/suite_run.c \
	t/sieve/suite_settings.c t/sieve/suite_store.c t/sieve/suite_words.c
t_sieve_sieve_testsuite_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
