UNIT_TESTS += t/unit/lmtpd/test_smtp
t_unit_lmtpd_test_smtp_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/lmtpd/test_known
t_unit_lmtpd_test_known_LDADD = lmtpd/liblmtpd.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/lmtpd/test_envelope
t_unit_lmtpd_test_envelope_LDADD = lmtpd/liblmtpd.a $(LIBS_FILTER) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/lmtpd/test_judged
t_unit_lmtpd_test_judged_LDADD = lmtpd/liblmtpd.a $(LIBS_FILTER) $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
