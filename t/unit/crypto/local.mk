UNIT_TESTS += t/unit/crypto/test_crypto
t_unit_crypto_test_crypto_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)

UNIT_TESTS += t/unit/crypto/test_json
t_unit_crypto_test_json_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)

UNIT_TESTS += t/unit/crypto/test_zstd
t_unit_crypto_test_zstd_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)

UNIT_TESTS += t/unit/crypto/test_webpush
t_unit_crypto_test_webpush_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
