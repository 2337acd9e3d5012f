jmapd_libjmapd_a_SOURCES += \
	jmapd/core/args.h jmapd/core/changes.h jmapd/core/get.h jmapd/core/ids.c jmapd/core/ids.h \
	jmapd/core/limits.h jmapd/core/method.h jmapd/core/query.h jmapd/core/request.h \
	jmapd/core/session.h jmapd/core/set.h
