/* common/conf/check.c
 * What follows from several settings together, and the questions others ask. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/conf/settings_priv.h"
#include "common/conf/value.h"
#include "common/util/mem.h"

void
conf_complete(struct mansio_conf *c)
{
	struct buf b = { 0 };
	char host[256];

	if (c->global.hostname[0] == '\0') {
		if (gethostname(host, sizeof(host)) != 0 || host[0] == '\0')
			snprintf(host, sizeof(host), "localhost");
		host[sizeof(host) - 1] = '\0';
		c->global.hostname = arena_strndup(&c->mem, host, strlen(host));
	}
	if (c->admin.socket[0] == '\0') {
		buf_addf(&b, "%s/admin.sock", c->global.run_dir);
		c->admin.socket = arena_strndup(&c->mem, b.data, b.len);
	}
	buf_fini(&b);
}

/* Names the place of a field, or of its section when it was not written. */
static void
complain(struct conf_errors *err, const struct conf_section *s, const void *section,
    const char *key, const char *why)
{
	const struct conf_head *head = section;
	struct conf_origin o = head->at;
	char name[CONF_NAME_MAX];

	for (const struct conf_field *f = s->fields; f->name != NULL; f++)
		if (strcmp(conf_key(f, name), key) == 0 && head->origins[f - s->fields].file != NULL)
			o = head->origins[f - s->fields];
	conf_error(err, o.file != NULL ? o.file : "(default)", o.line, "%s%s%s%s%s: %s", s->name,
	    head->name[0] != '\0' ? " " : "", head->name, s->name[0] != '\0' ? " " : "", key, why);
}

static const struct conf_section *
section_named(const char *name)
{
	const struct conf_section *s = conf_sections;

	while (strcmp(s->name, name) != 0)
		s++;
	return s;
}

static void
check_required(const struct mansio_conf *c, struct conf_errors *err)
{
	const struct conf_head *head;
	char key[CONF_NAME_MAX];

	for (const struct conf_section *s = conf_sections; s->name != NULL; s++)
		for (size_t i = 0; (head = conf_section_at(c, s, i)) != NULL; i++)
			for (const struct conf_field *f = s->fields; f->name != NULL; f++)
				if ((f->flags & CONF_REQUIRED) != 0 &&
				    head->origins[f - s->fields].file == NULL)
					complain(err, s, head, conf_key(f, key), "must be set");
}

static bool
is_bound_before(const struct mansio_conf *c, size_t listener, size_t addr)
{
	const struct net_addr *a = &c->listeners[listener].bind.v[addr];

	if (a->ip.family != NET_UNIX && a->port == 0)
		return false;
	for (size_t i = 0; i <= listener; i++)
		for (size_t k = 0; k < (i < listener ? c->listeners[i].bind.n : addr); k++)
			if (memcmp(&c->listeners[i].bind.v[k], a, sizeof(*a)) == 0)
				return true;
	return false;
}

static void
check_listeners(const struct mansio_conf *c, struct conf_errors *err)
{
	const struct conf_section *s = section_named("listener");

	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct conf_listener *l = &c->listeners[i];

		if (l->bind.n == 0)
			complain(err, s, l, "bind", "no address; at least one is needed");
		for (size_t k = 0; k < l->bind.n; k++)
			if (is_bound_before(c, i, k))
				complain(err, s, l, "bind", "an address that is bound already");
		for (size_t k = 0; k < l->bind.n && l->protocol == CONF_DOVECOT_AUTH; k++)
			if (l->bind.v[k].ip.family != NET_UNIX)
				complain(err, s, l, "bind", "dovecot-auth is for UNIX sockets alone");
		if (l->tls != CONF_TLS_NONE && l->protocol == CONF_DOVECOT_AUTH)
			complain(err, s, l, "tls", "there is no TLS on UNIX sockets");
		if (l->tls == CONF_TLS_STARTTLS && l->protocol == CONF_JMAP)
			complain(err, s, l, "tls", "HTTP has no STARTTLS; allowed: none, implicit");
		if (l->tls != CONF_TLS_NONE && c->n_certificates == 0)
			complain(err, s, l, "tls",
			    "needs a certificate; add a section: certificate NAME { chain = PATH  key = PATH }");
	}
}

static void
check_shards(const struct mansio_conf *c, struct conf_errors *err)
{
	const struct conf_section *s = section_named("shard");

	for (size_t i = 0; i < c->n_shards; i++) {
		const struct conf_shard *sh = &c->shards[i];
		const char *name = sh->head.name;
		char canonical[16];
		uint32_t n;

		if (strcmp(name, "system") != 0) {
			if (!span_u32(span_str(name), &n) || n >= c->store.shards) {
				complain(err, s, sh, "path",
				    "no such shard; allowed: system, or a number below store shards");
				continue;
			}
			snprintf(canonical, sizeof(canonical), "%u", n);
			if (strcmp(canonical, name) != 0)
				complain(err, s, sh, "path", "a number without leading zeros names a shard");
		}
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->shards[k].path, sh->path) == 0)
				complain(err, s, sh, "path", "another shard has the same folder");
	}
}

/* "%u", "%08Xv": what stands behind the sign, or 0 at what is no conversion. */
static char
uidl_conversion(const char **p)
{
	const char *s = *p + 1;

	if (s[0] == '0' && s[1] >= '1' && s[1] <= '9')
		s += 2;
	if (*s == 'X' || *s == 'x')
		s++;
	if (*s == '\0' || strchr("uvme", *s) == NULL)
		return 0;
	*p = s + 1;
	return *s;
}

static const char *
uidl_wrong(const char *p)
{
	bool uid = false, mailbox = false;
	size_t longest = 0;

	while (*p != '\0') {
		char c;

		if (*p != '%') {
			if (*p <= ' ' || *p >= 0x7f)
				return "not a unique-id; allowed: printable ASCII without blanks";
			p++;
			longest++;
			continue;
		}
		c = uidl_conversion(&p);
		if (c == 0)
			return "no such conversion; allowed: %u %v %m %e, with 08X and the like before the letter";
		uid |= c == 'u';
		mailbox |= c == 'v' || c == 'm';
		longest += c == 'u' || c == 'v' ? 10 : 20;
	}
	if (!uid || !mailbox)
		return "two messages could have the same; needed: %u, and %v or %m";
	return longest > 70 ? "can become longer than 70 characters" : NULL;
}

static bool
expire_good(const char *s)
{
	uint32_t days;

	return strcmp(s, "never") == 0 || (span_u32(span_str(s), &days) && days <= 65535);
}

static void
check_pop3(const struct mansio_conf *c, struct conf_errors *err)
{
	const struct conf_section *s = section_named("pop3");
	const struct conf_pop3 *p = &c->pop3;
	const char *why = uidl_wrong(p->uidl_format), *d = p->folder_delimiter;

	if (why != NULL)
		complain(err, s, p, "uidl-format", why);
	if (!expire_good(p->expire))
		complain(err, s, p, "expire", "not a time; allowed: never, or days from 0 to 65535");
	if (strlen(d) != 1 || ascii_isalnum(d[0]) || d[0] == '@' || d[0] <= ' ' || d[0] >= 0x7f)
		complain(err, s, p, "folder-delimiter", "not a delimiter; allowed: one sign such as + - _");
	if (p->mailboxes.n == 0)
		complain(err, s, p, "mailboxes", "none; at least one is needed");
	if (p->delete_flag[0] == '\0' ||
	    (p->delete_flag[0] == '\\' && strcmp(p->delete_flag, "\\Deleted") != 0))
		complain(err, s, p, "delete-flag", "not a flag; allowed: a keyword, or \\Deleted");
	if (p->trash[0] == '\0')
		complain(err, s, p, "trash", "must not be empty");
}

/* What stands in names as it is, in all encodings of them. */
static bool
is_namespace(const char *p)
{
	size_t n = strlen(p);

	if (n > 64 || p[0] == ' ' || (n > 0 && p[n - 1] == ' ') || strcasecmp(p, "INBOX") == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!ascii_isalnum(p[i]) && strchr(" ._-#", p[i]) == NULL)
			return false;
	return n == 0 || (strcmp(p, ".") != 0 && strcmp(p, "..") != 0);
}

static void
check_namespace(const struct mansio_conf *c, const char *key, const char *prefix,
    struct conf_errors *err)
{
	const struct conf_section *s = section_named("imap");
	size_t n = strlen(prefix);

	if (!is_namespace(prefix))
		complain(err, s, &c->imap, key, "not a name; allowed: letters, digits, blank . _ - # "
		    "inside, up to 64, not INBOX");
	for (size_t i = 0; n > 0 && i < c->imap.default_folders.n; i++) {
		const char *f = c->imap.default_folders.v[i].name;

		if (strncmp(f, prefix, n) == 0 && (f[n] == '\0' || f[n] == '/'))
			complain(err, s, &c->imap, key, "the same as one of default-folders");
	}
}

static void
check_namespaces(const struct mansio_conf *c, struct conf_errors *err)
{
	check_namespace(c, "other-users-prefix", c->imap.other_users_prefix, err);
	check_namespace(c, "shared-prefix", c->imap.shared_prefix, err);
	check_namespace(c, "undelete-prefix", c->imap.undelete_prefix, err);
	if (c->imap.undelete_prefix[0] != '\0' &&
	    (strcasecmp(c->imap.undelete_prefix, c->imap.other_users_prefix) == 0 ||
	    strcasecmp(c->imap.undelete_prefix, c->imap.shared_prefix) == 0))
		complain(err, section_named("imap"), &c->imap, "undelete-prefix",
		    "the same as another prefix");
	if (c->imap.shared_prefix[0] != '\0' &&
	    strcasecmp(c->imap.shared_prefix, c->imap.other_users_prefix) == 0)
		complain(err, section_named("imap"), &c->imap, "shared-prefix",
		    "the same as other-users-prefix");
}

/* "https://host...": no user, no fragment, nothing that would end a line. */
static const char *
url_wrong(const char *url, bool cleartext)
{
	struct span s = span_str(url), rest, host;

	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
			return "not a URL; allowed: printable ASCII without blanks";
	if (!span_has_caseprefix(s, "https://") && !span_has_caseprefix(s, "http://"))
		return "not a URL; allowed: https://HOST/PATH";
	if (!cleartext && !span_has_caseprefix(s, "https://"))
		return "clear text; allowed: https, or set outd cleartext";
	rest = span_sub(s, span_find(s, ':') + 3, s.len);
	host = span_cut(&rest, '/');
	if (host.len == 0 || span_find(host, '@') < host.len || span_find(s, '#') < s.len)
		return "not a URL; allowed: https://HOST/PATH without user and fragment";
	return NULL;
}

static void
check_oauth(const struct mansio_conf *c, struct conf_errors *err)
{
	const struct conf_section *s = section_named("oauth");
	const struct conf_oauth *o = &c->oauth;
	const char *why;

	if (o->jwks_url[0] != '\0' && (why = url_wrong(o->jwks_url, c->outd.cleartext)) != NULL)
		complain(err, s, o, "jwks-url", why);
	if (o->jwks_url[0] != '\0' && o->jwks_file[0] != '\0')
		complain(err, s, o, "jwks-url", "the keys come from jwks-file; allowed: one of them");
	if (o->jwks_min_time_s > o->jwks_max_time_s)
		complain(err, s, o, "jwks-min-time", "longer than jwks-max-time");
	if (o->introspection_url[0] == '\0')
		return;
	if ((why = url_wrong(o->introspection_url, c->outd.cleartext)) != NULL)
		complain(err, s, o, "introspection-url", why);
	if (o->introspection_auth == CONF_INTROSPECT_BASIC && o->client_id[0] == '\0')
		complain(err, s, o, "client-id", "must be set for introspection-auth = basic");
	if (o->introspection_auth != CONF_INTROSPECT_NONE && o->client_secret_file[0] == '\0')
		complain(err, s, o, "client-secret-file",
		    "must be set, or introspection-auth = none");
	if (o->introspection_claim[0] == '\0')
		complain(err, s, o, "introspection-claim", "must not be empty");
}

bool
conf_retention_entry(const char *entry, uint32_t *seconds, const char **path)
{
	char time[32];
	size_t n = strcspn(entry, " \t");

	if (n == 0 || n >= sizeof(time))
		return false;
	memcpy(time, entry, n);
	time[n] = '\0';
	*path = entry + n + strspn(entry + n, " \t");
	return **path != '\0' && conf_time_parse(time, seconds);
}

bool
conf_extractor(const char *entry, struct arena *mem, struct conf_extractor *e)
{
	struct span rest = span_trim(span_str(entry)), word;
	size_t n = 0, slash;

	*e = (struct conf_extractor){ .type = span_cut(&rest, ' ') };
	slash = span_find(e->type, '/');
	while ((rest = span_trim(rest)).len > 0) {
		if (n == CONF_EXTRACTOR_ARGS)
			return false;
		word = span_cut(&rest, ' ');
		e->argv[n++] = arena_strndup(mem, word.p, word.len);
	}
	return slash > 0 && slash + 1 < e->type.len && n > 0 && e->argv[0][0] == '/';
}

static void
check_extractors(const struct mansio_conf *c, struct conf_errors *err)
{
	const struct conf_strings *x = &c->indexd.extractors;
	struct conf_extractor e;
	struct arena mem = { 0 };

	for (size_t i = 0; i < x->n; i++)
		if (!conf_extractor(x->v[i], &mem, &e))
			complain(err, section_named("indexd"), &c->indexd, "extractors",
			    "not a rule; allowed: a type, an absolute path and up to 15 arguments, "
			    "\"application/pdf /usr/bin/pdftotext - -\"");
	if (c->indexd.extractor_time_s > c->indexd.timeout_s / 3)
		complain(err, section_named("indexd"), &c->indexd, "extractor-time",
		    "longer than a third of timeout");
	arena_fini(&mem);
}

/* The start of URLs: a scheme and who is asked there, and nothing else. */
static void
check_jmap(const struct mansio_conf *c, struct conf_errors *err)
{
	struct span url = span_str(c->jmap.url), host = url;

	if (url.len == 0)
		return;
	host = span_sub(url, span_has_prefix(url, "https://") ? 8 : 7, url.len);
	for (size_t i = 0; i < host.len; i++) {
		if (!ascii_isalnum(host.p[i]) && strchr(".-:[]", host.p[i]) == NULL)
			host.len = 0;
	}
	if (host.len == 0 || !(span_has_prefix(url, "https://") || span_has_prefix(url, "http://")))
		complain(err, section_named("jmap"), &c->jmap, "url",
		    "not the start of a URL; allowed: https://HOST or https://HOST:PORT");
}

bool
conf_relay(const char *entry, struct span *host, uint16_t *port)
{
	struct span s = span_str(entry), rest;
	uint32_t n = 0;

	*port = 0;
	if (s.len > 0 && s.p[0] == '[') {
		size_t end = span_find(s, ']');

		*host = span_sub(s, 1, end - 1);
		rest = span_sub(s, end + 1, s.len);
		if (end == s.len || (rest.len > 0 && rest.p[0] != ':'))
			return false;
		rest = rest.len > 0 ? span_sub(rest, 1, rest.len) : SPAN_NONE;
	} else {
		rest = s;
		*host = span_cut(&rest, ':');
	}
	if (rest.p != NULL && (!span_u32(rest, &n) || n == 0 || n > 65535))
		return false;
	*port = (uint16_t)n;
	for (size_t i = 0; i < host->len; i++)
		if (!ascii_isalnum(host->p[i]) && strchr(".-_:", host->p[i]) == NULL)
			return false;
	return host->len > 0 && host->len <= 253;
}

static void
check_outgoing(const struct mansio_conf *c, struct conf_errors *err)
{
	const struct conf_section *s = section_named("outgoing");
	const struct conf_outgoing *o = &c->outgoing;
	struct span host;
	uint16_t port;

	if (o->relay[0] != '\0' && !conf_relay(o->relay, &host, &port))
		complain(err, s, o, "relay", "not a server; allowed: HOST or HOST:PORT, \"[2001:db8::1]:587\"");
	if (o->relay[0] != '\0' && o->program[0] != '\0')
		complain(err, s, o, "program", "there is a relay; allowed: one of them");
	if ((o->user[0] == '\0') != (o->password_file[0] == '\0'))
		complain(err, s, o, o->user[0] == '\0' ? "user" : "password-file",
		    "must be set: user and password-file go together");
	if (o->user[0] != '\0' && o->tls != CONF_RELAY_STARTTLS && o->tls != CONF_RELAY_IMPLICIT)
		complain(err, s, o, "tls", "a password is not sent in clear text; allowed with user: "
		    "starttls, implicit");
	if (o->retry_time_s > o->retry_max_time_s)
		complain(err, s, o, "retry-time", "longer than retry-max-time");
}

static void
check_retention(const struct mansio_conf *c, struct conf_errors *err)
{
	const struct conf_strings *m = &c->retention.mailboxes;
	const char *path;
	uint32_t seconds;

	for (size_t i = 0; i < m->n; i++)
		if (!conf_retention_entry(m->v[i], &seconds, &path))
			complain(err, section_named("retention"), &c->retention, "mailboxes",
			    "not a rule; allowed: a time, a blank and a path, \"90d Lists/News\"");
}

bool
conf_named_file(const char *entry, struct span *name, const char **path)
{
	size_t n = strcspn(entry, " \t");
	size_t gap = strspn(entry + n, " \t");

	*name = span(entry, n);
	*path = entry + n + gap;
	return n > 0 && n <= 255 && gap > 0 && (*path)[0] == '/';
}

static void
check_paths(const struct conf_section *s, const void *section, const char *key,
    const struct conf_strings *v, struct conf_errors *err)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i][0] != '/')
			complain(err, s, section, key, "not an absolute path of a file");
}

static void
check_named(const struct mansio_conf *c, const char *key, const struct conf_strings *v,
    struct conf_errors *err)
{
	struct span name, other;
	const char *path;

	for (size_t i = 0; i < v->n; i++) {
		if (!conf_named_file(v->v[i], &name, &path))
			complain(err, section_named("sieve"), &c->sieve, key,
			    "not a name, a blank and an absolute path");
		for (size_t k = 0; k < i; k++)
			if (conf_named_file(v->v[k], &other, &path) && span_eq(name, other))
				complain(err, section_named("sieve"), &c->sieve, key, "a name twice");
	}
}

static void
check_sieve(const struct mansio_conf *c, struct conf_errors *err)
{
	const struct conf_section *s = section_named("sieve");
	const struct conf_section *d = section_named("sieve-domain");
	const struct conf_sieve *v = &c->sieve;

	check_paths(s, v, "before", &v->before, err);
	check_paths(s, v, "after", &v->after, err);
	check_named(c, "global-scripts", &v->global_scripts, err);
	check_named(c, "lists", &v->lists, err);
	for (size_t i = 0; i < c->n_sieve_domains; i++) {
		check_paths(d, &c->sieve_domains[i], "before", &c->sieve_domains[i].before, err);
		check_paths(d, &c->sieve_domains[i], "after", &c->sieve_domains[i].after, err);
	}
	if (v->vacation_min_time_s > v->vacation_max_time_s)
		complain(err, s, v, "vacation-min-time", "longer than vacation-max-time");
	if (v->vacation_default_time_s > v->vacation_max_time_s)
		complain(err, s, v, "vacation-default-time", "longer than vacation-max-time");
	if (v->duplicate_default_time_s > v->duplicate_max_time_s)
		complain(err, s, v, "duplicate-default-time", "longer than duplicate-max-time");
	if (v->max_script_bytes > v->max_scripts_total_bytes)
		complain(err, s, v, "max-script", "more than max-scripts-total");
}

void
conf_check(const struct mansio_conf *c, struct conf_errors *err)
{
	const char *d = c->lmtp.recipient_delimiter;

	check_required(c, err);
	check_listeners(c, err);
	check_shards(c, err);
	check_pop3(c, err);
	check_namespaces(c, err);
	check_oauth(c, err);
	check_jmap(c, err);
	check_outgoing(c, err);
	check_retention(c, err);
	check_extractors(c, err);
	check_sieve(c, err);
	if (c->global.state_dir[0] == '\0')
		complain(err, section_named(""), &c->global, "state-dir", "must not be empty");
	if (c->global.run_dir[0] == '\0')
		complain(err, section_named(""), &c->global, "run-dir", "must not be empty");
	if (c->log.target == CONF_LOG_FILE && c->log.file[0] == '\0')
		complain(err, section_named("log"), &c->log, "file", "must be set for target = file");
	if (c->auth.backends.n == 0)
		complain(err, section_named("auth"), &c->auth, "backends",
		    "none; allowed: internal, passwd-file, pam");
	if (conf_has_backend(c, CONF_BACKEND_PASSWD_FILE) && c->passwd_file.path[0] == '\0')
		complain(err, section_named("auth"), &c->auth, "backends",
		    "passwd-file needs its path; add: passwd-file { path = PATH }");
	if (strlen(d) > 1 || (d[0] != '\0' && (ascii_isalnum(d[0]) || d[0] == '@' || d[0] == '.' ||
	    (unsigned char)d[0] <= ' ' || (unsigned char)d[0] >= 0x7f)))
		complain(err, section_named("lmtp"), &c->lmtp, "recipient-delimiter",
		    "not a delimiter; allowed: one sign such as + - _ or nothing");
	if (c->throttle.delay_ms > c->throttle.max_delay_ms)
		complain(err, section_named("throttle"), &c->throttle, "delay",
		    "longer than max-delay");
}

static bool
takes_deliveries(const struct mansio_conf *c)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		if (c->listeners[i].protocol == CONF_LMTP)
			return true;
	return false;
}

void
conf_warnings(const struct mansio_conf *c, struct buf *out)
{
	const struct conf_outgoing *o = &c->outgoing;
	struct span host;
	struct net_ip ip;
	uint16_t port;

	if (!conf_sends(c) && c->sieve.enabled && takes_deliveries(c))
		buf_add_str(out, "outgoing: neither relay nor program: what filters redirect stays in INBOX, "
		    "and their answers are not sent\n");
	if (o->relay[0] == '\0' || !conf_relay(o->relay, &host, &port) ||
	    span_caseeq_str(host, "localhost") || (net_ip_parse(host, &ip) && net_ip_is_local(&ip)))
		return;
	if (o->tls == CONF_RELAY_NONE || o->tls == CONF_RELAY_MAY)
		buf_add_str(out, "outgoing tls: mail crosses the network in clear text\n");
	else if (!o->verify)
		buf_add_str(out, "outgoing verify: anybody on the way can be the relay\n");
}

/* ---- questions ---- */

const struct conf_listener *
conf_listener_find(const struct mansio_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_listeners; i++)
		if (strcmp(conf->listeners[i].head.name, name) == 0)
			return &conf->listeners[i];
	return NULL;
}

const struct conf_pool *
conf_pool_find(const struct mansio_conf *conf, const char *program)
{
	for (size_t i = 0; i < conf->n_pools; i++)
		if (strcmp(conf->pools[i].head.name, program) == 0)
			return &conf->pools[i];
	return NULL;
}

uint32_t
conf_pool_connections(const struct mansio_conf *conf, const char *program)
{
	const struct conf_pool *p = conf_pool_find(conf, program);

	return p != NULL ? p->connections : 0;
}

uint32_t
conf_workers(uint32_t configured)
{
	cpu_set_t cpus;
	int n = 1;

	if (configured > 0)
		return configured;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		n = CPU_COUNT(&cpus);
	return n > 0 ? (uint32_t)n : 1;
}

const char *
conf_protocol_program(enum conf_protocol p)
{
	static const char *const programs[] = {
		[CONF_IMAP] = "imapd", [CONF_LMTP] = "lmtpd", [CONF_POP3] = "pop3d",
		[CONF_DOVECOT_AUTH] = "authd", [CONF_JMAP] = "jmapd", [CONF_MANAGESIEVE] = "sieved"
	};

	return programs[p];
}

unsigned
conf_tls_min_version(const struct mansio_conf *conf)
{
	return conf->tls.min_version == CONF_TLS_1_3 ? 13 : 12;
}

enum log_level
conf_log_level(const struct mansio_conf *conf)
{
	return (enum log_level)conf->log.level;
}

void
conf_shard_path(const struct mansio_conf *conf, uint32_t shard, struct buf *out)
{
	char name[16] = "system";

	if (shard != UINT32_MAX)
		snprintf(name, sizeof(name), "%u", shard);
	for (size_t i = 0; i < conf->n_shards; i++)
		if (strcmp(conf->shards[i].head.name, name) == 0) {
			buf_add_str(out, conf->shards[i].path);
			return;
		}
	buf_addf(out, "%s/shard-%s", conf->global.state_dir, name);
}

bool
conf_has_backend(const struct mansio_conf *conf, enum conf_backend b)
{
	return conf->auth.backends.n > 0 &&
	    memchr(conf->auth.backends.v, (int)b, conf->auth.backends.n) != NULL;
}

bool
conf_has_mechanism(const struct mansio_conf *conf, enum conf_mechanism m)
{
	return conf->auth.mechanisms.n > 0 &&
	    memchr(conf->auth.mechanisms.v, (int)m, conf->auth.mechanisms.n) != NULL;
}

static bool
asks_issuer(const struct mansio_conf *conf)
{
	return conf->oauth.jwks_url[0] != '\0' || conf->oauth.introspection_url[0] != '\0';
}

bool
conf_has_bearer(const struct mansio_conf *conf)
{
	return conf->oauth.jwks_file[0] != '\0' || asks_issuer(conf);
}

bool
conf_pushes(const struct mansio_conf *conf)
{
	for (size_t i = 0; i < conf->n_listeners && conf->push.enabled; i++)
		if (conf->listeners[i].protocol == CONF_JMAP)
			return true;
	return false;
}

bool
conf_needs_outd(const struct mansio_conf *conf)
{
	return asks_issuer(conf) || conf_pushes(conf);
}

bool
conf_sends(const struct mansio_conf *conf)
{
	return conf->outgoing.relay[0] != '\0' || conf->outgoing.program[0] != '\0';
}
