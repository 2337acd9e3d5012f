UNIT_TESTS += t/unit/http/test_server
t_unit_http_test_server_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
