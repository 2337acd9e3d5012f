/* ctl/cmd_sieve.c
 * The scripts of an account, and what a script would do.  Those of accounts are asked through
 * admind, as the store has them; check, run and trace need no server. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"
#include "ctl/args.h"
#include "ctl/mail.h"
#include "ctl/output.h"
#include "ctl/sieve_run.h"

static int
store_failed(enum status st, const char *name)
{
	switch (st) {
	case ST_NOT_FOUND:
		return ctl_error(name[0] != '\0' ? "there is no script \"%s\"" :
		    "no script is active%s", name);
	case ST_DENIED:
		return ctl_error("\"%s\" is the active script: activate another one first, or none", name);
	case ST_LIMIT:
		return ctl_error("the account has as many scripts as it may (sieve.max-scripts)");
	case ST_OVER_QUOTA:
		return ctl_error("the script, or all of them together, would be too large "
		    "(sieve.max-script, sieve.max-scripts-total)");
	case ST_SYNTAX:
		return ctl_error("\"%s\" is no name for a script", name);
	case ST_UNAVAILABLE:
		return CTL_UNREACHABLE;		/* it was said */
	default:
		return ctl_error("the store says: %s", status_name(st));
	}
}

static bool
name_good(const char *name)
{
	if (script_name_valid(span_str(name)))
		return true;
	ctl_error("\"%s\" is no name for a script: 1 to %u bytes of UTF-8 without control characters",
	    name, STORE_SCRIPT_NAME_MAX);
	return false;
}

/* ---- list ---- */

struct listing {
	struct json_writer	w;
	struct buf		text;
};

static void
on_scripts(void *arg, const void *msg)
{
	struct listing *l = arg;
	const struct store_scripts_are *are = msg;
	struct store_script s;
	struct reader r;

	reader_init(&r, are->scripts.p, are->scripts.len);
	while (get_store_script(&r, &s)) {
		json_begin_object(&l->w);
		json_kv_string(&l->w, "name", s.name);
		json_kv_bool(&l->w, "active", s.active);
		json_kv_uint(&l->w, "bytes", s.size);
		json_kv_int(&l->w, "changed", s.changed_ms / 1000);
		json_end_object(&l->w);
	}
}

static int
print_scripts(const struct ctl *ctl, const struct buf *text)
{
	static const struct ctl_column columns[] = {
		{ "name", "SCRIPT", CTL_CELL_TEXT }, { "active", "ACTIVE", CTL_CELL_YES },
		{ "bytes", "SIZE", CTL_CELL_SIZE }, { "changed", "CHANGED", CTL_CELL_TIME },
		{ NULL, NULL, CTL_CELL_TEXT }
	};
	struct json_doc *doc = NULL;
	struct buf out = { 0 };
	int rc;

	if (ctl->json)
		return ctl_print_json(buf_span(text));
	if (json_parse(buf_span(text), text->len, &doc) != ST_OK)
		return ctl_error("the answer is not understood");
	ctl_table(&out, columns, json_member(json_root(doc), "scripts"));
	if (out.len == 0)
		buf_add_str(&out, "no script\n");
	rc = ctl_print(&out);
	buf_fini(&out);
	json_free(&doc);
	return rc;
}

static int
sieve_list(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct listing l = { .text = { 0 } };
	struct ctl_mail *mail;
	enum status st;
	int rc = ctl_options(none, &argc, argv, 1, 1);

	if (rc != CTL_OK || (mail = ctl_mail_open(ctl, argv[0], &rc)) == NULL)
		return rc;
	json_writer_init(&l.w, &l.text);
	json_begin_object(&l.w);
	json_key(&l.w, "scripts");
	json_begin_array(&l.w);
	st = ctl_mail_ask(mail, STORE_SCRIPTS, "", on_scripts, &l);
	json_end_array(&l.w);
	json_end_object(&l.w);
	rc = st == ST_OK ? print_scripts(ctl, &l.text) : store_failed(st, "");
	ctl_mail_close(&mail);
	buf_fini(&l.text);
	return rc;
}

/* ---- get ---- */

static void
on_script(void *arg, const void *msg)
{
	buf_add_span(arg, ((const struct store_script_is *)msg)->text);
}

static int
sieve_get(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct store_script_get rq = { .name = SPAN_NONE };
	struct ctl_mail *mail;
	struct buf text = { 0 };
	enum status st;
	int rc = ctl_options(none, &argc, argv, 1, 2);

	if (rc != CTL_OK)
		return rc;
	if (argc > 1 && !name_good(argv[1]))
		return CTL_FAILED;
	if ((mail = ctl_mail_open(ctl, argv[0], &rc)) == NULL)
		return rc;
	rq.name = span_str(argv[1]);
	st = ctl_mail_ask(mail, STORE_SCRIPT, &rq, on_script, &text);
	rc = st == ST_OK ? ctl_print(&text) : store_failed(st, argc > 1 ? argv[1] : "");
	ctl_mail_close(&mail);
	buf_fini(&text);
	return rc;
}

/* ---- changes ---- */

static int
change(struct ctl *ctl, const char *address, const char *name, const struct store_script_set *rq)
{
	struct ctl_mail *mail;
	enum status st;
	int rc = CTL_OK;

	if ((mail = ctl_mail_open(ctl, address, &rc)) == NULL)
		return rc;
	st = ctl_mail_ask(mail, STORE_SCRIPT_SET, rq, NULL, NULL);
	rc = st == ST_OK ? CTL_OK : store_failed(st, name);
	ctl_mail_close(&mail);
	return rc;
}

static int
sieve_put(struct ctl *ctl, int argc, char **argv)
{
	struct store_script_set rq = { .how = SCRIPT_PUT };
	const struct ctl_option options[] = { { "--activate", CTL_FLAG, &rq.activate },
		{ NULL, CTL_FLAG, NULL } };
	char *text = NULL;
	size_t len = 0;
	int rc = ctl_options(options, &argc, argv, 3, 3);

	if (rc != CTL_OK)
		return rc;
	if (!name_good(argv[1]))
		return CTL_FAILED;
	rc = sieve_read_file(argv[2], STORE_SCRIPT_MAX, &text, &len);
	if (rc == CTL_OK)
		rc = sieve_compiles(ctl, span(text, len), argv[2]);
	if (rc == CTL_OK) {
		rq.name = span_str(argv[1]);
		rq.text = span(text, len);
		rc = change(ctl, argv[0], argv[1], &rq);
	}
	mem_free(&text);
	return rc;
}

static int
sieve_delete(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct store_script_set rq = { .how = SCRIPT_DELETE };
	int rc = ctl_options(none, &argc, argv, 2, 2);

	if (rc != CTL_OK)
		return rc;
	rq.name = span_str(argv[1]);
	return name_good(argv[1]) ? change(ctl, argv[0], argv[1], &rq) : CTL_FAILED;
}

static int
sieve_activate(struct ctl *ctl, int argc, char **argv)
{
	struct store_script_set rq = { .how = SCRIPT_ACTIVATE };
	bool none = false;
	const struct ctl_option options[] = { { "--none", CTL_FLAG, &none }, { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(options, &argc, argv, 1, 2);

	if (rc != CTL_OK)
		return rc;
	if (none == (argc > 1))
		return ctl_usage("a script is needed, or --none");
	if (!none && !name_good(argv[1]))
		return CTL_FAILED;
	rq.name = none ? SPAN_NONE : span_str(argv[1]);
	return change(ctl, argv[0], none ? "" : argv[1], &rq);
}

/* ---- without a server ---- */

static int
sieve_check(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(none, &argc, argv, 1, 1);

	return rc != CTL_OK ? rc : sieve_check_file(ctl, argv[0]);
}

static int
run(struct ctl *ctl, int argc, char **argv, bool trace)
{
	struct sieve_try t = { .trace = trace };
	const struct ctl_option options[] = { { "--from", CTL_TEXT, &t.from },
		{ "--to", CTL_TEXT, &t.to }, { "--mailboxes", CTL_TEXT, &t.mailboxes },
		{ "--include", CTL_TEXT, &t.include },
		{ "--event", CTL_TEXT, &t.event }, { "--mailbox", CTL_TEXT, &t.mailbox },
		{ "--flags", CTL_TEXT, &t.flags }, { "--changed", CTL_TEXT, &t.changed },
		{ NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(options, &argc, argv, 2, 2);

	if (rc != CTL_OK)
		return rc;
	if (t.event == NULL && (t.mailbox != NULL || t.flags != NULL || t.changed != NULL))
		return ctl_usage("--mailbox, --flags and --changed are of an --event");
	if (t.event != NULL && !sieve_event_known(t.event))
		return ctl_usage("the event is APPEND, COPY or FLAG");
	t.script = argv[0];
	t.message = argv[1];
	return sieve_try_run(ctl, &t);
}

static int
sieve_run_file(struct ctl *ctl, int argc, char **argv)
{
	return run(ctl, argc, argv, false);
}

static int
sieve_trace_file(struct ctl *ctl, int argc, char **argv)
{
	return run(ctl, argc, argv, true);
}

#define TRY_ARGS "FILE|- MESSAGE|- [--from ADDRESS] [--to ADDRESS] [--mailboxes \"NAME, ...\"] " \
    "[--include FOLDER] [--event APPEND|COPY|FLAG [--mailbox NAME] [--flags FLAGS] " \
    "[--changed FLAGS]]"

const struct ctl_command ctl_cmds_sieve[] = {
	{ "sieve list", "ACCOUNT", "the scripts of an account", sieve_list },
	{ "sieve get", "ACCOUNT [NAME]", "prints a script, the active one without a name", sieve_get },
	{ "sieve put", "ACCOUNT NAME FILE|- [--activate]", "keeps a script that has no errors",
	    sieve_put },
	{ "sieve delete", "ACCOUNT NAME", "deletes a script that is not active", sieve_delete },
	{ "sieve activate", "ACCOUNT NAME|--none", "which script sorts the mail", sieve_activate },
	{ "sieve check", "FILE|-", "what the compiler says, and how it read the script", sieve_check },
	{ "sieve run", TRY_ARGS, "what a script would do with a message", sieve_run_file },
	{ "sieve trace", TRY_ARGS, "the same, with each test and its outcome", sieve_trace_file },
	{ .name = NULL }
};
