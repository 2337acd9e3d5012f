noinst_LIBRARIES += master/libmaster.a
master_libmaster_a_SOURCES = \
	master/child.c master/child.h \
	master/doors.c master/helpers.c \
	master/logsink.c master/logsink.h \
	master/master.c master/master.h \
	master/monitor.c master/monitor.h master/monitor_priv.h \
	master/notify.c master/notify.h \
	master/rules.c master/rules.h \
	master/sealed.c master/sealed.h

sbin_PROGRAMS += master/mansiod
master_mansiod_SOURCES = master/main.c
master_mansiod_LDADD = master/libmaster.a $(LIBS_FILTER) $(LIBS_COMMON) $(OUTSIDE_LIBS)
