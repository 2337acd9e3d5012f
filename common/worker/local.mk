noinst_LIBRARIES += common/worker/libworker.a
common_worker_libworker_a_SOURCES =
