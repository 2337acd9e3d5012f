noinst_LIBRARIES += common/crypto/libcrypto.a
common_crypto_libcrypto_a_SOURCES = \
	common/crypto/digest.h \
	common/crypto/encode.h \
	common/crypto/random.h \
	common/crypto/x509.h
