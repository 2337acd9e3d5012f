# Each test of the Sieve language is linked with sieve_test.c: a script and a message in, words out.
SIEVE_TEST = t/unit/sieve/sieve_test.c t/unit/sieve/sieve_test.h
UNIT_TESTS += t/unit/sieve/test_base
t_unit_sieve_test_base_SOURCES = t/unit/sieve/test_base.c $(SIEVE_TEST)
t_unit_sieve_test_base_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/sieve/test_variables
t_unit_sieve_test_variables_SOURCES = t/unit/sieve/test_variables.c $(SIEVE_TEST)
t_unit_sieve_test_variables_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/sieve/test_look
t_unit_sieve_test_look_SOURCES = t/unit/sieve/test_look.c $(SIEVE_TEST)
t_unit_sieve_test_look_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/sieve/test_regex
t_unit_sieve_test_regex_SOURCES = t/unit/sieve/test_regex.c $(SIEVE_TEST)
t_unit_sieve_test_regex_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/sieve/test_parts
t_unit_sieve_test_parts_SOURCES = t/unit/sieve/test_parts.c $(SIEVE_TEST)
t_unit_sieve_test_parts_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/sieve/test_edit
t_unit_sieve_test_edit_SOURCES = t/unit/sieve/test_edit.c t/unit/sieve/edit_test.c \
	t/unit/sieve/edit_test.h $(SIEVE_TEST)
t_unit_sieve_test_edit_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/sieve/test_compile
t_unit_sieve_test_compile_SOURCES = t/unit/sieve/test_compile.c $(SIEVE_TEST)
t_unit_sieve_test_compile_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/sieve/test_send
t_unit_sieve_test_send_SOURCES = t/unit/sieve/test_send.c $(SIEVE_TEST)
t_unit_sieve_test_send_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
