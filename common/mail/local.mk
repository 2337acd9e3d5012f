noinst_LIBRARIES += common/mail/libmail.a
common_mail_libmail_a_SOURCES = \
	common/mail/annotation.c common/mail/annotation.h \
	common/mail/blob_id.c common/mail/blob_id.h \
	common/mail/flags.c common/mail/flags.h \
	common/mail/object_id.c common/mail/object_id.h \
	common/mail/mailbox_name.c common/mail/mailbox_name.h \
	common/mail/search.c common/mail/search.h \
	common/mail/search_scan.c common/mail/search_scan.h \
	common/mail/state_change.c common/mail/state_change.h \
	common/mail/type_state.c common/mail/type_state.h \
	common/mail/uidset.c common/mail/uidset.h \
	common/mail/unicode.c common/mail/unicode.h
