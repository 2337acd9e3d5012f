FUZZ_TARGETS += t/fuzz/admin/fuzz_text
t_fuzz_admin_fuzz_text_SOURCES = t/fuzz/admin/fuzz_text.c t/fuzz/admin/ctl_stub.c $(FUZZ_MAIN)
t_fuzz_admin_fuzz_text_LDADD = ctl/libctl.a admind/libadmind.a $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_admin_fuzz_text_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/admin/corpus_text
