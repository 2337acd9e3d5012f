UNIT_TESTS += t/unit/pop3d/test_pop3
t_unit_pop3d_test_pop3_LDADD = pop3d/libpop3d.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/pop3d/test_session
t_unit_pop3d_test_session_SOURCES = t/unit/pop3d/test_session.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_pop3d_test_session_LDADD = pop3d/libpop3d.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
