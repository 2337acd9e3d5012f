UNIT_TESTS += t/unit/auth/test_ticket
t_unit_auth_test_ticket_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/auth/test_sasl
t_unit_auth_test_sasl_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/auth/test_auth_client
t_unit_auth_test_auth_client_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/auth/test_voids
t_unit_auth_test_voids_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
