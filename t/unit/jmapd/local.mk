LIBS_JMAPD = jmapd/libjmapd.a $(LIBS_FILTER) $(LIBS_FRONT)

UNIT_TESTS += t/unit/jmapd/test_request
t_unit_jmapd_test_request_LDADD = $(LIBS_JMAPD) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/jmapd/test_query
t_unit_jmapd_test_query_SOURCES = t/unit/jmapd/test_query.c \
	t/unit/jmapd/fake_mail.c t/unit/jmapd/fake_mail.h
t_unit_jmapd_test_query_LDADD = $(LIBS_JMAPD) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/jmapd/test_snippet
t_unit_jmapd_test_snippet_LDADD = $(LIBS_JMAPD) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
