jmapd_libjmapd_a_SOURCES += \
	jmapd/blob/blob.h jmapd/blob/blob_reader.c jmapd/blob/blob_reader.h \
	jmapd/blob/blob_writer.c jmapd/blob/blob_writer.h \
	jmapd/blob/get.c jmapd/blob/known.c jmapd/blob/lookup.c jmapd/blob/methods.c \
	jmapd/blob/upload.c
