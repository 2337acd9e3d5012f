# UNIT_TESTS += t/unit/net/test_x
