noinst_LIBRARIES += common/mail/libmail.a
common_mail_libmail_a_SOURCES =
