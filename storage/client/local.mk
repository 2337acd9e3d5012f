noinst_LIBRARIES += storage/client/libstoreclient.a
storage_client_libstoreclient_a_SOURCES = storage/client/asks.c \
	storage/client/body.c storage/client/body.h storage/client/calls.c \
	storage/client/copy.c storage/client/copy.h \
	storage/client/columns.c storage/client/columns.h \
	storage/client/order.c storage/client/order.h \
	storage/client/packer.c storage/client/packer.h \
	storage/client/searcher.c storage/client/searcher.h storage/client/searcher_priv.h \
	storage/client/searcher_bytes.c storage/client/searcher_sets.c storage/client/searcher_texts.c \
	storage/client/sort_texts.c storage/client/sort_texts.h \
	storage/client/stager.c storage/client/stager.h \
	storage/client/store.c storage/client/store.h storage/client/store_priv.h
