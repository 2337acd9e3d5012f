noinst_LIBRARIES += common/net/libnet.a
common_net_libnet_a_SOURCES = \
	common/net/addr.h \
	common/net/cidr.h \
	common/net/conn.h \
	common/net/linebuf.h \
	common/net/listener.h \
	common/net/loop.c common/net/loop.h \
	common/net/tls.h
