noinst_LIBRARIES += sieved/libsieved.a
sieved_libsieved_a_SOURCES = \
	sieved/cmd_auth.c sieved/cmd_script.c sieved/commands.c sieved/language.c \
	sieved/session.c sieved/session.h

mansiolibexec_PROGRAMS += sieved/sieved
sieved_sieved_SOURCES = sieved/main.c
sieved_sieved_LDADD = sieved/libsieved.a $(LIBS_SIEVE) $(LIBS_FRONT) $(LIBS_COMMON) $(OUTSIDE_LIBS)
