# UNIT_TESTS += t/unit/proto/test_x
