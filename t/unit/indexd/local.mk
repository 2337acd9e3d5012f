UNIT_TESTS += t/unit/indexd/test_work
t_unit_indexd_test_work_LDADD = indexd/libindexd.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/indexd/test_index
t_unit_indexd_test_index_SOURCES = t/unit/indexd/test_index.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_indexd_test_index_LDADD = indexd/libindexd.a $(TEST_LIBS) $(CMOCKA_LIBS) \
	$(OUTSIDE_LIBS) $(DB_LIBS)
