FUZZ_TARGETS += t/fuzz/sieved/fuzz_managesieve
t_fuzz_sieved_fuzz_managesieve_SOURCES = t/fuzz/sieved/fuzz_managesieve.c $(FUZZ_MAIN)
t_fuzz_sieved_fuzz_managesieve_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_sieved_fuzz_managesieve_LDFLAGS = $(FUZZ_LINK)
