UNIT_TESTS += t/unit/http/test_server t/unit/http/test_h2 t/unit/http/test_ws
t_unit_http_test_server_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
t_unit_http_test_h2_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
t_unit_http_test_ws_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
