noinst_LIBRARIES += common/compress/libcompress.a
common_compress_libcompress_a_SOURCES = \
	common/compress/deflate.c common/compress/deflate.h \
	common/compress/zstd.c common/compress/zstd.h \
	common/compress/dictionary.c common/compress/dictionary.h

# A dictionary is a kept file; the program holds its bytes.
common/compress/mail-40001.inc: $(srcdir)/common/compress/mail-40001.dict
	@$(MKDIR_P) common/compress
	$(AM_V_GEN)od -An -v -tu1 '$(srcdir)/common/compress/mail-40001.dict' | \
	    sed 's/\([0-9][0-9]*\)/\1,/g' >$@.tmp && mv $@.tmp $@
common/compress/dictionary.$(OBJEXT): common/compress/mail-40001.inc
BUILT_SOURCES += common/compress/mail-40001.inc
CLEANFILES += common/compress/mail-40001.inc
EXTRA_DIST += common/compress/mail-40001.dict
