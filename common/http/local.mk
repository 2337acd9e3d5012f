noinst_LIBRARIES += common/http/libhttp.a
common_http_libhttp_a_SOURCES = \
	common/http/conn.c common/http/forwarded.c common/http/h1.c common/http/h2.c common/http/http.h \
	common/http/priv.h common/http/reply.c common/http/request.c \
	common/http/ws.c
