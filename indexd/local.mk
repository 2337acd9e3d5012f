noinst_LIBRARIES += indexd/libindexd.a
indexd_libindexd_a_SOURCES = \
	indexd/extract.c indexd/extract.h \
	indexd/runner.c indexd/runner.h \
	indexd/server.c indexd/server.h \
	indexd/work.c indexd/work.h

mansiolibexec_PROGRAMS += indexd/indexd
indexd_indexd_SOURCES = indexd/main.c
indexd_indexd_LDADD = indexd/libindexd.a $(LIBS_STORE_CLIENT) $(LIBS_COMMON) $(OUTSIDE_LIBS)
