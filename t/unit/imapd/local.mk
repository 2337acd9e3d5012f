# UNIT_TESTS += t/unit/imapd/test_x
