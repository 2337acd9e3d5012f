/* ctl/cmd_queue.c
 * Mail that is on its way out. */
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/pages.h"

static const struct ctl_column columns[] = {
	{ "id", "ID", CTL_CELL_TEXT }, { "kind", "KIND", CTL_CELL_TEXT },
	{ "created", "SINCE", CTL_CELL_TIME }, { "next", "NEXT", CTL_CELL_TIME },
	{ "attempts", "TRIED", CTL_CELL_NUMBER }, { "size", "SIZE", CTL_CELL_SIZE },
	{ "from", "FROM", CTL_CELL_TEXT }, { "first_to", "TO", CTL_CELL_TEXT },
	{ "answer", "LAST ANSWER", CTL_CELL_TEXT }, { NULL, NULL, CTL_CELL_TEXT }
};

static void
put_address(struct json_writer *w, void *arg)
{
	if (arg != NULL)
		json_kv_str(w, "address", arg);
}

static int
queue_list(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(none, &argc, argv, 0, 1);

	return rc != CTL_OK ? rc : ctl_pages(ctl, "queue-list", "entries", "after", columns,
	    "nothing waits to be sent", put_address, argc > 0 ? argv[0] : NULL);
}

/* One ---------------------------------------------------------------------------------- */

static void
text_line(struct buf *out, const struct json *e, const char *key, const char *title)
{
	struct span s;

	if (json_get_string(e, key, &s) && s.len > 0)
		buf_addf(out, "%-9s %.*s\n", title, (int)s.len, s.p);
}

static void
time_line(struct buf *out, const struct json *e, const char *key, const char *title)
{
	uint64_t s = 0;

	(void)json_get_uint(e, key, &s);
	buf_addf(out, "%-9s ", title);
	ctl_put_time(out, (int64_t)s);
	buf_add_c(out, '\n');
}

static void
show(struct buf *out, const struct json *answer)
{
	const struct json *e = json_member(answer, "entry"), *to = json_member(e, "to");
	uint64_t attempts = 0, size = 0;
	bool sending = false;
	struct span s;

	(void)json_get_uint(e, "attempts", &attempts);
	(void)json_get_uint(e, "size", &size);
	(void)json_get_bool(e, "sending", &sending);
	text_line(out, e, "id", "id");
	text_line(out, e, "account", "account");
	text_line(out, e, "kind", "kind");
	if (json_get_string(e, "from", &s))
		buf_addf(out, "%-9s <%.*s>\n", "from", (int)s.len, s.p);
	for (size_t i = 0; i < json_count(to); i++)
		if (json_as_string(json_item(to, i), &s))
			buf_addf(out, "%-9s <%.*s>\n", "to", (int)s.len, s.p);
	buf_addf(out, "%-9s ", "size");
	ctl_put_size(out, size);
	buf_add_c(out, '\n');
	time_line(out, e, "created", "since");
	if (sending)
		buf_addf(out, "%-9s now\n", "next");
	else
		time_line(out, e, "next", "next");
	buf_addf(out, "%-9s %llu times\n", "tried", (unsigned long long)attempts);
	text_line(out, e, "answer", "answer");
}

static int
queue_show(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 };
	int rc = ctl_options(none, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "id", argv[0], NULL);
	rc = ctl_run_show(ctl, "queue-show", buf_span(&args), show);
	buf_fini(&args);
	return rc;
}

static int
set(struct ctl *ctl, int argc, char **argv, const char *how, const char *done)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 }, line = { 0 };
	int rc = ctl_options(none, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "id", argv[0], "how", how, NULL);
	buf_addf(&line, "%s %s\n", argv[0], done);
	rc = ctl_run_line(ctl, "queue-set", &args, &line);
	buf_fini(&args);
	return rc;
}

static int
queue_retry(struct ctl *ctl, int argc, char **argv)
{
	return set(ctl, argc, argv, "retry", "is tried again now");
}

static int
queue_delete(struct ctl *ctl, int argc, char **argv)
{
	return set(ctl, argc, argv, "delete", "is deleted, and not sent");
}

static int
queue_return(struct ctl *ctl, int argc, char **argv)
{
	return set(ctl, argc, argv, "return", "is in the account's INBOX, and not sent");
}

/* All ---------------------------------------------------------------------------------- */

struct flush {
	struct ctl		*ctl;
	struct ctl_client	*client;
	unsigned		n;
	int			rc;
};

/* Those of a page that wait; what left meanwhile is no failure. */
static void
flush_page(struct flush *f, const struct json *list)
{
	for (size_t i = 0; i < json_count(list); i++) {
		struct buf args = { 0 }, answer = { 0 };
		struct json_writer w;
		bool sending = false;
		enum status st;
		struct span id;

		(void)json_get_bool(json_item(list, i), "sending", &sending);
		if (sending || !json_get_string(json_item(list, i), "id", &id))
			continue;
		json_writer_init(&w, &args);
		json_begin_object(&w);
		json_kv_string(&w, "id", id);
		json_kv_str(&w, "how", "retry");
		json_end_object(&w);
		if (!ctl_call(f->client, "queue-set", buf_span(&args), CTL_PATIENCE_S, &st, &answer))
			f->rc = CTL_UNREACHABLE;
		else if (st == ST_OK)
			f->n++;
		else if (st != ST_NOT_FOUND && st != ST_CONFLICT)
			f->rc = ctl_failed(f->ctl, st, buf_span(&answer));
		buf_fini(&args);
		buf_fini(&answer);
		if (f->rc != CTL_OK)
			return;
	}
}

/* One page; after is what comes next, empty: nothing. */
static void
flush_some(struct flush *f, const char *address, struct buf *after)
{
	struct buf args = { 0 }, answer = { 0 };
	struct json_doc *doc = NULL;
	struct json_writer w;
	enum status st;
	struct span more;

	json_writer_init(&w, &args);
	json_begin_object(&w);
	put_address(&w, (void *)address);
	if (after->len > 0)
		json_kv_string(&w, "after", buf_span(after));
	json_end_object(&w);
	if (!ctl_call(f->client, "queue-list", buf_span(&args), CTL_PATIENCE_S, &st, &answer))
		f->rc = CTL_UNREACHABLE;
	else if (st != ST_OK)
		f->rc = ctl_failed(f->ctl, st, buf_span(&answer));
	else if (json_parse(buf_span(&answer), ADMIN_RESULT_MAX, &doc) != ST_OK)
		f->rc = ctl_error("the server's answer is not understood");
	buf_clear(after);
	if (f->rc == CTL_OK) {
		flush_page(f, json_member(json_root(doc), "entries"));
		if (json_get_string(json_root(doc), "more", &more))
			buf_add_span(after, more);
	}
	json_free(&doc);
	buf_fini(&args);
	buf_fini(&answer);
}

static int
queue_flush(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct flush f = { .ctl = ctl };
	struct buf after = { 0 }, out = { 0 };

	f.rc = ctl_options(none, &argc, argv, 0, 1);
	if (f.rc != CTL_OK || (f.client = ctl_connect(ctl, &f.rc)) == NULL)
		return f.rc;
	do {
		flush_some(&f, argc > 0 ? argv[0] : NULL, &after);
	} while (f.rc == CTL_OK && after.len > 0);
	ctl_disconnect(&f.client);
	if (f.rc == CTL_OK) {
		buf_addf(&out, ctl->json ? "{\"retried\":%u}\n" : "%u tried again now\n", f.n);
		f.rc = ctl_print(&out);
	}
	buf_fini(&after);
	buf_fini(&out);
	return f.rc;
}

const struct ctl_command ctl_cmds_queue[] = {
	{ "queue list", "[ACCOUNT]", "mail of users' filters that waits to be sent", queue_list },
	{ "queue show", "ID", "an entry of it, and the last answer to it", queue_show },
	{ "queue retry", "ID", "tries it now", queue_retry },
	{ "queue flush", "[ACCOUNT]", "tries all of it now", queue_flush },
	{ "queue return", "ID", "puts a message into its account's INBOX instead of sending it",
	    queue_return },
	{ "queue delete", "ID", "throws an entry away", queue_delete },
	{ .name = NULL }
};
