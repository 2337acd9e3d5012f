FUZZ_TARGETS += t/fuzz/storage/fuzz_types
t_fuzz_storage_fuzz_types_SOURCES = t/fuzz/storage/fuzz_types.c $(FUZZ_MAIN)
t_fuzz_storage_fuzz_types_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_storage_fuzz_types_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += t/fuzz/storage/fuzz_directory
t_fuzz_storage_fuzz_directory_SOURCES = t/fuzz/storage/fuzz_directory.c $(FUZZ_MAIN)
t_fuzz_storage_fuzz_directory_LDADD = $(TEST_LIBS) $(OUTSIDE_LIBS)
t_fuzz_storage_fuzz_directory_LDFLAGS = $(FUZZ_LINK)
