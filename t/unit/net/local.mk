UNIT_TESTS += t/unit/net/test_loop
t_unit_net_test_loop_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
