jmapd_libjmapd_a_SOURCES += jmapd/blob/blob_reader.c jmapd/blob/blob_reader.h
