noinst_LIBRARIES += common/ipc/libipc.a
common_ipc_libipc_a_SOURCES = \
	common/ipc/ipc.c common/ipc/ipc.h \
	common/ipc/message.c common/ipc/message.h
