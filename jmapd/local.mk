# Each folder adds its sources to the one library: they know one another both ways.
noinst_LIBRARIES += jmapd/libjmapd.a
jmapd_libjmapd_a_SOURCES = jmapd/account.c jmapd/account.h jmapd/methods.c jmapd/methods.h

include jmapd/blob/local.mk
include jmapd/core/local.mk
include jmapd/mailbox/local.mk
include jmapd/quota/local.mk
include jmapd/thread/local.mk
include jmapd/email/local.mk
include jmapd/mirror/local.mk
include jmapd/query/local.mk
include jmapd/push/local.mk

jmapd_libjmapd_a_SOURCES += \
	jmapd/api.c jmapd/download.c jmapd/events.c jmapd/login.c jmapd/server.c jmapd/server.h \
	jmapd/mirror_changes.c jmapd/mirror_changes.h jmapd/states.c jmapd/states.h jmapd/upload.c jmapd/websocket.c

mansiolibexec_PROGRAMS += jmapd/jmapd
jmapd_jmapd_SOURCES = jmapd/main.c
jmapd_jmapd_LDADD = jmapd/libjmapd.a $(LIBS_FILTER) $(LIBS_FRONT) $(LIBS_COMMON) $(OUTSIDE_LIBS)
