AUTHD_TEST_LIBS = authd/libauthd.a $(TEST_LIBS) $(AUTHD_OUTSIDE) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/authd/test_authd
t_unit_authd_test_authd_SOURCES = t/unit/authd/test_authd.c \
	t/unit/authd/fake_store.c t/unit/authd/fake_store.h \
	t/unit/authd/world.c t/unit/authd/world.h
t_unit_authd_test_authd_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/t/unit/authd
t_unit_authd_test_authd_LDADD = $(AUTHD_TEST_LIBS)
UNIT_TESTS += t/unit/authd/test_scheme
t_unit_authd_test_scheme_LDADD = $(AUTHD_TEST_LIBS)
UNIT_TESTS += t/unit/authd/test_tables
t_unit_authd_test_tables_LDADD = $(AUTHD_TEST_LIBS)
TESTS += t/unit/authd/test_fail2ban.py
EXTRA_DIST += t/unit/authd/test_fail2ban.py contrib/fail2ban/mansio.conf
UNIT_TESTS += t/unit/authd/test_program
t_unit_authd_test_program_SOURCES = t/unit/authd/test_program.c \
	t/unit/authd/fake_store.c t/unit/authd/fake_store.h
t_unit_authd_test_program_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/t/unit/authd
t_unit_authd_test_program_LDADD = $(AUTHD_TEST_LIBS)
UNIT_TESTS += t/unit/authd/test_pam
t_unit_authd_test_pam_SOURCES = t/unit/authd/test_pam.c \
	t/unit/authd/fake_store.c t/unit/authd/fake_store.h \
	t/unit/authd/world.c t/unit/authd/world.h
t_unit_authd_test_pam_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/t/unit/authd
t_unit_authd_test_pam_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pam_start
t_unit_authd_test_pam_LDADD = $(AUTHD_TEST_LIBS)
UNIT_TESTS += t/unit/authd/test_saslprep
t_unit_authd_test_saslprep_LDADD = $(AUTHD_TEST_LIBS)
UNIT_TESTS += t/unit/authd/test_timing
t_unit_authd_test_timing_SOURCES = t/unit/authd/test_timing.c \
	t/unit/authd/fake_store.c t/unit/authd/fake_store.h \
	t/unit/authd/world.c t/unit/authd/world.h
t_unit_authd_test_timing_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/t/unit/authd
t_unit_authd_test_timing_LDADD = $(AUTHD_TEST_LIBS)
UNIT_TESTS += t/unit/authd/test_dovecot
t_unit_authd_test_dovecot_SOURCES = t/unit/authd/test_dovecot.c \
	t/unit/authd/fake_store.c t/unit/authd/fake_store.h \
	t/unit/authd/world.c t/unit/authd/world.h
t_unit_authd_test_dovecot_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/t/unit/authd
t_unit_authd_test_dovecot_LDADD = $(AUTHD_TEST_LIBS)
UNIT_TESTS += t/unit/authd/test_jwt
t_unit_authd_test_jwt_LDADD = $(AUTHD_TEST_LIBS)
UNIT_TESTS += t/unit/authd/test_bearer
t_unit_authd_test_bearer_LDADD = $(AUTHD_TEST_LIBS)
UNIT_TESTS += t/unit/authd/test_bearer_login
t_unit_authd_test_bearer_login_SOURCES = t/unit/authd/test_bearer_login.c \
	t/unit/authd/fake_store.c t/unit/authd/fake_store.h \
	t/unit/authd/world.c t/unit/authd/world.h
t_unit_authd_test_bearer_login_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/t/unit/authd
t_unit_authd_test_bearer_login_LDADD = $(AUTHD_TEST_LIBS)
