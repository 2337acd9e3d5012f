jmapd_libjmapd_a_SOURCES += \
	jmapd/mirror/history.c jmapd/mirror/mirror.c jmapd/mirror/mirror.h \
	jmapd/mirror/mirror_priv.h jmapd/mirror/read.c \
	jmapd/mirror/rows.c jmapd/mirror/rows.h jmapd/mirror/source.c jmapd/mirror/source.h
