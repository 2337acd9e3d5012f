/* ctl/cmd_server.c
 * The running server: is it whole, who is there, what does it count. */
#include <stdio.h>
#include <string.h>

#include "common/crypto/x509.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/pages.h"

#define STATUS_PATIENCE_S 10
#define PEM_MAX (256u << 10)

/* Certificates that the server's process could not read, but we can. */
static void
put_certificate(struct json_writer *w, const struct json *v)
{
	struct x509_info info;
	struct span name, path, error;
	char *file, *pem = NULL;
	size_t len;

	if (!json_get_string(v, "error", &error) || !json_get_string(v, "path", &path) ||
	    !json_get_string(v, "name", &name)) {
		ctl_put_json(w, v);
		return;
	}
	file = span_dup(path);
	if (fd_slurp_path(file, PEM_MAX, &pem, &len) &&
	    x509_info_read(span(pem, len), &info) == ST_OK) {
		json_begin_object(w);
		json_kv_string(w, "name", name);
		json_kv_string(w, "path", path);
		json_kv_str(w, "subject", info.subject);
		json_kv_int(w, "not_after", info.not_after_s);
		json_kv_int(w, "days_left", (info.not_after_s - clock_wall_s()) / 86400);
		json_end_object(w);
		x509_info_fini(&info);
	} else {
		ctl_put_json(w, v);
	}
	mem_free(&pem);
	mem_free(&file);
}

/* The answer again, with the certificates as we see them. */
static void
see_certificates(const struct json *v, struct buf *out)
{
	const struct json *member;
	struct json_writer w;
	struct span key;
	void *pos = NULL;

	json_writer_init(&w, out);
	json_begin_object(&w);
	while (json_next(v, &pos, &key, &member)) {
		json_key_span(&w, key);
		if (!span_eq_str(key, "certificates")) {
			ctl_put_json(&w, member);
			continue;
		}
		json_begin_array(&w);
		for (size_t i = 0; i < json_count(member); i++)
			put_certificate(&w, json_item(member, i));
		json_end_array(&w);
	}
	json_end_object(&w);
}

static void
put_section(struct buf *out, const struct ctl_column *columns, const struct json *v,
    const char *key)
{
	struct buf table = { 0 };

	ctl_table(&table, columns, json_member(v, key));
	if (table.len > 0) {
		buf_add_c(out, '\n');
		buf_add_span(out, buf_span(&table));
	}
	buf_fini(&table);
}

static void
print_status(struct buf *out, const struct json *v, bool ready)
{
	static const struct ctl_column processes[] = {
		{ "name", "PROCESS", CTL_CELL_TEXT }, { "pid", "PID", CTL_CELL_NUMBER },
		{ "restarts", "RESTARTS", CTL_CELL_NUMBER }, { "ready", "READY", CTL_CELL_YES },
		{ NULL, NULL, CTL_CELL_TEXT }
	}, workers[] = {
		{ "program", "WORKER", CTL_CELL_TEXT }, { "slot", "SLOT", CTL_CELL_NUMBER },
		{ "pid", "PID", CTL_CELL_NUMBER }, { "connections", "CONNECTIONS", CTL_CELL_NUMBER },
		{ "served", "SERVED", CTL_CELL_NUMBER }, { "restarts", "RESTARTS", CTL_CELL_NUMBER },
		{ "ready", "READY", CTL_CELL_YES }, { NULL, NULL, CTL_CELL_TEXT }
	}, listeners[] = {
		{ "name", "LISTENER", CTL_CELL_TEXT }, { "address", "ADDRESS", CTL_CELL_TEXT },
		{ NULL, NULL, CTL_CELL_TEXT }
	}, certificates[] = {
		{ "name", "CERTIFICATE", CTL_CELL_TEXT }, { "not_after", "EXPIRES", CTL_CELL_TIME },
		{ "days_left", "DAYS LEFT", CTL_CELL_NUMBER }, { "error", "ERROR", CTL_CELL_TEXT },
		{ NULL, NULL, CTL_CELL_TEXT }
	}, shards[] = {
		{ "shard", "SHARD", CTL_CELL_TEXT }, { "disk_free", "DISK FREE", CTL_CELL_SIZE },
		{ "disk_total", "OF", CTL_CELL_SIZE }, { "available", "ANSWERS", CTL_CELL_YES },
		{ NULL, NULL, CTL_CELL_TEXT }
	}, outward[] = {
		{ "what", "FETCHED", CTL_CELL_TEXT }, { "tried", "LAST TRY", CTL_CELL_TIME },
		{ "result", "RESULT", CTL_CELL_TEXT }, { "age", "AGE (S)", CTL_CELL_NUMBER },
		{ "keys", "KEYS", CTL_CELL_NUMBER }, { "error", "ERROR", CTL_CELL_TEXT },
		{ NULL, NULL, CTL_CELL_TEXT }
	};
	struct span version = SPAN_LIT("?");
	uint64_t pid = 0;

	(void)json_get_string(v, "version", &version);
	(void)json_get_uint(v, "pid", &pid);
	buf_addf(out, "mansio %.*s, pid %llu: %s\n", (int)version.len, version.p,
	    (unsigned long long)pid, ready ? "ready" : "not ready");
	put_section(out, processes, v, "processes");
	put_section(out, workers, v, "workers");
	put_section(out, listeners, v, "listeners");
	put_section(out, certificates, v, "certificates");
	put_section(out, shards, v, "shards");
	put_section(out, outward, v, "outward");
}

/* Exit code 0 only when all is ready: scripts wait for that. */
static int
status(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf answer = { 0 }, out = { 0 };
	struct json_doc *doc = NULL;
	struct ctl_client *c;
	enum status st;
	bool ready = false;
	int rc = ctl_options(none, &argc, argv, 0, 0);

	if (rc != CTL_OK || (c = ctl_connect(ctl, &rc)) == NULL)
		return rc;
	if (!ctl_call(c, "status", SPAN_LIT("{}"), STATUS_PATIENCE_S, &st, &answer)) {
		rc = CTL_UNREACHABLE;
	} else if (st != ST_OK) {
		rc = ctl_failed(ctl, st, buf_span(&answer));
	} else if (json_parse(buf_span(&answer), ADMIN_RESULT_MAX, &doc) != ST_OK) {
		rc = ctl_error("the answer is not understood");
	} else {
		(void)json_get_bool(json_root(doc), "ready", &ready);
		see_certificates(json_root(doc), &out);
		json_free(&doc);
		if (ctl->json)
			rc = ctl_print_json(buf_span(&out));
		else if (json_parse(buf_span(&out), ADMIN_RESULT_MAX * 2, &doc) == ST_OK) {
			buf_clear(&answer);
			print_status(&answer, json_root(doc), ready);
			rc = ctl_print(&answer);
		}
	}
	if (rc == CTL_OK && !ready)
		rc = CTL_FAILED;
	ctl_disconnect(&c);
	json_free(&doc);
	buf_fini(&answer);
	buf_fini(&out);
	return rc;
}

/* Counters as lines "shard.0.name value", whatever there is. */
static void
put_counters(struct buf *out, struct buf *name, const struct json *v)
{
	const struct json *member;
	size_t len = name->len;
	struct span key;
	void *pos = NULL;
	int64_t i;
	bool b;

	if (json_is_object(v)) {
		while (json_next(v, &pos, &key, &member)) {
			if (span_eq_str(key, "name") || span_eq_str(key, "shard") ||
			    span_eq_str(key, "slot"))
				continue;
			if (len > 0)
				buf_add_c(name, '.');
			buf_add_span(name, key);
			put_counters(out, name, member);
			buf_cut(name, len);
		}
	} else if (json_is_array(v)) {
		for (size_t k = 0; k < json_count(v); k++) {
			const struct json *item = json_item(v, k);

			if (!json_get_string(item, "name", &key) && !json_get_string(item, "shard", &key) &&
			    !json_get_string(item, "slot", &key))
				continue;
			buf_add_c(name, '.');
			buf_add_span(name, key);
			put_counters(out, name, item);
			buf_cut(name, len);
		}
	} else if (json_as_int(v, &i)) {
		buf_addf(out, "%.*s %lld\n", (int)name->len, name->data, (long long)i);
	} else if (json_as_bool(v, &b)) {
		buf_addf(out, "%.*s %d\n", (int)name->len, name->data, b);
	} else if (json_as_string(v, &key)) {
		buf_addf(out, "%.*s %.*s\n", (int)name->len, name->data, (int)key.len, key.p);
	}
}

static int
stats(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf answer = { 0 }, out = { 0 }, name = { 0 };
	struct json_doc *doc = NULL;
	int rc = ctl_options(none, &argc, argv, 0, 0);

	if (rc == CTL_OK)
		rc = ctl_run(ctl, "stats", SPAN_LIT("{}"), &answer);
	if (rc == CTL_OK && ctl->json) {
		rc = ctl_print_json(buf_span(&answer));
	} else if (rc == CTL_OK && json_parse(buf_span(&answer), ADMIN_RESULT_MAX, &doc) != ST_OK) {
		rc = ctl_error("the answer is not understood");
	} else if (rc == CTL_OK) {
		put_counters(&out, &name, json_root(doc));
		rc = ctl_print(&out);
	}
	json_free(&doc);
	buf_fini(&answer);
	buf_fini(&out);
	buf_fini(&name);
	return rc;
}

static void
put_user(struct json_writer *w, void *arg)
{
	if (arg != NULL)
		json_kv_str(w, "user", arg);
}

static int
who(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{ "user", "USER", CTL_CELL_TEXT }, { "service", "SERVICE", CTL_CELL_TEXT },
		{ "peer", "FROM", CTL_CELL_TEXT }, { "conn", "CONNECTION", CTL_CELL_TEXT },
		{ "since", "SINCE", CTL_CELL_TIME }, { NULL, NULL, CTL_CELL_TEXT }
	};
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(none, &argc, argv, 0, 1);

	if (rc != CTL_OK)
		return rc;
	return ctl_pages(ctl, "who", "logins", "after", columns, "nobody is logged in", put_user,
	    argv[0]);
}

/* "68c3a0f00001-2f": what the log calls conn. */
static bool
is_conn(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n > 0 && s[n] == '-' && s[n + 1] != '\0' &&
	    s[n + 1 + strspn(s + n + 1, "0123456789abcdef")] == '\0';
}

static int
kick(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 }, answer = { 0 };
	struct json_doc *doc = NULL;
	uint64_t kicked = 0;
	int rc = ctl_options(none, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, is_conn(argv[0]) ? "conn" : "user", argv[0], NULL);
	rc = ctl_run(ctl, "kick", buf_span(&args), &answer);
	if (rc == CTL_OK && json_parse(buf_span(&answer), ADMIN_RESULT_MAX, &doc) == ST_OK)
		(void)json_get_uint(json_root(doc), "kicked", &kicked);
	if (rc == CTL_OK && ctl->json)
		rc = ctl_print_json(buf_span(&answer));
	else if (rc == CTL_OK)
		printf("%llu login%s ended\n", (unsigned long long)kicked, kicked == 1 ? "" : "s");
	json_free(&doc);
	buf_fini(&args);
	buf_fini(&answer);
	return rc;
}

static int
reload(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf answer = { 0 };
	struct json_doc *doc = NULL;
	struct span text = SPAN_NONE;
	int rc = ctl_options(none, &argc, argv, 0, 0);

	if (rc == CTL_OK)
		rc = ctl_run(ctl, "reload", SPAN_LIT("{}"), &answer);
	if (rc == CTL_OK && ctl->json) {
		rc = ctl_print_json(buf_span(&answer));
	} else if (rc == CTL_OK) {
		if (json_parse(buf_span(&answer), ADMIN_RESULT_MAX, &doc) == ST_OK)
			(void)json_get_string(json_root(doc), "text", &text);
		puts("the new configuration is in force");
		if (text.len > 0)
			printf("these settings wait for a restart:\n%.*s\n", (int)text.len, text.p);
	}
	json_free(&doc);
	buf_fini(&answer);
	return rc;
}

const struct ctl_command ctl_cmds_server[] = {
	{ "status", "", "is everything ready? exit code 0 when it is", status },
	{ "stats", "", "the counters of all processes", stats },
	{ "who", "[USER]", "who is logged in", who },
	{ "kick", "USER|CONNECTION", "ends logins", kick },
	{ "reload", "", "puts the changed configuration in force", reload },
	{ .name = NULL }
};
