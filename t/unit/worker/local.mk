# UNIT_TESTS += t/unit/worker/test_x
