FUZZ_AUTHD_LIBS = authd/libauthd.a $(TEST_LIBS) $(AUTHD_OUTSIDE) $(OUTSIDE_LIBS)
FUZZ_TARGETS += t/fuzz/authd/fuzz_sasl t/fuzz/authd/fuzz_passwd t/fuzz/authd/fuzz_admin
t_fuzz_authd_fuzz_sasl_SOURCES = t/fuzz/authd/fuzz_sasl.c $(FUZZ_MAIN)
t_fuzz_authd_fuzz_sasl_LDADD = $(FUZZ_AUTHD_LIBS)
t_fuzz_authd_fuzz_sasl_LDFLAGS = $(FUZZ_LINK)
t_fuzz_authd_fuzz_passwd_SOURCES = t/fuzz/authd/fuzz_passwd.c $(FUZZ_MAIN)
t_fuzz_authd_fuzz_passwd_LDADD = $(FUZZ_AUTHD_LIBS)
t_fuzz_authd_fuzz_passwd_LDFLAGS = $(FUZZ_LINK)
t_fuzz_authd_fuzz_admin_SOURCES = t/fuzz/authd/fuzz_admin.c $(FUZZ_MAIN) \
	t/unit/authd/fake_store.c t/unit/authd/fake_store.h
t_fuzz_authd_fuzz_admin_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/t/unit/authd
t_fuzz_authd_fuzz_admin_LDADD = $(FUZZ_AUTHD_LIBS)
t_fuzz_authd_fuzz_admin_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/authd/corpus_sasl t/fuzz/authd/corpus_passwd t/fuzz/authd/corpus_admin
