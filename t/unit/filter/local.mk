UNIT_TESTS += t/unit/filter/test_globals
t_unit_filter_test_globals_LDADD = $(LIBS_FILTER) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/filter/test_kept
t_unit_filter_test_kept_LDADD = $(LIBS_FILTER) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/filter/test_loops
t_unit_filter_test_loops_LDADD = $(LIBS_FILTER) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/filter/test_dsn
t_unit_filter_test_dsn_LDADD = $(LIBS_FILTER) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
