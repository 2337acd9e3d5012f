UNIT_TESTS += t/unit/sieved/test_session
t_unit_sieved_test_session_LDADD = sieved/libsieved.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
