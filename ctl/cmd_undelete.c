/* ctl/cmd_undelete.c
 * Deleted and changed mail, had back. */
#include <string.h>

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/pages.h"
#include "ctl/when.h"

static int
need_when(const char *text, int64_t *at_s)
{
	return ctl_when(text, clock_wall_s(), at_s) ? CTL_OK :
	    ctl_usage("%s is no time; these are: %s", text, CTL_WHEN_FORMS);
}

/* Restore ------------------------------------------------------------------------ */

static void
put_line(struct buf *out, const struct json *l)
{
	struct span does = SPAN_NONE, path = SPAN_NONE, to = SPAN_NONE, uids = SPAN_NONE;
	uint64_t messages = 0;

	(void)json_get_string(l, "does", &does);
	(void)json_get_string(l, "path", &path);
	(void)json_get_string(l, "to", &to);
	(void)json_get_string(l, "uids", &uids);
	(void)json_get_uint(l, "messages", &messages);
	buf_addf(out, "%-12.*s %.*s", (int)does.len, does.p, (int)path.len, path.p);
	if (span_eq_str(does, "rename"))
		buf_addf(out, " -> %.*s", (int)to.len, to.p);
	if (messages > 0)
		buf_addf(out, ": %llu message%s, uid%s %.*s", (unsigned long long)messages,
		    messages == 1 ? "" : "s", messages == 1 ? "" : "s", (int)uids.len, uids.p);
	if (span_eq_str(does, "add") && !span_eq(path, to))
		buf_addf(out, " of %.*s", (int)to.len, to.p);
	buf_add_c(out, '\n');
}

static void
show_restored(struct buf *out, const struct json *v)
{
	const struct json *lines = json_member(v, "lines");
	uint64_t hidden = 0, lost = 0;

	(void)json_get_uint(v, "hidden", &hidden);
	(void)json_get_uint(v, "lost", &lost);
	for (size_t i = 0; i < json_count(lines); i++)
		put_line(out, json_item(lines, i));
	if (hidden > 0)
		buf_addf(out, "and %llu more lines\n", (unsigned long long)hidden);
	if (json_count(lines) == 0)
		buf_add_str(out, "nothing differs from then\n");
	if (lost > 0)
		buf_addf(out, "%llu messages that were there are gone for good\n",
		    (unsigned long long)lost);
}

static int
restore(struct ctl *ctl, int argc, char **argv)
{
	const char *at = NULL, *mailbox = NULL;
	bool dry = false, exact = false;
	const struct ctl_option options[] = { { "--at", CTL_TEXT, &at },
		{ "--mailbox", CTL_TEXT, &mailbox }, { "--dry-run", CTL_FLAG, &dry },
		{ "--exact", CTL_FLAG, &exact }, { NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 };
	struct json_writer w;
	int64_t at_s = 0;
	int rc = ctl_options(options, &argc, argv, 1, 1);

	if (rc == CTL_OK && at == NULL)
		rc = ctl_usage("the time to go back to is missing: --at TIME");
	if (rc == CTL_OK)
		rc = need_when(at, &at_s);
	if (rc != CTL_OK)
		return rc;
	json_writer_init(&w, &args);
	json_begin_object(&w);
	json_kv_str(&w, "address", argv[0]);
	/* What happened in this second is of then. */
	json_kv_int(&w, "at", at_s * 1000 + 999);
	if (mailbox != NULL)
		json_kv_str(&w, "mailbox", mailbox);
	json_kv_bool(&w, "dry", dry);
	json_kv_bool(&w, "exact", exact);
	json_end_object(&w);
	rc = ctl_run_show(ctl, "restore", buf_span(&args), show_restored);
	buf_fini(&args);
	return rc;
}

/* Undelete ----------------------------------------------------------------------- */

struct wanted {
	const char	*address, *mailbox;
	bool		since;
	int64_t		since_s;
};

static void
put_wanted(struct json_writer *w, void *arg)
{
	const struct wanted *l = arg;

	json_kv_str(w, "address", l->address);
	if (l->mailbox != NULL)
		json_kv_str(w, "mailbox", l->mailbox);
	if (l->since)
		json_kv_int(w, "since", l->since_s);
}

static int
undelete_list(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{ "id", "ID", CTL_CELL_TEXT }, { "deleted", "DELETED", CTL_CELL_TIME },
		{ "mailbox", "MAILBOX", CTL_CELL_TEXT }, { "bytes", "SIZE", CTL_CELL_SIZE },
		{ "from", "FROM", CTL_CELL_TEXT }, { "subject", "SUBJECT", CTL_CELL_TEXT },
		{ NULL, NULL, CTL_CELL_TEXT }
	};
	struct wanted l = { .address = NULL };
	const char *since = NULL;
	const struct ctl_option options[] = { { "--mailbox", CTL_TEXT, &l.mailbox },
		{ "--since", CTL_TEXT, &since }, { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(options, &argc, argv, 1, 1);

	l.address = argv[0];
	l.since = since != NULL;
	if (rc == CTL_OK && since != NULL)
		rc = need_when(since, &l.since_s);
	return rc != CTL_OK ? rc : ctl_pages(ctl, "undelete-list", "messages", "from", columns,
	    "nothing is kept", put_wanted, &l);
}

static void
show_brought(struct buf *out, const struct json *v)
{
	uint64_t done = 0, missing = 0;

	(void)json_get_uint(v, "done", &done);
	(void)json_get_uint(v, "missing", &missing);
	buf_addf(out, "%llu message%s brought back", (unsigned long long)done,
	    done == 1 ? "" : "s");
	if (missing > 0)
		buf_addf(out, ", %llu not kept or not deleted", (unsigned long long)missing);
	buf_add_c(out, '\n');
}

static int
undelete_message(struct ctl *ctl, int argc, char **argv)
{
	const char *to = NULL;
	const struct ctl_option options[] = { { "--to", CTL_TEXT, &to },
		{ NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 };
	struct json_writer w;
	int rc = ctl_options(options, &argc, argv, 2, 1001);

	if (rc != CTL_OK)
		return rc;
	json_writer_init(&w, &args);
	json_begin_object(&w);
	json_kv_str(&w, "address", argv[0]);
	if (to != NULL)
		json_kv_str(&w, "to", to);
	json_key(&w, "ids");
	json_begin_array(&w);
	for (int i = 1; i < argc; i++)
		json_string(&w, span_str(argv[i]));
	json_end_array(&w);
	json_end_object(&w);
	rc = ctl_run_show(ctl, "undelete-message", buf_span(&args), show_brought);
	buf_fini(&args);
	return rc;
}

const struct ctl_command ctl_cmds_undelete[] = {
	{ "restore", "ACCOUNT --at TIME [--mailbox M] [--exact] [--dry-run]",
	    "takes mail back to what it was at a time", restore },
	{ "undelete list", "ACCOUNT [--mailbox M] [--since TIME]",
	    "deleted messages that can be brought back", undelete_list },
	{ "undelete message", "ACCOUNT ID... [--to MAILBOX]", "brings deleted messages back",
	    undelete_message },
	{ .name = NULL }
};
