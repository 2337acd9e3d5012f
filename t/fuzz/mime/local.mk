FUZZ_TARGETS += t/fuzz/mime/fuzz_digest
t_fuzz_mime_fuzz_digest_SOURCES = t/fuzz/mime/fuzz_digest.c $(FUZZ_MAIN)
t_fuzz_mime_fuzz_digest_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_mime_fuzz_digest_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += t/fuzz/mime/fuzz_fields
t_fuzz_mime_fuzz_fields_SOURCES = t/fuzz/mime/fuzz_fields.c $(FUZZ_MAIN)
t_fuzz_mime_fuzz_fields_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_mime_fuzz_fields_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += t/fuzz/mime/fuzz_summary
t_fuzz_mime_fuzz_summary_SOURCES = t/fuzz/mime/fuzz_summary.c $(FUZZ_MAIN)
t_fuzz_mime_fuzz_summary_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_mime_fuzz_summary_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += t/fuzz/mime/fuzz_html
t_fuzz_mime_fuzz_html_SOURCES = t/fuzz/mime/fuzz_html.c $(FUZZ_MAIN)
t_fuzz_mime_fuzz_html_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_mime_fuzz_html_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/mime/corpus_digest t/fuzz/mime/corpus_fields t/fuzz/mime/corpus_html \
	t/fuzz/mime/corpus_summary
