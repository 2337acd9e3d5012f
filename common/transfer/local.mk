noinst_LIBRARIES += common/transfer/libtransfer.a
common_transfer_libtransfer_a_SOURCES = \
	common/transfer/archive.c common/transfer/archive.h \
	common/transfer/maildir.c common/transfer/maildir.h \
	common/transfer/mbox.c common/transfer/mbox.h \
	common/transfer/tar.c common/transfer/tar.h \
	common/transfer/transfer.c common/transfer/transfer.h
