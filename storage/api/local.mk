noinst_LIBRARIES += storage/api/libstoreapi.a
storage_api_libstoreapi_a_SOURCES = \
	storage/api/store_email.c storage/api/store_email.h \
	storage/api/store_push.c storage/api/store_push.h \
	storage/api/store_quota.c storage/api/store_quota.h \
	storage/api/store_queue.c storage/api/store_queue.h \
	storage/api/store_sieve.c storage/api/store_sieve.h \
	storage/api/index_proto.c storage/api/index_proto.h \
	storage/api/store_proto.c storage/api/store_proto.h \
	storage/api/store_types.c storage/api/store_types.h \
	storage/api/directory.c storage/api/directory.h \
	storage/api/rights.c storage/api/rights.h
