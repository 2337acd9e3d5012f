/* What ctl/main.c is to the rest of mansioctl, without a word. */
#include "ctl/ctl.h"

int
ctl_error(const char *fmt, ...)
{
	return CTL_FAILED;
}

int
ctl_usage(const char *fmt, ...)
{
	return CTL_USAGE;
}

int
ctl_print(const struct buf *b)
{
	return CTL_OK;
}

void
ctl_socket(const struct ctl *ctl, struct buf *out)
{
}
