FUZZ_TARGETS += t/fuzz/imapd/fuzz_session
t_fuzz_imapd_fuzz_session_SOURCES = t/fuzz/imapd/fuzz_session.c t/unit/storage/rig.c \
	t/unit/storage/rig.h $(FUZZ_MAIN)
t_fuzz_imapd_fuzz_session_LDADD = imapd/libimapd.a $(LIBS_FILTER) $(TEST_LIBS) $(CMOCKA_LIBS) \
	$(OUTSIDE_LIBS) $(DB_LIBS)
t_fuzz_imapd_fuzz_session_LDFLAGS = $(FUZZ_LINK)
