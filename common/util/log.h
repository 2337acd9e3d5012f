/* common/util/log.h
 * One event, one line: a fixed dotted name, then key=value pairs, quoted here so
 * that no byte from outside can end or forge a line.
 *
 *     LOG(&s->log, INFO, "mailbox.delete", KV_SPAN("mailbox", name), KV_STATUS(st));
 *
 * The line goes to one descriptor that the parent opened: a file or stderr (time
 * stamped), journald's stderr stream ("<6>" prefix), or a datagram socket
 * connected to syslog.  Writing never blocks: what a full sink does not take is
 * counted and reported by the next line that gets through ("log.lost").
 * Lines are cut at LOG_LINE_MAX bytes. */
#ifndef COMMON_UTIL_LOG_H
#define COMMON_UTIL_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/span.h"
#include "common/util/status.h"

#define LOG_LINE_MAX 2048

enum log_level {
	LOG_LEVEL_FATAL, LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG, LOG_LEVEL_TRACE
};

enum log_sink { LOG_SINK_STDERR, LOG_SINK_FILE, LOG_SINK_JOURNAL, LOG_SINK_SYSLOG };

/* What every line of a session carries; zeroed: nothing.  The strings are
 * borrowed and outlive the context. */
struct log_ctx {
	const char	*conn;		/* id of the connection, through all processes */
	const char	*user;
	const char	*peer;		/* client address */
};

enum log_kind { LOG_KV_END, LOG_KV_SPAN, LOG_KV_STR, LOG_KV_INT, LOG_KV_UINT, LOG_KV_HEX };

struct log_kv {
	const char	*key;
	enum log_kind	kind;
	struct span	s;
	int64_t		i;
	uint64_t	u;
};

#define KV_SPAN(k, v)	((struct log_kv){ .key = (k), .kind = LOG_KV_SPAN, .s = (v) })
#define KV_STR(k, v)	((struct log_kv){ .key = (k), .kind = LOG_KV_STR, .s = span_str(v) })
#define KV_INT(k, v)	((struct log_kv){ .key = (k), .kind = LOG_KV_INT, .i = (v) })
#define KV_UINT(k, v)	((struct log_kv){ .key = (k), .kind = LOG_KV_UINT, .u = (v) })
#define KV_HEX(k, v)	((struct log_kv){ .key = (k), .kind = LOG_KV_HEX, .u = (v) })
#define KV_STATUS(st)	KV_STR("status", status_name(st))
#define KV_ERRNO(e)	KV_STR("error", log_strerror(e))

/* ctx may be NULL.  Levels: FATAL this process ends; ERROR one request failed
 * through us; WARN odd, work goes on; INFO what an operator counts; DEBUG, TRACE
 * for us.  Never passwords, tokens or message text. */
#define LOG(ctx, level, name, ...) do {						\
	if (log_enabled(LOG_LEVEL_##level))					\
		log_event((ctx), LOG_LEVEL_##level, (name),			\
		    (const struct log_kv[]){ __VA_ARGS__ __VA_OPT__(,) { .kind = LOG_KV_END } }); \
} while (0)

/* program: borrowed for ever, "imapd".  Without a call: stderr, level info. */
void log_init(const char *program);
void log_set_level(enum log_level level);
/* fd stays the caller's. */
void log_set_sink(enum log_sink sink, int fd);
bool log_level_parse(const char *name, enum log_level *level);
const char *log_level_name(enum log_level level);
bool log_enabled(enum log_level level);
void log_event(const struct log_ctx *ctx, enum log_level level, const char *name,
    const struct log_kv *kv);
const char *log_strerror(int e);
/* The line as it would be written, without time and sink's prefix, NUL-terminated;
 * returns its length.  For tests and for the sinks themselves. */
size_t log_format(char out[LOG_LINE_MAX], const struct log_ctx *ctx,
    enum log_level level, const char *name, const struct log_kv *kv);

#endif
