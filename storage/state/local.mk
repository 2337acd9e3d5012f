noinst_LIBRARIES += storage/state/libstate.a
storage_state_libstate_a_SOURCES =
