UNIT_TESTS += t/unit/indexd/test_work
t_unit_indexd_test_work_LDADD = indexd/libindexd.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/indexd/test_index
t_unit_indexd_test_index_SOURCES = t/unit/indexd/test_index.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_indexd_test_index_LDADD = indexd/libindexd.a $(TEST_LIBS) $(CMOCKA_LIBS) \
	$(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/indexd/test_extract
t_unit_indexd_test_extract_LDADD = indexd/libindexd.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
# Without the sanitizers, which need more memory than it may have.
check_PROGRAMS += t/unit/indexd/hostile
t_unit_indexd_hostile_CFLAGS = -std=gnu17 $(WARN_CFLAGS)
t_unit_indexd_hostile_LDFLAGS =
