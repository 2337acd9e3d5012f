UNIT_TESTS += t/unit/util/test_util
t_unit_util_test_util_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/util/test_fd_pass
t_unit_util_test_fd_pass_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
