jmapd_libjmapd_a_SOURCES += jmapd/push/methods.c \
	jmapd/push/subscription.c jmapd/push/subscription.h
