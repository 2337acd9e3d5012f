jmapd_libjmapd_a_SOURCES += jmapd/thread/thread.c
