noinst_LIBRARIES += common/net/libnet.a
common_net_libnet_a_SOURCES = \
	common/net/loop.c common/net/loop.h
