noinst_LIBRARIES += front/libfront.a
front_libfront_a_SOURCES = front/front.c front/front.h front/main.c
