# UNIT_TESTS += t/unit/conf/test_x
