# Not part of "all": make contrib/bench/storage/bench_storage
EXTRA_PROGRAMS += contrib/bench/storage/bench_storage
contrib_bench_storage_bench_storage_SOURCES = contrib/bench/storage/bench_storage.c
contrib_bench_storage_bench_storage_LDADD = $(LIBS_STORE) $(LIBS_COMMON) \
	$(OUTSIDE_LIBS) $(DB_LIBS)
EXTRA_PROGRAMS += contrib/bench/storage/bench_state
contrib_bench_storage_bench_state_SOURCES = contrib/bench/storage/bench_state.c
contrib_bench_storage_bench_state_LDADD = $(LIBS_STORE) $(LIBS_COMMON) \
	$(OUTSIDE_LIBS) $(DB_LIBS)
EXTRA_PROGRAMS += contrib/bench/storage/bench_deliver
contrib_bench_storage_bench_deliver_SOURCES = contrib/bench/storage/bench_deliver.c
contrib_bench_storage_bench_deliver_LDADD = $(LIBS_STORE) $(LIBS_COMMON) \
	$(OUTSIDE_LIBS) $(DB_LIBS)
