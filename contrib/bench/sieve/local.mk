# Not part of "all": make contrib/bench/sieve/bench_sieve
EXTRA_PROGRAMS += contrib/bench/sieve/bench_sieve
contrib_bench_sieve_bench_sieve_SOURCES = contrib/bench/sieve/bench_sieve.c
contrib_bench_sieve_bench_sieve_LDADD = $(LIBS_SIEVE) $(LIBS_COMMON) $(OUTSIDE_LIBS)
