# Tests: a program per file, all linked with everything they may need.
TEST_LIBS = $(LIBS_SIEVE) $(LIBS_STORE) $(LIBS_FRONT) $(LIBS_COMMON)
include t/unit/util/local.mk
include t/unit/net/local.mk
include t/unit/ipc/local.mk
include t/unit/conf/local.mk
include t/unit/mime/local.mk
include t/unit/mail/local.mk
include t/unit/proto/local.mk
include t/unit/http/local.mk
include t/unit/crypto/local.mk
include t/unit/compress/local.mk
include t/unit/auth/local.mk
include t/unit/worker/local.mk
include t/unit/storage/local.mk
include t/crash/local.mk
include t/unit/authd/local.mk
include t/unit/outd/local.mk
include t/unit/indexd/local.mk
include t/unit/imapd/local.mk
include t/unit/jmapd/local.mk
include t/unit/jmapd/email/local.mk
include t/unit/filter/local.mk
include t/unit/front/local.mk
include t/unit/lmtpd/local.mk
include t/unit/pop3d/local.mk
include t/unit/sieved/local.mk
include t/unit/sieve/local.mk
include t/sieve/local.mk
include t/unit/master/local.mk
include t/unit/admin/local.mk
include t/unit/transfer/local.mk
include t/fuzz/sieve/local.mk
include t/fuzz/net/local.mk
include t/fuzz/compress/local.mk
include t/fuzz/ipc/local.mk
include t/fuzz/conf/local.mk
include t/fuzz/mime/local.mk
include t/fuzz/mail/local.mk
include t/fuzz/proto/local.mk
include t/fuzz/http/local.mk
include t/fuzz/auth/local.mk
include t/fuzz/storage/local.mk
include t/fuzz/authd/local.mk
include t/fuzz/outd/local.mk
include t/fuzz/indexd/local.mk
include t/fuzz/imapd/local.mk
include t/fuzz/jmapd/local.mk
include t/fuzz/jmapd/email/local.mk
include t/fuzz/lmtpd/local.mk
include t/fuzz/pop3d/local.mk
include t/fuzz/sieved/local.mk
include t/fuzz/master/local.mk
include t/fuzz/admin/local.mk
include t/fuzz/transfer/local.mk

if HAVE_CMOCKA
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif

# Without --enable-fuzzing a fuzz target is a program that replays the files it
# is given; with it, a libFuzzer program.
if FUZZING
FUZZ_MAIN =
FUZZ_LINK = -fsanitize=fuzzer
else
FUZZ_MAIN = t/fuzz/replay.c
FUZZ_LINK =
endif
check_PROGRAMS += $(FUZZ_TARGETS)
EXTRA_DIST += t/fuzz/replay.c
