noinst_LIBRARIES += common/json/libjson.a
common_json_libjson_a_SOURCES = \
	common/json/json.c common/json/json.h \
	common/json/pointer.c common/json/pointer.h \
	common/json/put.c common/json/put.h \
	common/json/writer.c common/json/writer.h
