FUZZ_TARGETS += t/fuzz/pop3d/fuzz_pop3
t_fuzz_pop3d_fuzz_pop3_SOURCES = t/fuzz/pop3d/fuzz_pop3.c $(FUZZ_MAIN)
t_fuzz_pop3d_fuzz_pop3_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_pop3d_fuzz_pop3_LDFLAGS = $(FUZZ_LINK)
