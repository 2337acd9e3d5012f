UNIT_TESTS += t/unit/master/test_child t/unit/master/test_sandbox
t_unit_master_test_child_LDADD = master/libmaster.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
t_unit_master_test_sandbox_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
