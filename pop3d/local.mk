noinst_LIBRARIES += pop3d/libpop3d.a
pop3d_libpop3d_a_SOURCES = \
	pop3d/ahead.c pop3d/ahead.h pop3d/cmd_auth.c pop3d/cmd_drop.c pop3d/cmd_quit.c \
	pop3d/cmd_retr.c pop3d/commands.c pop3d/maildrop.c pop3d/maildrop.h \
	pop3d/session.c pop3d/session.h pop3d/uidl.c pop3d/uidl.h

mansiolibexec_PROGRAMS += pop3d/pop3d
pop3d_pop3d_SOURCES = pop3d/main.c
pop3d_pop3d_LDADD = pop3d/libpop3d.a $(LIBS_FRONT) $(LIBS_COMMON) $(OUTSIDE_LIBS)
