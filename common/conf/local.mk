noinst_LIBRARIES += common/conf/libconf.a
common_conf_libconf_a_SOURCES = \
	common/conf/check.c \
	common/conf/conf.h \
	common/conf/lex.c common/conf/lex.h \
	common/conf/load.c \
	common/conf/print.c \
	common/conf/settings.c common/conf/settings.h common/conf/settings_priv.h \
	common/conf/settings_auth.c \
	common/conf/settings_jmap.c \
	common/conf/settings_mail.c \
	common/conf/settings_out.c \
	common/conf/settings_sieve.c \
	common/conf/settings_store.c \
	common/conf/value.c common/conf/value.h
