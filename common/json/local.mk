noinst_LIBRARIES += common/json/libjson.a
common_json_libjson_a_SOURCES = \
	common/json/json.c common/json/json.h \
	common/json/writer.c common/json/writer.h
