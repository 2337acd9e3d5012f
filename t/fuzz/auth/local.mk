FUZZ_TARGETS += t/fuzz/auth/fuzz_ticket
t_fuzz_auth_fuzz_ticket_SOURCES = t/fuzz/auth/fuzz_ticket.c $(FUZZ_MAIN)
t_fuzz_auth_fuzz_ticket_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_auth_fuzz_ticket_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += t/fuzz/auth/corpus_ticket
