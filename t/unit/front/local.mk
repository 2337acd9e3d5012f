UNIT_TESTS += t/unit/front/test_front
t_unit_front_test_front_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
