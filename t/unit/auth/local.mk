# UNIT_TESTS += t/unit/auth/test_x
