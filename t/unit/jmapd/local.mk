LIBS_JMAPD = jmapd/libjmapd.a $(LIBS_STORE_CLIENT)

UNIT_TESTS += t/unit/jmapd/test_request
t_unit_jmapd_test_request_LDADD = $(LIBS_JMAPD) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
