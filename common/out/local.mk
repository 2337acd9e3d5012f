noinst_LIBRARIES += common/out/libout.a
common_out_libout_a_SOURCES = common/out/out_proto.c common/out/out_proto.h
