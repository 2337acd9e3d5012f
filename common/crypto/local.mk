noinst_LIBRARIES += common/crypto/libcrypto.a
common_crypto_libcrypto_a_SOURCES =
