# UNIT_TESTS += t/unit/lmtpd/test_x
