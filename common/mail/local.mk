noinst_LIBRARIES += common/mail/libmail.a
common_mail_libmail_a_SOURCES = \
	common/mail/flags.c common/mail/flags.h \
	common/mail/uidset.c common/mail/uidset.h \
	common/mail/unicode.c common/mail/unicode.h
