noinst_LIBRARIES += common/worker/libworker.a
common_worker_libworker_a_SOURCES = \
	common/worker/control_proto.c common/worker/control_proto.h \
	common/worker/worker.h
