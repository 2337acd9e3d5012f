#include "common/util/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static struct {
	const char	*program;
	enum log_level	level;
	enum log_sink	sink;
	int		fd;
	uint64_t	lost;
} lg = { "mansio", LOG_LEVEL_INFO, LOG_SINK_STDERR, STDERR_FILENO, 0 };

static const char *const level_names[] = {
	"fatal", "error", "warn", "info", "debug", "trace"
};

static const int syslog_levels[] = {
	LOG_CRIT, LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_DEBUG
};

struct line {
	char	*p;
	size_t	len;
};

static void
line_add(struct line *l, const char *s, size_t n)
{
	size_t room = LOG_LINE_MAX - 1 - l->len;

	if (n > room)
		n = room;
	memcpy(l->p + l->len, s, n);
	l->len += n;
}

static void
line_str(struct line *l, const char *s)
{
	line_add(l, s, strlen(s));
}

static bool
is_plain(unsigned char c)
{
	return ascii_isalnum(c) || (c != 0 && strchr("._-/:@+,<>[]*%~$^", c) != NULL);
}

/* Bare when it is one plain word; else in quotes, with \xHH for control and 8-bit
 * bytes, so that a log line is ASCII whatever a client sends. */
static void
line_value(struct line *l, struct span s)
{
	bool plain = s.len > 0;

	for (size_t i = 0; i < s.len && plain; i++)
		plain = is_plain((unsigned char)s.p[i]);
	if (plain) {
		line_add(l, s.p, s.len);
		return;
	}
	line_str(l, "\"");
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char hex[5];

		if (c == '"' || c == '\\') {
			hex[0] = '\\';
			hex[1] = (char)c;
			line_add(l, hex, 2);
		} else if (c >= 0x20 && c < 0x7f) {
			line_add(l, s.p + i, 1);
		} else {
			snprintf(hex, sizeof(hex), "\\x%02x", c);
			line_add(l, hex, 4);
		}
	}
	line_str(l, "\"");
}

static void
line_kv(struct line *l, const struct log_kv *kv)
{
	char num[32];

	line_str(l, " ");
	line_str(l, kv->key);
	line_str(l, "=");
	switch (kv->kind) {
	case LOG_KV_INT:
		snprintf(num, sizeof(num), "%lld", (long long)kv->i);
		line_str(l, num);
		break;
	case LOG_KV_UINT:
		snprintf(num, sizeof(num), "%llu", (unsigned long long)kv->u);
		line_str(l, num);
		break;
	case LOG_KV_HEX:
		snprintf(num, sizeof(num), "%llx", (unsigned long long)kv->u);
		line_str(l, num);
		break;
	default:
		line_value(l, kv->s);
	}
}

size_t
log_format(char out[LOG_LINE_MAX], const struct log_ctx *ctx, enum log_level level,
    const char *name, const struct log_kv *kv)
{
	struct line l = { out, 0 };

	line_str(&l, level_names[level]);
	line_str(&l, " ");
	line_str(&l, name);
	if (ctx != NULL) {
		if (ctx->conn != NULL)
			line_kv(&l, &KV_STR("conn", ctx->conn));
		if (ctx->user != NULL)
			line_kv(&l, &KV_STR("user", ctx->user));
		if (ctx->peer != NULL)
			line_kv(&l, &KV_STR("peer", ctx->peer));
	}
	for (; kv != NULL && kv->kind != LOG_KV_END; kv++)
		line_kv(&l, kv);
	out[l.len] = '\0';
	return l.len;
}

static bool
write_line(enum log_level level, const char *text)
{
	char out[LOG_LINE_MAX + 128], stamp[40] = "";
	struct timespec now;
	struct tm tm;
	ssize_t r;
	int n;

	switch (lg.sink) {
	case LOG_SINK_SYSLOG:
		n = snprintf(out, sizeof(out), "<%d>%s[%ld]: %s", LOG_MAIL | syslog_levels[level],
		    lg.program, (long)getpid(), text);
		break;
	case LOG_SINK_JOURNAL:
		n = snprintf(out, sizeof(out), "<%d>%s[%ld]: %s\n", syslog_levels[level],
		    lg.program, (long)getpid(), text);
		break;
	default:
		clock_gettime(CLOCK_REALTIME, &now);
		gmtime_r(&now.tv_sec, &tm);
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
		n = snprintf(out, sizeof(out), "%s.%03ldZ %s[%ld]: %s\n", stamp,
		    now.tv_nsec / 1000000, lg.program, (long)getpid(), text);
	}
	if (n < 0)
		return false;
	if ((size_t)n >= sizeof(out))
		n = (int)sizeof(out) - 1;
	/* the descriptor's flags are shared with whoever gave it to us, so they stay; a
	 * pipe that polls writable takes a line whole (PIPE_BUF) */
	if (lg.sink != LOG_SINK_SYSLOG && poll(&(struct pollfd){ lg.fd, POLLOUT, 0 }, 1, 0) != 1)
		return false;
	if (lg.sink == LOG_SINK_SYSLOG)
		r = send(lg.fd, out, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		r = write(lg.fd, out, (size_t)n);
	return r == (ssize_t)n;
}

void
log_event(const struct log_ctx *ctx, enum log_level level, const char *name,
    const struct log_kv *kv)
{
	char text[LOG_LINE_MAX];
	int saved = errno;

	if (lg.lost > 0) {
		log_format(text, NULL, LOG_LEVEL_WARN, "log.lost",
		    (const struct log_kv[]){ KV_UINT("lines", lg.lost), { .kind = LOG_KV_END } });
		if (write_line(LOG_LEVEL_WARN, text))
			lg.lost = 0;
	}
	log_format(text, ctx, level, name, kv);
	if (!write_line(level, text))
		lg.lost++;
	errno = saved;
}

void
log_init(const char *program)
{
	lg.program = program;
}

void
log_set_level(enum log_level level)
{
	lg.level = level;
}

void
log_set_sink(enum log_sink sink, int fd)
{
	lg.sink = sink;
	lg.fd = fd;
}

bool
log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}

bool
log_enabled(enum log_level level)
{
	return level <= lg.level;
}

const char *
log_strerror(int e)
{
	const char *s = strerrordesc_np(e);

	return s != NULL ? s : "unknown error";
}
