noinst_LIBRARIES += outd/liboutd.a
outd_liboutd_a_SOURCES = \
	outd/address.c outd/address.h \
	outd/fetch.c outd/fetch.h \
	outd/dial.c outd/dial.h \
	outd/freshness.c outd/freshness.h \
	outd/launcher.c outd/launcher.h \
	outd/letter.c outd/letter.h \
	outd/login.c outd/login.h \
	outd/push.c outd/push.h \
	outd/relay.c outd/relay.h \
	outd/sender.c outd/sender.h \
	outd/server.c outd/server.h \
	outd/session.c outd/session.h outd/session_open.c outd/session_priv.h \
	outd/submit.c outd/submit.h \
	outd/taken.c outd/taken.h \
	outd/unpack.c outd/unpack.h

mansiolibexec_PROGRAMS += outd/outd
outd_outd_SOURCES = outd/main.c outd/role.h outd/role_fetch.c outd/role_submit.c
outd_outd_LDADD = outd/liboutd.a $(LIBS_STORE_CLIENT) $(LIBS_COMMON) $(CURL_LIBS) $(OUTSIDE_LIBS)
