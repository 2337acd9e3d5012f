UNIT_TESTS += t/unit/lmtpd/test_smtp
t_unit_lmtpd_test_smtp_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
