noinst_LIBRARIES += storage/api/libstoreapi.a
storage_api_libstoreapi_a_SOURCES =
