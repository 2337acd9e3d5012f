noinst_LIBRARIES += common/mime/libmime.a
common_mime_libmime_a_SOURCES = \
	common/mime/address.c common/mime/address.h \
	common/mime/charset.c common/mime/charset.h \
	common/mime/coding.c common/mime/coding.h \
	common/mime/columns.c common/mime/columns.h \
	common/mime/date.c common/mime/date.h \
	common/mime/digest.c common/mime/digest.h \
	common/mime/field.c common/mime/field.h \
	common/mime/flat.c common/mime/flat.h \
	common/mime/html.c common/mime/html.h \
	common/mime/parser.c common/mime/parser.h \
	common/mime/report.c common/mime/report.h \
	common/mime/summary.c common/mime/summary.h common/mime/summary_priv.h \
	common/mime/text.c common/mime/text.h \
	common/mime/thread.c common/mime/thread.h \
	common/mime/write.c common/mime/write.h
