# UNIT_TESTS += t/unit/master/test_x
