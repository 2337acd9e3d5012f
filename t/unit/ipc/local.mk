# UNIT_TESTS += t/unit/ipc/test_x
