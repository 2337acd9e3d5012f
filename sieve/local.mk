noinst_LIBRARIES += sieve/libsieve.a
sieve_libsieve_a_SOURCES = \
	sieve/ext.h sieve/message.h sieve/settings.h sieve/sieve.h \
	sieve/compose.h \
	sieve/conf.c sieve/conf.h \
	sieve/extensions.c \
	sieve/limits.c
