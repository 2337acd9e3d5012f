noinst_LIBRARIES += common/proto/libproto.a
common_proto_libproto_a_SOURCES = \
	common/proto/imap_annotation.c common/proto/imap_annotation.h \
	common/proto/imap_args.c common/proto/imap_args.h \
	common/proto/imap_columns.c common/proto/imap_columns.h \
	common/proto/imap_print.c common/proto/imap_print.h \
	common/proto/imap_reader.c common/proto/imap_reader.h \
	common/proto/imap_search.c common/proto/imap_search.h \
	common/proto/imap_url.c common/proto/imap_url.h
common_proto_libproto_a_SOURCES += common/proto/dovecot_auth.c common/proto/dovecot_auth.h
common_proto_libproto_a_SOURCES += common/proto/sasl.c common/proto/sasl.h
common_proto_libproto_a_SOURCES += common/proto/smtp.c common/proto/smtp.h
common_proto_libproto_a_SOURCES += common/proto/smtp_client.c common/proto/smtp_client.h
common_proto_libproto_a_SOURCES += common/proto/pop3.c common/proto/pop3.h
common_proto_libproto_a_SOURCES += common/proto/managesieve.c common/proto/managesieve.h
common_proto_libproto_a_SOURCES += common/proto/http.c common/proto/http.h
common_proto_libproto_a_SOURCES += common/proto/websocket.c common/proto/websocket.h
common_proto_libproto_a_SOURCES += common/proto/smtp_params.c common/proto/smtp_params.h
