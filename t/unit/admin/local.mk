UNIT_TESTS += t/unit/admin/test_admind t/unit/admin/test_ctl t/unit/admin/test_report t/unit/admin/test_when
t_unit_admin_test_admind_LDADD = admind/libadmind.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
t_unit_admin_test_ctl_LDADD = ctl/libctl.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
t_unit_admin_test_report_LDADD = admind/libadmind.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
t_unit_admin_test_when_LDADD = ctl/libctl.a $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
