noinst_LIBRARIES += storage/service/libservice.a
storage_service_libservice_a_SOURCES =
