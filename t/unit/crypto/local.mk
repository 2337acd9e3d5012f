# UNIT_TESTS += t/unit/crypto/test_x
