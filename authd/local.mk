noinst_LIBRARIES += authd/libauthd.a
authd_libauthd_a_SOURCES = \
	authd/admin.c authd/admin.h authd/admin_account.c authd/admin_domain.c authd/admin_group.c \
	authd/admin_priv.h \
	authd/authd.h authd/lookup.c authd/lookup.h authd/server.c authd/bearer.c authd/bearer.h \
	authd/directory.c authd/directory.h authd/resolve.c authd/referral.c authd/referral.h \
	authd/dovecot.c authd/dovecot.h \
	authd/exchange.c authd/exchange.h authd/exchange_priv.h authd/mech_bearer.c \
	authd/mech_external.c authd/mech_scram.c \
	authd/introspect.c authd/introspect.h authd/key_file.c authd/key_file.h \
	authd/jwt.c authd/jwt.h authd/login_cache.c authd/login_cache.h \
	authd/pam.c authd/pam.h \
	authd/passwd_file.c authd/passwd_file.h \
	authd/pool.c authd/pool.h \
	authd/saslprep.c authd/saslprep.h \
	authd/scheme.c authd/scheme.h \
	authd/spawner.c authd/spawner.h \
	authd/throttle.c authd/throttle.h \
	authd/tickets.c authd/tickets.h \
	authd/verify.c authd/verify.h

AUTHD_LIBS = authd/libauthd.a storage/api/libstoreapi.a $(LIBS_COMMON)
AUTHD_OUTSIDE = $(ARGON2_LIBS) $(CRYPT_LIBS) $(PAM_LIBS) $(IDN_LIBS)

mansiolibexec_PROGRAMS += authd/authd
authd_authd_SOURCES = authd/main.c
authd_authd_LDADD = $(AUTHD_LIBS) $(AUTHD_OUTSIDE) $(OUTSIDE_LIBS)
