/* common/util/status.h
 * The one vocabulary of outcomes, from the engine to the wire.  Each daemon has
 * one table that turns it into its protocol's codes.  The numbers travel in
 * frames between the processes: append only. */
#ifndef COMMON_UTIL_STATUS_H
#define COMMON_UTIL_STATUS_H

enum status {
	ST_OK = 0,
	ST_SYNTAX = 1,		/* the peer's bytes do not follow the grammar */
	ST_NOT_FOUND = 2,
	ST_EXISTS = 3,
	ST_DENIED = 4,		/* no right, wrong role, bad ticket */
	ST_OVER_QUOTA = 5,
	ST_CONFLICT = 6,	/* a condition (if-state, unchanged-since) failed */
	ST_LIMIT = 7,		/* a configured or built-in limit */
	ST_UNAVAILABLE = 8,	/* temporary: try again */
	ST_CORRUPT = 9,		/* stored bytes are damaged */
	ST_BUG = 10,		/* our own mistake, answered instead of hidden */
	ST_CANCELLED = 11,
	ST_EXPIRED = 12,	/* ticket or credential past its time */
	ST_NO_SPACE = 13,	/* disk full */
	ST_UNSUPPORTED = 14,
	ST_MAX = 14
};

/* Name for logs and JSON, "not-found"; never NULL. */
const char *status_name(enum status st);

#endif
