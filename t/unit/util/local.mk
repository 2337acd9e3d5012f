UNIT_TESTS += t/unit/util/test_util
t_unit_util_test_util_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
