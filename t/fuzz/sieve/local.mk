# Fuzz targets of the Sieve language.
FUZZ_TARGETS += t/fuzz/sieve/fuzz_compile
t_fuzz_sieve_fuzz_compile_SOURCES = t/fuzz/sieve/fuzz_compile.c $(FUZZ_MAIN)
t_fuzz_sieve_fuzz_compile_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_sieve_fuzz_compile_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += t/fuzz/sieve/fuzz_message
t_fuzz_sieve_fuzz_message_SOURCES = t/fuzz/sieve/fuzz_message.c $(FUZZ_MAIN)
t_fuzz_sieve_fuzz_message_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_sieve_fuzz_message_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += t/fuzz/sieve/fuzz_letters
t_fuzz_sieve_fuzz_letters_SOURCES = t/fuzz/sieve/fuzz_letters.c $(FUZZ_MAIN)
t_fuzz_sieve_fuzz_letters_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_sieve_fuzz_letters_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += t/fuzz/sieve/fuzz_edit
t_fuzz_sieve_fuzz_edit_SOURCES = t/fuzz/sieve/fuzz_edit.c $(FUZZ_MAIN)
t_fuzz_sieve_fuzz_edit_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_sieve_fuzz_edit_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += t/fuzz/sieve/fuzz_regex
t_fuzz_sieve_fuzz_regex_SOURCES = t/fuzz/sieve/fuzz_regex.c $(FUZZ_MAIN)
t_fuzz_sieve_fuzz_regex_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_sieve_fuzz_regex_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/sieve/corpus_edit t/fuzz/sieve/corpus_regex \
	t/fuzz/sieve/corpus_compile t/fuzz/sieve/corpus_message t/fuzz/sieve/corpus_letters
