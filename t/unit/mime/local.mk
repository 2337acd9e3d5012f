UNIT_TESTS += t/unit/mime/test_mime
t_unit_mime_test_mime_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
EXTRA_DIST += t/data/mime
UNIT_TESTS += t/unit/mime/test_counted
t_unit_mime_test_counted_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
