FUZZ_TARGETS += t/fuzz/jmapd/email/fuzz_email
t_fuzz_jmapd_email_fuzz_email_SOURCES = t/fuzz/jmapd/email/fuzz_email.c \
	t/unit/jmapd/email/compose_text.c t/unit/jmapd/email/compose_text.h \
	t/unit/jmapd/email/email_text.c t/unit/jmapd/email/email_text.h $(FUZZ_MAIN)
t_fuzz_jmapd_email_fuzz_email_LDADD = jmapd/libjmapd.a $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_jmapd_email_fuzz_email_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/jmapd/email/corpus_email
