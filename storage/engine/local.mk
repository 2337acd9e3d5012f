noinst_LIBRARIES += storage/engine/libengine.a
storage_engine_libengine_a_SOURCES = \
	storage/engine/cursor.c \
	storage/engine/engine.c storage/engine/engine.h \
	storage/engine/compact.c storage/engine/engine_bdb.c \
	storage/engine/engine_priv.h \
	storage/engine/layer.c storage/engine/layer.h \
	storage/engine/recent.c storage/engine/recent.h \
	storage/engine/lmdb_checkpoint.c storage/engine/lmdb_checkpoint.h \
	storage/engine/roster.c storage/engine/roster.h
if LMDB
storage_engine_libengine_a_SOURCES += storage/engine/engine_lmdb.c storage/engine/engine_lmdb.h \
	storage/engine/lmdb_rows.c
endif
