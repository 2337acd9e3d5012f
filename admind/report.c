#include "admind/report.h"

/* Next "name=value" line; false at the end.  Lines without '=' are skipped. */
static bool
next_line(struct span *lines, struct span *name, struct span *value)
{
	while (lines->len > 0) {
		*value = span_cut(lines, '\n');
		if (span_find(*value, '=') < value->len) {
			*name = span_cut(value, '=');
			return true;
		}
	}
	return false;
}

static void
put_value(struct json_writer *w, struct span name, struct span value)
{
	uint64_t n;

	json_key_span(w, name);
	if (span_eq_str(name, "ready"))
		json_bool(w, span_eq_str(value, "1"));
	/* no number: what JSON would not write so, "007" */
	else if (span_u64(value, &n) && (value.len == 1 || value.p[0] != '0'))
		json_uint(w, n);
	else
		json_string(w, value);
}

bool
report_find(struct span lines, const char *name, struct span *value)
{
	struct span key, v;

	while (next_line(&lines, &key, &v))
		if (span_eq_str(key, name)) {
			*value = v;
			return true;
		}
	return false;
}

void
report_lines(struct json_writer *w, struct span lines)
{
	struct span key, value;

	json_begin_object(w);
	while (next_line(&lines, &key, &value))
		put_value(w, key, value);
	json_end_object(w);
}

/* "pid=12 ready=1 ..." as members; a word without '=' is the program.  Returns ready. */
static bool
put_words(struct json_writer *w, struct span words)
{
	bool ready = false;

	while (words.len > 0) {
		struct span value = span_cut(&words, ' '), name;

		if (value.len == 0)
			continue;
		if (span_find(value, '=') == value.len) {
			json_kv_string(w, "program", value);
			continue;
		}
		name = span_cut(&value, '=');
		put_value(w, name, value);
		if (span_eq_str(name, "ready"))
			ready = span_eq_str(value, "1");
	}
	return ready;
}

/* All lines "prefix.NAME=words" as a list of objects.  Returns whether all are ready. */
static bool
put_list(struct json_writer *w, const char *key, struct span lines, const char *prefix,
    const char *name_key, size_t *count)
{
	struct span name, value;
	bool ready = true;

	json_key(w, key);
	json_begin_array(w);
	while (next_line(&lines, &name, &value)) {
		if (!span_has_prefix(name, prefix))
			continue;
		json_begin_object(w);
		json_kv_string(w, name_key, span_sub(name, strlen(prefix), name.len));
		ready = put_words(w, value) && ready;
		json_end_object(w);
		(*count)++;
	}
	json_end_array(w);
	return ready;
}

static void
put_listeners(struct json_writer *w, struct span lines)
{
	struct span name, value;

	json_key(w, "listeners");
	json_begin_array(w);
	while (next_line(&lines, &name, &value)) {
		if (!span_has_prefix(name, "listener."))
			continue;
		json_begin_object(w);
		json_kv_string(w, "name", span_sub(name, strlen("listener."), name.len));
		json_kv_string(w, "address", value);
		json_end_object(w);
	}
	json_end_array(w);
}

bool
report_processes(struct json_writer *w, struct span lines)
{
	struct span value;
	size_t processes = 0, workers = 0;
	bool ready = report_find(lines, "ready", &value) && span_eq_str(value, "1");

	if (report_find(lines, "version", &value))
		json_kv_string(w, "version", value);
	if (report_find(lines, "pid", &value))
		put_value(w, SPAN_LIT("pid"), value);
	ready = put_list(w, "processes", lines, "process.", "name", &processes) && ready;
	ready = put_list(w, "workers", lines, "worker.", "slot", &workers) && ready;
	put_listeners(w, lines);
	return ready && processes > 0;
}

/* What takes room on the disk, of all shards: see storage/service/stock.c for the names. */
static void
put_total(struct json_writer *w, const struct report_shard *shards, size_t n)
{
	static const char *const names[] = { "mail_messages", "mail_bytes", "body_bytes",
		"records_bytes", "text_bytes", "retained_body_bytes", "journal_allocated_bytes",
		"journal_used_bytes", "db_table_files_bytes", "db_log_files_bytes", "copies_bytes" };
	enum { MAIL = 1, BODIES, RECORDS, TEXT };
	uint64_t sum[sizeof(names) / sizeof(names[0])] = { 0 }, v;
	struct span value;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			if (report_find(shards[i].stats, names[j], &value) && span_u64(value, &v))
				sum[j] += v;
	json_key(w, "total");
	json_begin_object(w);
	for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
		json_kv_uint(w, names[j], sum[j]);
	/* Of a thousand bytes of mail. */
	if (sum[MAIL] > 0) {
		json_kv_uint(w, "bodies_of_1000", sum[BODIES] * 1000 / sum[MAIL]);
		json_kv_uint(w, "live_of_1000", (sum[BODIES] + sum[RECORDS] + sum[TEXT]) * 1000 /
		    sum[MAIL]);
	}
	json_end_object(w);
}

bool
report_shards(struct json_writer *w, const struct report_shard *shards, size_t n)
{
	bool all = true;

	json_key(w, "shards");
	json_begin_array(w);
	for (size_t i = 0; i < n; i++) {
		const struct report_shard *s = &shards[i];

		json_begin_object(w);
		json_kv_str(w, "shard", s->name);
		json_kv_bool(w, "available", s->available);
		if (s->disk_total > 0) {
			json_kv_uint(w, "disk_total", s->disk_total);
			json_kv_uint(w, "disk_free", s->disk_free);
		}
		json_key(w, "stats");
		report_lines(w, s->stats);
		json_end_object(w);
		all = all && s->available;
	}
	json_end_array(w);
	put_total(w, shards, n);
	return all;
}
