noinst_LIBRARIES += common/auth/libauth.a
common_auth_libauth_a_SOURCES = \
	common/auth/auth_client.c common/auth/auth_client.h \
	common/auth/auth_proto.c common/auth/auth_proto.h \
	common/auth/login.c common/auth/login.h \
	common/auth/sasl_session.c common/auth/sasl_session.h \
	common/auth/ticket.c common/auth/ticket.h \
	common/auth/voids.c common/auth/voids.h
