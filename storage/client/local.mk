noinst_LIBRARIES += storage/client/libstoreclient.a
storage_client_libstoreclient_a_SOURCES = storage/client/body.c storage/client/body.h \
	storage/client/copy.c storage/client/copy.h \
	storage/client/packer.c storage/client/packer.h \
	storage/client/store.c storage/client/store.h
