jmapd_libjmapd_a_SOURCES += \
	jmapd/core/args.c jmapd/core/args.h jmapd/core/call_mirror.c \
	jmapd/core/capability.c jmapd/core/capability.h \
	jmapd/core/changes.c jmapd/core/changes.h jmapd/core/echo.c \
	jmapd/core/get.c jmapd/core/get.h jmapd/core/ids.c jmapd/core/ids.h \
	jmapd/core/limits.h jmapd/core/method.h jmapd/core/query.c jmapd/core/query.h \
	jmapd/core/request.c jmapd/core/request.h jmapd/core/request_priv.h \
	jmapd/core/resolve.c jmapd/core/session.c jmapd/core/session.h \
	jmapd/core/set.c jmapd/core/set.h
