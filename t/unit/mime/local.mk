# UNIT_TESTS += t/unit/mime/test_x
