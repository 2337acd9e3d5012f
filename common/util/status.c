#include "common/util/status.h"

const char *
status_name(enum status st)
{
	static const char *const names[] = {
		[ST_OK] = "ok",
		[ST_SYNTAX] = "syntax",
		[ST_NOT_FOUND] = "not-found",
		[ST_EXISTS] = "exists",
		[ST_DENIED] = "denied",
		[ST_OVER_QUOTA] = "over-quota",
		[ST_CONFLICT] = "conflict",
		[ST_LIMIT] = "limit",
		[ST_UNAVAILABLE] = "unavailable",
		[ST_CORRUPT] = "corrupt",
		[ST_BUG] = "bug",
		[ST_CANCELLED] = "cancelled",
		[ST_EXPIRED] = "expired",
		[ST_NO_SPACE] = "no-space",
		[ST_UNSUPPORTED] = "unsupported",
	};

	if ((unsigned)st > ST_MAX)
		return "unknown";
	return names[st];
}
