noinst_LIBRARIES += common/proto/libproto.a
common_proto_libproto_a_SOURCES =
