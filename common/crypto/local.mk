noinst_LIBRARIES += common/crypto/libcrypto.a
common_crypto_libcrypto_a_SOURCES = \
	common/crypto/digest.c common/crypto/digest.h \
	common/crypto/encode.c common/crypto/encode.h \
	common/crypto/jwk.c common/crypto/jwk.h \
	common/crypto/pkey.c common/crypto/pkey_priv.h \
	common/crypto/random.c common/crypto/random.h \
	common/crypto/webpush.c common/crypto/webpush.h \
	common/crypto/x509.c common/crypto/x509.h
