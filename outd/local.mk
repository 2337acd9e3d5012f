noinst_LIBRARIES += outd/liboutd.a
outd_liboutd_a_SOURCES = \
	outd/address.c outd/address.h \
	outd/fetch.c outd/fetch.h \
	outd/freshness.c outd/freshness.h \
	outd/push.c outd/push.h \
	outd/server.c outd/server.h

mansiolibexec_PROGRAMS += outd/outd
outd_outd_SOURCES = outd/main.c
outd_outd_LDADD = outd/liboutd.a $(LIBS_COMMON) $(CURL_LIBS) $(OUTSIDE_LIBS)
