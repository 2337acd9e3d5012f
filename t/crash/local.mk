FAULTIO = t/crash/faultio.c t/crash/faultio.h
SCRIPT = t/crash/script.c t/crash/script.h t/unit/storage/rig.c t/unit/storage/rig.h
UNIT_TESTS += t/crash/test_journal_crash
t_crash_test_journal_crash_SOURCES = t/crash/test_journal_crash.c $(FAULTIO)
t_crash_test_journal_crash_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/crash/test_store_crash
t_crash_test_store_crash_SOURCES = t/crash/test_store_crash.c $(FAULTIO) $(SCRIPT)
t_crash_test_store_crash_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/crash/test_store_disk
t_crash_test_store_disk_SOURCES = t/crash/test_store_disk.c t/crash/disk.c t/crash/disk.h $(SCRIPT)
t_crash_test_store_disk_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/crash/test_rounds
t_crash_test_rounds_SOURCES = t/crash/test_rounds.c t/unit/storage/rig.c t/unit/storage/rig.h
t_crash_test_rounds_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/crash/test_copies_disk
t_crash_test_copies_disk_SOURCES = t/crash/test_copies_disk.c t/crash/disk.c t/crash/disk.h \
	t/unit/storage/reclaimkit.c t/unit/storage/reclaimkit.h \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_crash_test_copies_disk_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/crash/test_compact_disk
t_crash_test_compact_disk_SOURCES = t/crash/test_compact_disk.c t/crash/disk.c t/crash/disk.h \
	t/unit/storage/statekit.c t/unit/storage/statekit.h
t_crash_test_compact_disk_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
