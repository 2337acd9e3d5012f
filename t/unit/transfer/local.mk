UNIT_TESTS += t/unit/transfer/test_transfer
t_unit_transfer_test_transfer_LDADD = ctl/libctl.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
