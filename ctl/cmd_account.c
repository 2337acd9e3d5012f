/* ctl/cmd_account.c
 * Accounts and their passwords. */
#include <stdio.h>
#include <string.h>

#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "ctl/args.h"
#include "ctl/batch.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/pages.h"
#include "ctl/password.h"

struct quota { struct ctl_number storage, messages, mailboxes; };

#define QUOTA_OPTIONS(q)						\
	{ "--quota-storage", CTL_SIZE, &(q).storage },			\
	{ "--quota-messages", CTL_COUNT, &(q).messages },		\
	{ "--quota-mailboxes", CTL_COUNT, &(q).mailboxes }

static void
put_quota(struct json_writer *w, const struct quota *q)
{
	if (q->storage.given)
		json_kv_uint(w, "quota_bytes", q->storage.v);
	if (q->messages.given)
		json_kv_uint(w, "quota_messages", q->messages.v);
	if (q->mailboxes.given)
		json_kv_uint(w, "quota_mailboxes", q->mailboxes.v);
}

/* With a random password that is what is printed. */
static int
say_done(struct ctl *ctl, struct span answer, const char *address, const char *what,
    struct span password)
{
	struct buf out = { 0 };
	struct json_writer w;
	int rc;

	if (ctl->json && password.len == 0) {
		rc = ctl_print_json(answer);
	} else if (ctl->json) {
		json_writer_init(&w, &out);
		json_begin_object(&w);
		json_kv_str(&w, "address", address);
		json_kv_string(&w, "password", password);
		json_end_object(&w);
		rc = ctl_print_json(buf_span(&out));
	} else {
		if (password.len > 0)
			buf_addf(&out, "%s password %.*s\n", address, (int)password.len, password.p);
		else
			buf_addf(&out, "%s %s\n", address, what);
		rc = ctl_print(&out);
	}
	buf_fini_secret(&out);
	return rc;
}

struct add {
	struct ctl_password_from	from;
	struct batch_opts		opts;
	struct quota			quota;
	const char			*description;
	bool				batch, shared;
};

static int
add_one(struct ctl *ctl, const char *address, struct add *a)
{
	struct buf password = { 0 }, args = { 0 }, out = { 0 };
	struct ctl_client *c = NULL;
	struct json_writer w;
	enum status st;
	int rc = a->shared ? CTL_OK : ctl_password(&a->from, &password);

	if (rc != CTL_OK || (c = ctl_connect(ctl, &rc)) == NULL)
		goto out;
	json_writer_init(&w, &args);
	json_begin_object(&w);
	json_kv_str(&w, "address", address);
	if (!a->shared)
		json_kv_string(&w, "password", buf_span(&password));
	if (a->description != NULL)
		json_kv_str(&w, "description", a->description);
	if (a->shared)
		json_kv_bool(&w, "shared", true);
	if (a->opts.cheap_hash)
		json_kv_bool(&w, "cheap", true);
	put_quota(&w, &a->quota);
	json_end_object(&w);
	if (!ctl_call(c, "account-add", buf_span(&args), CTL_PATIENCE_S, &st, &out))
		rc = CTL_UNREACHABLE;
	else if (st == ST_EXISTS && a->opts.if_missing)
		rc = say_done(ctl, SPAN_LIT("{\"existing\":true}"), address, "is there already",
		    SPAN_NONE);
	else if (st != ST_OK)
		rc = ctl_failed(ctl, st, buf_span(&out));
	else
		rc = say_done(ctl, buf_span(&out), address, "is made", a->from.random ?
		    buf_span(&password) : SPAN_NONE);
out:
	ctl_disconnect(&c);
	buf_fini_secret(&password);
	buf_fini_secret(&args);
	buf_fini(&out);
	return rc;
}

static int
account_add(struct ctl *ctl, int argc, char **argv)
{
	struct add a = { .batch = false };
	const struct ctl_option options[] = {
		{ "--password-stdin", CTL_FLAG, &a.from.from_stdin },
		{ "--random", CTL_FLAG, &a.from.random },
		{ "--batch", CTL_FLAG, &a.batch },
		{ "--shared", CTL_FLAG, &a.shared },
		{ "--cheap-hash", CTL_FLAG, &a.opts.cheap_hash },
		{ "--if-missing", CTL_FLAG, &a.opts.if_missing },
		{ "--description", CTL_TEXT, &a.description },
		QUOTA_OPTIONS(a.quota),
		{ NULL, CTL_FLAG, NULL }
	};
	int rc = ctl_options(options, &argc, argv, 0, 1);

	if (rc != CTL_OK)
		return rc;
	if (a.shared && (a.from.from_stdin || a.from.random || a.batch))
		return ctl_usage("a shared account has no password");
	if (!a.batch)
		return argc == 1 ? add_one(ctl, argv[0], &a) : ctl_usage("an address is needed");
	if (argc > 0 || a.from.from_stdin || a.from.random || a.description != NULL ||
	    a.quota.storage.given || a.quota.messages.given || a.quota.mailboxes.given)
		return ctl_usage("--batch takes addresses and passwords from standard input alone");
	return batch_run(ctl, &a.opts);
}

static int
account_set(struct ctl *ctl, int argc, char **argv)
{
	struct quota quota = { .storage = { false, 0 } };
	bool disable = false, enable = false;
	const char *description = NULL;
	const struct ctl_option options[] = {
		{ "--disable", CTL_FLAG, &disable },
		{ "--enable", CTL_FLAG, &enable },
		{ "--description", CTL_TEXT, &description },
		QUOTA_OPTIONS(quota),
		{ NULL, CTL_FLAG, NULL }
	};
	struct buf args = { 0 }, out = { 0 };
	struct json_writer w;
	int rc = ctl_options(options, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	if (disable && enable)
		return ctl_usage("--disable and --enable exclude each other");
	json_writer_init(&w, &args);
	json_begin_object(&w);
	json_kv_str(&w, "address", argv[0]);
	if (disable || enable)
		json_kv_bool(&w, "disabled", disable);
	if (description != NULL)
		json_kv_str(&w, "description", description);
	put_quota(&w, &quota);
	json_end_object(&w);
	rc = ctl_run(ctl, "account-set", buf_span(&args), &out);
	if (rc == CTL_OK)
		rc = say_done(ctl, buf_span(&out), argv[0], "is changed", SPAN_NONE);
	buf_fini(&args);
	buf_fini(&out);
	return rc;
}

static int
account_password(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_password_from from = { false, false };
	const struct ctl_option options[] = {
		{ "--password-stdin", CTL_FLAG, &from.from_stdin },
		{ "--random", CTL_FLAG, &from.random },
		{ NULL, CTL_FLAG, NULL }
	};
	struct buf password = { 0 }, args = { 0 }, out = { 0 };
	int rc = ctl_options(options, &argc, argv, 1, 1);

	if (rc == CTL_OK)
		rc = ctl_password(&from, &password);
	if (rc == CTL_OK) {
		ctl_args(&args, "address", argv[0], "password", buf_cstr(&password), NULL);
		rc = ctl_run(ctl, "account-password", buf_span(&args), &out);
	}
	if (rc == CTL_OK)
		rc = say_done(ctl, buf_span(&out), argv[0], "has a new password", from.random ?
		    buf_span(&password) : SPAN_NONE);
	buf_fini_secret(&password);
	buf_fini_secret(&args);
	buf_fini(&out);
	return rc;
}

static int
simple(struct ctl *ctl, int argc, char **argv, const char *command, const char *what)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 }, out = { 0 };
	int rc = ctl_options(none, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "address", argv[0], NULL);
	rc = ctl_run(ctl, command, buf_span(&args), &out);
	if (rc == CTL_OK)
		rc = say_done(ctl, buf_span(&out), argv[0], what, SPAN_NONE);
	buf_fini(&args);
	buf_fini(&out);
	return rc;
}

static int
referral(struct ctl *ctl, int argc, char **argv, const char *command, const char *of,
    const char *what)
{
	bool stays = false;
	const struct ctl_option options[] = {
		{ "--stays", CTL_FLAG, &stays },
		{ NULL, CTL_FLAG, NULL }
	};
	struct buf args = { 0 }, out = { 0 };
	struct json_writer w;
	int rc = ctl_options(options, &argc, argv, 2, 2);
	bool none;

	if (rc != CTL_OK)
		return rc;
	none = strcmp(argv[1], "none") == 0;
	if (none && stays)
		return ctl_usage("--stays needs a URL");
	json_writer_init(&w, &args);
	json_begin_object(&w);
	json_kv_str(&w, of, argv[0]);
	if (!none)
		json_kv_str(&w, "url", argv[1]);
	if (stays)
		json_kv_bool(&w, "stays", true);
	json_end_object(&w);
	rc = ctl_run(ctl, command, buf_span(&args), &out);
	if (rc == CTL_OK)
		rc = say_done(ctl, buf_span(&out), argv[0], none ? "has no referral" : what,
		    SPAN_NONE);
	buf_fini(&args);
	buf_fini(&out);
	return rc;
}

static int
account_referral(struct ctl *ctl, int argc, char **argv)
{
	return referral(ctl, argc, argv, "account-referral", "address", "is kept elsewhere");
}

static int
domain_referral(struct ctl *ctl, int argc, char **argv)
{
	return referral(ctl, argc, argv, "domain-referral", "domain",
	    "has its accounts elsewhere, but for those with a referral of their own");
}

static int
account_delete(struct ctl *ctl, int argc, char **argv)
{
	return simple(ctl, argc, argv, "account-delete", "is deleted; it can be brought back with "
	    "account undelete until store.undelete-time is over");
}

static int
account_undelete(struct ctl *ctl, int argc, char **argv)
{
	return simple(ctl, argc, argv, "account-undelete", "is back");
}

struct filter {
	const char	*domain;
	bool		deleted;
};

static void
put_filter(struct json_writer *w, void *arg)
{
	const struct filter *f = arg;

	if (f->domain != NULL)
		json_kv_str(w, "domain", f->domain);
	if (f->deleted)
		json_kv_bool(w, "deleted", true);
}

static int
account_list(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{ "address", "ADDRESS", CTL_CELL_TEXT }, { "id", "ID", CTL_CELL_TEXT },
		{ "shard", "SHARD", CTL_CELL_NUMBER }, { "disabled", "DISABLED", CTL_CELL_YES },
		{ "shared", "SHARED", CTL_CELL_YES },
		{ "created", "CREATED", CTL_CELL_TIME }, { "deleted", "DELETED", CTL_CELL_TIME },
		{ NULL, NULL, CTL_CELL_TEXT }
	};
	struct filter f = { .domain = NULL };
	const struct ctl_option options[] = {
		{ "--deleted", CTL_FLAG, &f.deleted },
		{ NULL, CTL_FLAG, NULL }
	};
	int rc = ctl_options(options, &argc, argv, 0, 1);

	if (rc != CTL_OK)
		return rc;
	f.domain = argv[0];
	return ctl_pages(ctl, "account-list", "accounts", "after", columns, "no account",
	    put_filter, &f);
}

static void
show_quota(struct buf *out, const char *title, const struct json *v, const char *key, bool size)
{
	uint64_t n;
	bool of_domain;

	if (!json_get_uint(v, key, &n))
		return;
	of_domain = n == 0 && json_get_uint(json_member(v, "domain_limits"), key, &n) && n != 0;
	buf_addf(out, "%-14s", title);
	if (n == 0)
		buf_add_str(out, "default");
	else if (size)
		ctl_put_size(out, n);
	else
		buf_add_u64(out, n);
	buf_add_str(out, of_domain ? " (of the domain)\n" : "\n");
}

static void
show_names(struct buf *out, const char *title, const struct json *list, const char *key)
{
	struct span s;

	for (size_t i = 0; i < json_count(list); i++)
		if (json_as_string(json_item(list, i), &s) ||
		    json_get_string(json_item(list, i), key, &s))
			buf_addf(out, "%-14s%.*s\n", title, (int)s.len, s.p);
}

static void
show(struct buf *out, const struct json *v)
{
	struct span s;
	int64_t t;
	uint64_t n;
	bool b;

	if (json_get_string(v, "address", &s))
		buf_addf(out, "%-14s%.*s\n", "address", (int)s.len, s.p);
	if (json_get_string(v, "description", &s) && s.len > 0)
		buf_addf(out, "%-14s%.*s\n", "description", (int)s.len, s.p);
	if (json_get_string(v, "id", &s))
		buf_addf(out, "%-14s%.*s\n", "id", (int)s.len, s.p);
	if (json_get_uint(v, "shard", &n))
		buf_addf(out, "%-14s%llu\n", "shard", (unsigned long long)n);
	if (json_get_bool(v, "password", &b))
		buf_addf(out, "%-14s%s\n", "password", b ? "yes" : "none: no login by the internal "
		    "directory");
	if (json_get_bool(v, "disabled", &b) && b)
		buf_addf(out, "%-14s%s\n", "login", "disabled");
	if (json_get_bool(v, "shared", &b) && b)
		buf_addf(out, "%-14s%s\n", "shared", "yes: of nobody, for whom its ACLs name");
	if (json_get_string(v, "referral", &s) && s.len > 0)
		buf_addf(out, "%-14s%.*s%s\n", "referral", (int)s.len, s.p,
		    json_get_bool(v, "referral_stays", &b) && b ? " (logins go on here)" : "");
	if (json_get_int(v, "created", &t)) {
		buf_addf(out, "%-14s", "created");
		ctl_put_time(out, t);
		buf_add_c(out, '\n');
	}
	if (json_get_int(v, "deleted", &t) && t != 0) {
		buf_addf(out, "%-14s", "deleted");
		ctl_put_time(out, t);
		buf_add_c(out, '\n');
	}
	show_quota(out, "storage", v, "quota_bytes", true);
	show_quota(out, "messages", v, "quota_messages", false);
	show_quota(out, "mailboxes", v, "quota_mailboxes", false);
	show_names(out, "alias", json_member(v, "aliases"), "alias");
	show_names(out, "app password", json_member(v, "app_passwords"), "label");
}

static int
account_show(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 };
	int rc = ctl_options(none, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "address", argv[0], NULL);
	rc = ctl_run_show(ctl, "account-show", buf_span(&args), show);
	buf_fini(&args);
	return rc;
}

/* App passwords ------------------------------------------------------------------ */

static int
app_add(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 }, answer = { 0 };
	struct json_doc *doc = NULL;
	struct json_writer w;
	struct span password;
	int rc = ctl_options(none, &argc, argv, 2, 7);

	if (rc != CTL_OK)
		return rc;
	json_writer_init(&w, &args);
	json_begin_object(&w);
	json_kv_str(&w, "address", argv[0]);
	json_kv_str(&w, "label", argv[1]);
	if (argc > 2) {
		json_key(&w, "protocols");
		json_begin_array(&w);
		for (int i = 2; i < argc; i++)
			json_str(&w, argv[i]);
		json_end_array(&w);
	}
	json_end_object(&w);
	rc = ctl_run(ctl, "app-password-add", buf_span(&args), &answer);
	if (rc == CTL_OK && ctl->json)
		rc = ctl_print_json(buf_span(&answer));
	else if (rc == CTL_OK && json_parse(buf_span(&answer), ADMIN_RESULT_MAX, &doc) == ST_OK &&
	    json_get_string(json_root(doc), "password", &password))
		printf("%s password %.*s\n", argv[0], (int)password.len, password.p);
	json_free(&doc);
	buf_fini(&args);
	buf_fini_secret(&answer);
	return rc;
}

static void
put_address(struct json_writer *w, void *arg)
{
	json_kv_str(w, "address", arg);
}

static int
app_list(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{ "label", "LABEL", CTL_CELL_TEXT }, { "created", "CREATED", CTL_CELL_TIME },
		{ "used", "USED", CTL_CELL_TIME }, { NULL, NULL, CTL_CELL_TEXT }
	};
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(none, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	return ctl_pages(ctl, "app-password-list", "app_passwords", "after", columns,
	    "no app password", put_address, argv[0]);
}

static int
app_revoke(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 }, out = { 0 };
	int rc = ctl_options(none, &argc, argv, 2, 2);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "address", argv[0], "label", argv[1], NULL);
	rc = ctl_run(ctl, "app-password-revoke", buf_span(&args), &out);
	if (rc == CTL_OK)
		rc = say_done(ctl, buf_span(&out), argv[1], "is void", SPAN_NONE);
	buf_fini(&args);
	buf_fini(&out);
	return rc;
}

#define FROM	"[--password-stdin|--random]"
#define QUOTA	"[--quota-storage SIZE] [--quota-messages N] [--quota-mailboxes N]"

const struct ctl_command ctl_cmds_account[] = {
	{ "account add", "ADDRESS " FROM " [--cheap-hash] [--if-missing] [--description TEXT] " QUOTA
	    " | ADDRESS --shared ... | --batch", "makes an account, or with --batch all of standard input", account_add },
	{ "account set", "ADDRESS [--disable|--enable] [--description TEXT] " QUOTA,
	    "changes an account", account_set },
	{ "account password", "ADDRESS " FROM, "sets the password; ends all logins", account_password },
	{ "account delete", "ADDRESS", "closes an account; it can be brought back", account_delete },
	{ "account undelete", "ADDRESS", "brings a deleted account back", account_undelete },
	{ "account referral", "ADDRESS URL|none [--stays]",
	    "the account's mail is kept on another server", account_referral },
	{ "domain referral", "DOMAIN URL|none [--stays]",
	    "the same for all accounts of a domain", domain_referral },
	{ "account list", "[--deleted] [DOMAIN]", "all accounts", account_list },
	{ "account show", "ADDRESS", "all that is known of an account", account_show },
	{ "app-password add", "ADDRESS LABEL [PROTOCOL...]", "makes a password for one program",
	    app_add },
	{ "app-password list", "ADDRESS", "the programs that have one", app_list },
	{ "app-password revoke", "ADDRESS LABEL", "takes one back; ends its logins", app_revoke },
	{ .name = NULL }
};
