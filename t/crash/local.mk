FAULTIO = t/crash/faultio.c t/crash/faultio.h
UNIT_TESTS += t/crash/test_journal_crash
t_crash_test_journal_crash_SOURCES = t/crash/test_journal_crash.c $(FAULTIO)
t_crash_test_journal_crash_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
