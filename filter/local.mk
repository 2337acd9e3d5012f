noinst_LIBRARIES += filter/libfilter.a
filter_libfilter_a_SOURCES = \
	filter/answers.c filter/answers.h \
	filter/cache.c filter/cache.h \
	filter/filter.c filter/filter.h \
	filter/globals.c filter/globals.h
