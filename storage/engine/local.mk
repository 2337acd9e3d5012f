noinst_LIBRARIES += storage/engine/libengine.a
storage_engine_libengine_a_SOURCES = \
	storage/engine/engine.h
