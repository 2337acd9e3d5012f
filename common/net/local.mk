noinst_LIBRARIES += common/net/libnet.a
common_net_libnet_a_SOURCES = \
	common/net/addr.c common/net/addr.h \
	common/net/cidr.c common/net/cidr.h \
	common/net/conn.c common/net/conn.h \
	common/net/linebuf.c common/net/linebuf.h \
	common/net/listener.c common/net/listener.h \
	common/net/loop.c common/net/loop.h \
	common/net/tls.c common/net/tls.h common/net/tls_peer.c common/net/tls_priv.h \
	common/net/tls_ctx.c common/net/tls_client.c \
	common/net/tls_sign.c
