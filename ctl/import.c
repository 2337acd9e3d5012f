/* ctl/import.c
 * The old server knew eight keys, each on a line of its own: key: value, '#' starts a
 * comment, values may be quoted.  What it did by default it does in the result. */
#include "ctl/import.h"

#include <errno.h>
#include <string.h>

#include "common/conf/lex.h"
#include "common/net/addr.h"
#include "common/util/fd.h"
#include "common/util/mem.h"

enum { BIND_ADDR, BIND_PORT, BIND_PORT_TLS, CERT_PATH, KEY_PATH, LOG_LEVEL, MAX_REQUEST, POOL, KEYS };

static const struct {
	const char	*name;
	const char	*def;		/* NULL: none */
} keys[KEYS] = {
	[BIND_ADDR] = { "bind-addr", "0.0.0.0" },
	[BIND_PORT] = { "bind-port", "143" },
	[BIND_PORT_TLS] = { "bind-port-tls", "993" },
	[CERT_PATH] = { "cert-path", NULL },
	[KEY_PATH] = { "key-path", NULL },
	[LOG_LEVEL] = { "log-level", "info" },
	[MAX_REQUEST] = { "max-request-size", "52428800" },
	[POOL] = { "worker-pool-size", NULL },
};

struct import {
	const char		*name;
	struct conf_errors	*err;
	struct arena		mem;
	const char		*value[KEYS];
	unsigned		line[KEYS];
};

static bool
number_in(const char *s, uint64_t lo, uint64_t hi)
{
	uint64_t v;

	return span_u64(span_str(s), &v) && v >= lo && v <= hi;
}

/* What is allowed, when the value is not; else NULL. */
static const char *
refuse(size_t key, const char *v)
{
	static const char *const levels[] = { "error", "warn", "info", "debug", "trace" };
	struct net_ip ip;

	switch (key) {
	case BIND_ADDR:
		return net_ip_parse(span_str(v), &ip) ? NULL : "an IP address";
	case BIND_PORT:
	case BIND_PORT_TLS:
		return number_in(v, 1, 65535) ? NULL : "a port from 1 to 65535";
	case CERT_PATH:
	case KEY_PATH:
		return v[0] == '/' ? NULL : "an absolute path";
	case MAX_REQUEST:
		return number_in(v, 1024, 2147483648u) ? NULL : "bytes from 1024 to 2147483648";
	case POOL:
		return number_in(v, 1, 256) ? NULL : "a number from 1 to 256";
	default:
		for (size_t i = 0; i < ARRAY_LEN(levels); i++)
			if (strcmp(levels[i], v) == 0)
				return NULL;
		return "error, warn, info, debug or trace";
	}
}

/* Without quotes, or without a comment behind a blank. */
static struct span
plain_value(struct span v)
{
	v = span_trim(v);
	if (v.len >= 2 && (v.p[0] == '"' || v.p[0] == '\'')) {
		size_t end = span_find(span_sub(v, 1, v.len), v.p[0]);

		return span_sub(v, 1, end);
	}
	for (size_t i = 1; i < v.len; i++)
		if (v.p[i] == '#' && (v.p[i - 1] == ' ' || v.p[i - 1] == '\t'))
			return span_trim(span_sub(v, 0, i));
	return v;
}

static bool
has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

static void
take(struct import *im, unsigned line, struct span key, struct span v)
{
	const char *allowed, *text;

	for (size_t k = 0; k < KEYS; k++) {
		if (!span_eq_str(key, keys[k].name))
			continue;
		if (im->value[k] != NULL) {
			conf_error(im->err, im->name, line, "%s is set twice, first in line %u",
			    keys[k].name, im->line[k]);
			return;
		}
		if (v.len > CONF_VALUE_MAX || has_control(v)) {
			conf_error(im->err, im->name, line, "%s: not a text value", keys[k].name);
			return;
		}
		text = arena_strndup(&im->mem, v.p, v.len);
		allowed = refuse(k, text);
		if (allowed != NULL)
			conf_error(im->err, im->name, line, "%s: \"%.80s\" is not a value; allowed: %s",
			    keys[k].name, text, allowed);
		im->value[k] = text;
		im->line[k] = line;
		return;
	}
	conf_error(im->err, im->name, line,
	    "unknown key \"%.*s\"; allowed: bind-addr, bind-port, bind-port-tls, cert-path, "
	    "key-path, log-level, max-request-size, worker-pool-size",
	    (int)(key.len < 64 ? key.len : 64), key.p);
}

static void
read_lines(struct import *im, struct span text)
{
	for (unsigned line = 1; text.len > 0; line++) {
		struct span s = span_trim(span_cut(&text, '\n'));
		struct span v = s, key;

		if (s.len == 0 || s.p[0] == '#' || span_eq_str(s, "---"))
			continue;
		key = span_trim(span_cut(&v, ':'));
		if (v.p == NULL || has_control(key))
			conf_error(im->err, im->name, line, "not \"key: value\"");
		else
			take(im, line, key, plain_value(v));
	}
	if ((im->value[CERT_PATH] == NULL) != (im->value[KEY_PATH] == NULL))
		conf_error(im->err, im->name, im->line[CERT_PATH] + im->line[KEY_PATH],
		    "cert-path and key-path belong together: %s is missing",
		    im->value[CERT_PATH] == NULL ? "cert-path" : "key-path");
}

static const char *
value(const struct import *im, size_t key)
{
	return im->value[key] != NULL ? im->value[key] : keys[key].def;
}

static void
put_bind(const struct import *im, size_t port, struct buf *out)
{
	const char *addr = value(im, BIND_ADDR);

	if (strchr(addr, ':') != NULL)
		buf_addf(out, "\tbind = \"[%s]:%s\"\n", addr, value(im, port));
	else
		buf_addf(out, "\tbind = %s:%s\n", addr, value(im, port));
}

static void
put_conf(const struct import *im, struct buf *out)
{
	bool tls = im->value[CERT_PATH] != NULL;

	buf_add_str(out, "# Converted by mansioctl config import.\n");
	buf_addf(out, "log {\n\tlevel = %s\n}\n", value(im, LOG_LEVEL));
	buf_add_str(out, "listener imap {\n\tprotocol = imap\n");
	put_bind(im, BIND_PORT, out);
	buf_addf(out, "\ttls = %s\n}\n", tls ? "starttls" : "none");
	if (tls) {
		buf_add_str(out, "listener imaps {\n\tprotocol = imap\n");
		put_bind(im, BIND_PORT_TLS, out);
		buf_add_str(out, "\ttls = implicit\n}\ncertificate main {\n\tchain = ");
		lex_quote(out, im->value[CERT_PATH]);
		buf_add_str(out, "\n\tkey = ");
		lex_quote(out, im->value[KEY_PATH]);
		buf_add_str(out, "\n}\n");
	} else {
		buf_add_str(out, "# No cert-path: port ");
		buf_add_str(out, value(im, BIND_PORT_TLS));
		buf_add_str(out, " needs a certificate and is left out.\n");
	}
	buf_addf(out, "imap {\n\tmax-append = %s\n}\n", value(im, MAX_REQUEST));
	buf_addf(out, "pool imapd {\n\tworkers = %s\n}\n",
	    im->value[POOL] != NULL ? im->value[POOL] : "auto");
}

bool
ctl_import_text(struct span text, const char *name, struct buf *out, struct conf_errors *err)
{
	struct import im = { .name = name, .err = err };

	read_lines(&im, text);
	if (err->count == 0)
		put_conf(&im, out);
	arena_fini(&im.mem);
	return err->count == 0;
}

bool
ctl_import(const char *path, struct buf *out, struct conf_errors *err)
{
	char *text;
	size_t len;
	bool ok;

	if (!fd_slurp_path(path, CONF_FILE_MAX, &text, &len)) {
		conf_error(err, path, 0, "cannot be read: %s", strerror(errno));
		return false;
	}
	ok = ctl_import_text(span(text, len), path, out, err);
	mem_free(&text);
	return ok;
}
