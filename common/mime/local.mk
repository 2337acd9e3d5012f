noinst_LIBRARIES += common/mime/libmime.a
common_mime_libmime_a_SOURCES = \
	common/mime/address.h \
	common/mime/charset.h \
	common/mime/coding.h \
	common/mime/date.h \
	common/mime/digest.h \
	common/mime/field.h \
	common/mime/html.h \
	common/mime/parser.h \
	common/mime/summary.h \
	common/mime/thread.h
