noinst_LIBRARIES += common/ipc/libipc.a
common_ipc_libipc_a_SOURCES = common/ipc/ipc.h common/ipc/message.h
