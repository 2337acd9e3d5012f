noinst_LIBRARIES += common/worker/libworker.a
common_worker_libworker_a_SOURCES = \
	common/worker/admin_proto.c common/worker/admin_proto.h \
	common/worker/certs.c common/worker/certs.h \
	common/worker/counts.c common/worker/counts.h \
	common/worker/control_proto.c common/worker/control_proto.h \
	common/worker/helper.c common/worker/helper.h \
	common/worker/launch.c common/worker/launch.h \
	common/worker/rules.c common/worker/rules.h \
	common/worker/sandbox.c common/worker/sandbox.h \
	common/worker/worker.c common/worker/worker.h
