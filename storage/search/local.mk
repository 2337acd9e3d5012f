noinst_LIBRARIES += storage/search/libsearch.a
storage_search_libsearch_a_SOURCES = \
	storage/search/text.h storage/search/text_priv.h \
	storage/search/text_file.c \
	storage/search/text_filter.c \
	storage/search/text_format.c \
	storage/search/text_search.c
