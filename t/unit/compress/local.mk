UNIT_TESTS += t/unit/compress/test_deflate
t_unit_compress_test_deflate_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
