noinst_LIBRARIES += common/auth/libauth.a
common_auth_libauth_a_SOURCES =
