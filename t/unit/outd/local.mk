OUTD_TEST_LIBS = outd/liboutd.a $(TEST_LIBS) $(CURL_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/outd/test_address
t_unit_outd_test_address_LDADD = $(OUTD_TEST_LIBS)
UNIT_TESTS += t/unit/outd/test_freshness
t_unit_outd_test_freshness_LDADD = $(OUTD_TEST_LIBS)
UNIT_TESTS += t/unit/outd/test_fetch
t_unit_outd_test_fetch_LDADD = $(OUTD_TEST_LIBS)
