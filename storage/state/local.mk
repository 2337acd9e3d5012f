noinst_LIBRARIES += storage/state/libstate.a
storage_state_libstate_a_SOURCES = \
	storage/state/op.h \
	storage/state/state.h
