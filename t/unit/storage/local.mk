UNIT_TESTS += t/unit/storage/test_api
t_unit_storage_test_api_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/storage/test_body
t_unit_storage_test_body_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/storage/test_client
t_unit_storage_test_client_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/storage/test_engine
t_unit_storage_test_engine_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
