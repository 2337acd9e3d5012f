noinst_LIBRARIES += common/proto/libproto.a
common_proto_libproto_a_SOURCES =
common_proto_libproto_a_SOURCES += common/proto/sasl.c common/proto/sasl.h
common_proto_libproto_a_SOURCES += common/proto/smtp.c common/proto/smtp.h
