UNIT_TESTS += t/unit/ipc/test_ipc
t_unit_ipc_test_ipc_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
