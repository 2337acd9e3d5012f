# UNIT_TESTS += t/unit/worker/test_x
UNIT_TESTS += t/unit/worker/test_rules
t_unit_worker_test_rules_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
