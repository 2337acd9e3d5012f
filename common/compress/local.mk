noinst_LIBRARIES += common/compress/libcompress.a
common_compress_libcompress_a_SOURCES = \
	common/compress/deflate.c common/compress/deflate.h \
	common/compress/zstd.c common/compress/zstd.h
