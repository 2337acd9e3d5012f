# UNIT_TESTS += t/unit/authd/test_x
