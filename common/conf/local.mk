noinst_LIBRARIES += common/conf/libconf.a
common_conf_libconf_a_SOURCES = common/conf/conf.h common/conf/settings.h
