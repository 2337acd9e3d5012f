noinst_LIBRARIES += lmtpd/liblmtpd.a
lmtpd_liblmtpd_a_SOURCES = \
	lmtpd/delivery.c lmtpd/delivery.h lmtpd/judged.c lmtpd/judged.h \
	lmtpd/envelope.c lmtpd/envelope.h \
	lmtpd/known.c lmtpd/known.h \
	lmtpd/replies.c lmtpd/replies.h \
	lmtpd/session.c lmtpd/session.h

mansiolibexec_PROGRAMS += lmtpd/lmtpd
lmtpd_lmtpd_SOURCES = lmtpd/main.c
lmtpd_lmtpd_LDADD = lmtpd/liblmtpd.a $(LIBS_FILTER) $(LIBS_STORE_CLIENT) $(LIBS_COMMON) $(OUTSIDE_LIBS)
