noinst_LIBRARIES += common/util/libutil.a
common_util_libutil_a_SOURCES = \
	common/util/arena.c common/util/arena.h \
	common/util/buf.c common/util/buf.h \
	common/util/bytes.c common/util/bytes.h \
	common/util/clock.c common/util/clock.h \
	common/util/fd.c common/util/fd.h \
	common/util/fd_pass.c common/util/fd_pass.h \
	common/util/list.h \
	common/util/log.c common/util/log.h \
	common/util/mem.c common/util/mem.h \
	common/util/span.c common/util/span.h \
	common/util/status.c common/util/status.h \
	common/util/table.c common/util/table.h
