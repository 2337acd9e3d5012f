UNIT_TESTS += t/unit/mail/test_uidset
t_unit_mail_test_uidset_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
