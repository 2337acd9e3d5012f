jmapd_libjmapd_a_SOURCES += jmapd/quota/quota.c
