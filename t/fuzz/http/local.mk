FUZZ_TARGETS += t/fuzz/http/fuzz_server
t_fuzz_http_fuzz_server_SOURCES = t/fuzz/http/fuzz_server.c $(FUZZ_MAIN)
t_fuzz_http_fuzz_server_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_http_fuzz_server_LDFLAGS = $(FUZZ_LINK)
