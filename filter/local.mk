noinst_LIBRARIES += filter/libfilter.a
filter_libfilter_a_SOURCES = \
	filter/answers.c filter/answers.h \
	filter/cache.c filter/cache.h \
	filter/dsn.c filter/dsn.h \
	filter/event.c filter/event.h filter/event_priv.h filter/event_run.c \
	filter/filter.c filter/filter.h \
	filter/globals.c filter/globals.h \
	filter/kept.c filter/kept.h \
	filter/letters.c \
	filter/loops.c filter/loops.h \
	filter/notice.c filter/notice.h \
	filter/plan.c filter/plan.h filter/plan_priv.h \
	filter/view.c filter/view.h
