/* Dovecot's authentication protocol, as Postfix and Exim speak it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "authd/dovecot.h"
#include "common/crypto/encode.h"
#include "common/net/listener.h"
#include "common/proto/dovecot_auth.h"
#include "common/proto/sasl.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "world.h"

static struct world w;
static char path[64];
static struct buf got;

static int
connect_to(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void
start(void)
{
	struct listener_opts lo = { .mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	struct net_addr a = { .ip.family = NET_UNIX };
	int fd;

	world_start(&w, world_conf());
	assert_int_equal(world_admin(&w, "account-add",
	    "{\"address\":\"alice@example.org\",\"password\":\"secret\"}"), ST_OK);
	snprintf(path, sizeof(path), "/tmp/mansio-dovecot.%ld", (long)getpid());
	unlink(path);
	snprintf(a.path, sizeof(a.path), "%s", path);
	assert_true(listener_bind(&a, &lo, &fd));
	dovecot_add(w.a, SPAN_LIT("submission"), fd);
}

static void
stop(void)
{
	world_stop(&w);
	unlink(path);
	buf_fini(&got);
}

/* Until the text is there, or the socket closes; false: that. */
static bool
reads(int fd, const char *text)
{
	uint64_t end = clock_mono_ms() + 20000;
	ssize_t n;

	while (strstr(buf_cstr(&got), text) == NULL) {
		assert_true(clock_mono_ms() < end);
		loop_once(w.loop, false);
		n = recv(fd, buf_reserve(&got, 4096), 4096, MSG_DONTWAIT);
		if (n == 0)
			return false;
		if (n > 0)
			buf_added(&got, (size_t)n);
		else
			usleep(1000);
	}
	return true;
}

static void
says(int fd, const char *text)
{
	buf_clear(&got);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void
tries(int fd, unsigned no, const char *params, const char *user, const char *password)
{
	struct buf plain = { 0 }, line = { 0 };

	sasl_plain_put(&plain, &(struct sasl_plain){ .authcid = span_str(user),
	    .password = span_str(password) });
	buf_addf(&line, "AUTH\t%u\tPLAIN\tservice=smtp\tnologin\t%sresp=", no, params);
	base64_encode(buf_span(&plain), &line);
	buf_add_c(&line, '\n');
	says(fd, buf_cstr(&line));
	buf_fini(&plain);
	buf_fini(&line);
}

static void
an_mta_learns_who_may_submit(void **state)
{
	int fd;

	start();
	fd = connect_to();
	assert_true(reads(fd, "\nDONE\n"));
	assert_true(strncmp(got.data, "VERSION\t1\t2\n", 12) == 0);
	assert_non_null(strstr(got.data, "\nMECH\tSCRAM-SHA-256\tmutual-auth\n"));
	assert_non_null(strstr(got.data, "\nMECH\tPLAIN\tplaintext\n"));
	assert_null(strstr(got.data, "PLUS"));
	assert_non_null(strstr(got.data, "\nSPID\t"));
	assert_non_null(strstr(got.data, "\nCUID\t"));
	assert_non_null(strstr(got.data, "\nCOOKIE\t"));
	says(fd, "VERSION\t1\t1\nCPID\t77\n");
	tries(fd, 1, "rip=192.0.2.7\tsecured\t", "alice@example.org", "secret");
	assert_true(reads(fd, "\n"));
	assert_string_equal(got.data, "OK\t1\tuser=alice@example.org\n");
	tries(fd, 2, "rip=192.0.2.7\tsecured\t", "alice@example.org", "wrong");
	assert_true(reads(fd, "\n"));
	assert_string_equal(got.data, "FAIL\t2\tuser=alice@example.org\n");
	tries(fd, 3, "rip=192.0.2.7\t", "alice@example.org", "secret");
	assert_true(reads(fd, "\n"));
	assert_non_null(strstr(got.data, "reason=Encrypt"));
	/* no ticket, no login */
	assert_int_equal(tickets_count(w.a->tickets), 0);
	says(fd, "AUTH\t4\tLOGIN\tservice=smtp\tsecured\n");
	assert_true(reads(fd, "\n"));
	assert_string_equal(got.data, "CONT\t4\tVXNlcm5hbWU6\n");
	says(fd, "CONT\t4\tYWxpY2VAZXhhbXBsZS5vcmc=\n");
	assert_true(reads(fd, "\n"));
	says(fd, "CONT\t4\tc2VjcmV0\n");
	assert_true(reads(fd, "\n"));
	assert_string_equal(got.data, "OK\t4\tuser=alice@example.org\n");
	says(fd, "AUTH\t5\tPLAIN\tservice=finger\tsecured\tresp=AA==\n");
	assert_true(reads(fd, "FAIL\t5\n"));
	says(fd, "AUTH\t6\tPLAIN\tservice=smtp\tsecured\tresp=!\n");
	assert_true(reads(fd, "FAIL\t6\n"));
	says(fd, "CONT\t9\tAA==\n");
	assert_true(reads(fd, "FAIL\t9\n"));
	says(fd, "NEWS\tof a later version\nCANCEL\t9\n");
	tries(fd, 7, "secured=tls\t", "alice@example.org", "secret");
	assert_true(reads(fd, "OK\t7\t"));
	close(fd);
	stop();
}

static void
app_passwords_for_submission_open_it_and_others_do_not(void **state)
{
	char password[64];
	int fd;

	start();
	fd = connect_to();
	says(fd, "VERSION\t1\t1\nCPID\t77\n");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(world_admin(&w, "app-password-add", i == 0 ?
		    "{\"address\":\"alice@example.org\",\"label\":\"a\",\"protocols\":[\"submit\"]}" :
		    "{\"address\":\"alice@example.org\",\"label\":\"b\",\"protocols\":[\"imap\"]}"), ST_OK);
		snprintf(password, sizeof(password), "%.26s",
		    strstr(w.result.data, "\"password\":\"") + 12);
		tries(fd, 1, "secured\t", "alice@example.org", password);
		assert_true(reads(fd, i == 0 ? "OK\t1\t" : "FAIL\t1\t"));
	}
	close(fd);
	stop();
}

static void
who_breaks_the_protocol_is_put_out(void **state)
{
	static const char *const bad[] = {
		"AUTH\t1\tPLAIN\tservice=smtp\n", "VERSION\t2\t0\n", "VERSION\tone\n", "\n",
		"VERSION\t1\t0\nAUTH\tx\tPLAIN\tservice=smtp\n", "VERSION\t1\t0\nAUTH\t1\tPLAIN\n",
		"VERSION\t1\t0\nAUTH\t1\tPLAIN\tservice=smtp\tresp=AA==\tsecured\n",
	};
	struct buf line = { 0 };
	int fd;

	start();
	for (size_t i = 0; i <= ARRAY_LEN(bad); i++) {
		fd = connect_to();
		buf_clear(&line);
		if (i < ARRAY_LEN(bad))
			buf_add_str(&line, bad[i]);
		for (int k = 0; k < 5000 && i == ARRAY_LEN(bad); k++)
			buf_add_str(&line, "VERSION");
		says(fd, buf_cstr(&line));
		assert_false(reads(fd, "there is no such answer"));
		close(fd);
	}
	buf_fini(&line);
	stop();
}

static void
values_are_escaped(void **state)
{
	struct buf b = { 0 };

	dovecot_put(&b, span("a\tb\nc\rd\001e\0" "f", 11));
	assert_true(span_eq(buf_span(&b), span("a\001" "tb\001nc\001rd\001" "1e\001" "0f", 16)));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_mta_learns_who_may_submit),
		cmocka_unit_test(app_passwords_for_submission_open_it_and_others_do_not),
		cmocka_unit_test(who_breaks_the_protocol_is_put_out),
		cmocka_unit_test(values_are_escaped),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
