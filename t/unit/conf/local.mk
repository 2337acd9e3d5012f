UNIT_TESTS += t/unit/conf/test_conf t/unit/conf/test_import
t_unit_conf_test_conf_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
t_unit_conf_test_import_SOURCES = t/unit/conf/test_import.c ctl/import.c
t_unit_conf_test_import_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
TESTS += t/unit/conf/test_mansioctl.sh
EXTRA_DIST += t/unit/conf/test_mansioctl.sh
