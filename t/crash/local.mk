FAULTIO = t/crash/faultio.c t/crash/faultio.h
SCRIPT = t/crash/script.c t/crash/script.h t/unit/storage/rig.c t/unit/storage/rig.h
UNIT_TESTS += t/crash/test_journal_crash
t_crash_test_journal_crash_SOURCES = t/crash/test_journal_crash.c $(FAULTIO)
t_crash_test_journal_crash_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/crash/test_store_crash
t_crash_test_store_crash_SOURCES = t/crash/test_store_crash.c $(FAULTIO) $(SCRIPT)
t_crash_test_store_crash_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
