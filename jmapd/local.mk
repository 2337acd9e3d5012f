# Each folder adds its sources to the one library: they know one another both ways.
noinst_LIBRARIES += jmapd/libjmapd.a
jmapd_libjmapd_a_SOURCES = jmapd/account.c jmapd/account.h jmapd/methods.c jmapd/methods.h

include jmapd/core/local.mk
include jmapd/email/local.mk
