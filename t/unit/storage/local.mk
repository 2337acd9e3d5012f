# UNIT_TESTS += t/unit/storage/test_x
