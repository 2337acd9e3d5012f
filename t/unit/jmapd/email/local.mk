UNIT_TESTS += t/unit/jmapd/email/test_object
t_unit_jmapd_email_test_object_SOURCES = t/unit/jmapd/email/test_object.c \
	t/unit/jmapd/email/email_text.c t/unit/jmapd/email/email_text.h
t_unit_jmapd_email_test_object_LDADD = jmapd/libjmapd.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/jmapd/email/test_compose
t_unit_jmapd_email_test_compose_SOURCES = t/unit/jmapd/email/test_compose.c \
	t/unit/jmapd/email/compose_text.c t/unit/jmapd/email/compose_text.h \
	t/unit/jmapd/email/email_text.c t/unit/jmapd/email/email_text.h
t_unit_jmapd_email_test_compose_LDADD = jmapd/libjmapd.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
