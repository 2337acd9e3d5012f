/* ctl/password.h
 * Where a new password comes from: standard input, the terminal without echo, or chance. */
#ifndef CTL_PASSWORD_H
#define CTL_PASSWORD_H

#include <stdbool.h>

#include "common/util/buf.h"

#define CTL_PASSWORD_MAX 512

struct ctl_password_from {
	bool	from_stdin;	/* --password-stdin: its first line */
	bool	random;		/* --random */
};

/* Appends the password to out, which is to be wiped.  CTL_OK, or another exit code after saying
 * why. */
int ctl_password(const struct ctl_password_from *from, struct buf *out);

#endif
