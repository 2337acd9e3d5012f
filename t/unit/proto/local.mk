UNIT_TESTS += t/unit/proto/test_imap
t_unit_proto_test_imap_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/proto/test_http
t_unit_proto_test_http_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/proto/test_websocket
t_unit_proto_test_websocket_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/proto/test_smtp_client
t_unit_proto_test_smtp_client_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
