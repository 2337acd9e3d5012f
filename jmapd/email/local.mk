jmapd_libjmapd_a_SOURCES += \
	jmapd/email/header.c jmapd/email/header.h jmapd/email/object.c jmapd/email/object.h \
	jmapd/email/part.c jmapd/email/part.h jmapd/email/pass.c jmapd/email/pass.h \
	jmapd/email/want.c jmapd/email/want.h
