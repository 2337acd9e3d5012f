#include "ctl/password.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/crypto/random.h"
#include "common/util/mem.h"
#include "ctl/ctl.h"

#define RANDOM_LEN 20		/* over 100 bits */

/* A line without its end; false: none came, or it is too long. */
static bool
read_line(struct buf *out)
{
	char line[CTL_PASSWORD_MAX + 2];
	bool ok = fgets(line, sizeof(line), stdin) != NULL;
	size_t n = ok ? strlen(line) : 0;

	ok = ok && n < sizeof(line) - 1;
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	if (ok)
		buf_add(out, line, n);
	mem_wipe(line, sizeof(line));
	return ok;
}

static bool
ask(const char *prompt, struct buf *out)
{
	struct termios shown, hidden;
	bool ok;

	if (tcgetattr(STDIN_FILENO, &shown) != 0)
		return false;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	fputs(prompt, stderr);
	fflush(stderr);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) != 0)
		return false;
	ok = read_line(out);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	return ok;
}

static int
ask_twice(struct buf *out)
{
	struct buf again = { 0 };
	int rc = CTL_OK;

	if (!ask("New password: ", out) || !ask("The same again: ", &again))
		rc = ctl_error("no password was read");
	else if (!span_eq(buf_span(out), buf_span(&again)))
		rc = ctl_error("the two are not the same");
	buf_fini_secret(&again);
	return rc;
}

int
ctl_password(const struct ctl_password_from *from, struct buf *out)
{
	char text[RANDOM_LEN + 1];
	int rc = CTL_OK;

	if (from->random && from->from_stdin)
		return ctl_usage("--random and --password-stdin exclude each other");
	if (from->random) {
		random_id(text, RANDOM_LEN);
		buf_add_str(out, text);
		mem_wipe(text, sizeof(text));
	} else if (from->from_stdin) {
		if (!read_line(out))
			rc = ctl_error("standard input has no password in its first line");
	} else if (isatty(STDIN_FILENO)) {
		rc = ask_twice(out);
	} else {
		return ctl_usage("where does the password come from? --password-stdin or --random");
	}
	if (rc == CTL_OK && out->len == 0)
		rc = ctl_error("the password is empty");
	return rc;
}
