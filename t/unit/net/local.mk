UNIT_TESTS += t/unit/net/test_loop
t_unit_net_test_loop_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)

UNIT_TESTS += t/unit/net/test_tls
t_unit_net_test_tls_SOURCES = t/unit/net/test_tls.c t/unit/net/tlskit.c t/unit/net/tlskit.h
t_unit_net_test_tls_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)

UNIT_TESTS += t/unit/net/test_conn
t_unit_net_test_conn_SOURCES = t/unit/net/test_conn.c t/unit/net/tlskit.c t/unit/net/tlskit.h
t_unit_net_test_conn_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)

UNIT_TESTS += t/unit/net/test_addr
t_unit_net_test_addr_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)

UNIT_TESTS += t/unit/net/test_linebuf
t_unit_net_test_linebuf_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)

UNIT_TESTS += t/unit/net/test_tls_client
t_unit_net_test_tls_client_SOURCES = t/unit/net/test_tls_client.c t/unit/net/tlskit.c t/unit/net/tlskit.h
t_unit_net_test_tls_client_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
