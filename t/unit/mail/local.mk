# UNIT_TESTS += t/unit/mail/test_x
