jmapd_libjmapd_a_SOURCES += \
	jmapd/email/adding.c jmapd/email/adding.h jmapd/email/asked.c jmapd/email/asked.h \
	jmapd/email/copy.c jmapd/email/import.c jmapd/email/making.c jmapd/email/making.h \
	jmapd/email/scripts.c jmapd/email/scripts.h \
	jmapd/email/set.c jmapd/email/states.c jmapd/email/states.h \
	jmapd/email/bodies.c jmapd/email/bodies.h \
	jmapd/email/compose.c jmapd/email/compose.h jmapd/email/compose_priv.h \
	jmapd/email/compose_read.c jmapd/email/field_out.c jmapd/email/field_out.h \
	jmapd/email/get.c \
	jmapd/email/header.c jmapd/email/header.h jmapd/email/load.c jmapd/email/load.h \
	jmapd/email/methods.c jmapd/email/methods.h jmapd/email/object.c jmapd/email/object.h \
	jmapd/email/parse.c jmapd/email/part.c jmapd/email/part.h jmapd/email/pass.c \
	jmapd/email/pass.h jmapd/email/same.c jmapd/email/same.h jmapd/email/want.c jmapd/email/want.h
