UNIT_TESTS += t/unit/mail/test_uidset
t_unit_mail_test_uidset_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/mail/test_mailbox_name
t_unit_mail_test_mailbox_name_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/mail/test_search
t_unit_mail_test_search_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/mail/test_object_id
t_unit_mail_test_object_id_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/mail/test_blob_id
t_unit_mail_test_blob_id_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)

UNIT_TESTS += t/unit/mail/test_type_state
t_unit_mail_test_type_state_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
