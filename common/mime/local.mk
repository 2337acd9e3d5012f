noinst_LIBRARIES += common/mime/libmime.a
common_mime_libmime_a_SOURCES =
