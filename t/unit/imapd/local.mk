UNIT_TESTS += t/unit/imapd/test_view
t_unit_imapd_test_view_LDADD = imapd/libimapd.a $(LIBS_FILTER) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/imapd/test_codes
t_unit_imapd_test_codes_LDADD = imapd/libimapd.a $(LIBS_FILTER) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/imapd/test_annotated
t_unit_imapd_test_annotated_LDADD = imapd/libimapd.a $(LIBS_FILTER) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
