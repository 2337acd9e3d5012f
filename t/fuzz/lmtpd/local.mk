FUZZ_TARGETS += t/fuzz/lmtpd/fuzz_smtp
t_fuzz_lmtpd_fuzz_smtp_SOURCES = t/fuzz/lmtpd/fuzz_smtp.c $(FUZZ_MAIN)
t_fuzz_lmtpd_fuzz_smtp_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_lmtpd_fuzz_smtp_LDFLAGS = $(FUZZ_LINK)
