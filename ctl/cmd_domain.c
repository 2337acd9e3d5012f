/* ctl/cmd_domain.c
 * Domains, and addresses that lead to accounts. */
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/pages.h"

#define QUOTA_PATIENCE_S 3600

/* A command of `n` operands that become the members keys[0..n-1]. */
static int
simple(struct ctl *ctl, int argc, char **argv, const char *command, const char *first,
    const char *second, const char *what)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	int n = second != NULL ? 2 : 1;
	struct buf args = { 0 }, answer = { 0 }, out = { 0 };
	int rc = ctl_options(none, &argc, argv, n, n);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, first, argv[0], second, argv[1], NULL);
	rc = ctl_run(ctl, command, buf_span(&args), &answer);
	if (rc == CTL_OK && ctl->json) {
		rc = ctl_print_json(buf_span(&answer));
	} else if (rc == CTL_OK) {
		buf_addf(&out, "%s %s%s%s\n", argv[0], what, second != NULL ? " " : "",
		    second != NULL ? argv[1] : "");
		rc = ctl_print(&out);
	}
	buf_fini(&args);
	buf_fini(&answer);
	buf_fini(&out);
	return rc;
}

static int
domain_add(struct ctl *ctl, int argc, char **argv)
{
	return simple(ctl, argc, argv, "domain-add", "domain", NULL, "is made");
}

static int
domain_delete(struct ctl *ctl, int argc, char **argv)
{
	return simple(ctl, argc, argv, "domain-delete", "domain", NULL, "is deleted");
}

static int
domain_alias(struct ctl *ctl, int argc, char **argv)
{
	return simple(ctl, argc, argv, "domain-alias", "alias", "domain", "leads to");
}

static int
domain_catch_all(struct ctl *ctl, int argc, char **argv)
{
	char none[] = "", *both[] = { argv[0], none, NULL };

	if (argc == 1)
		return simple(ctl, 2, both, "catch-all", "domain", "address",
		    "has no catch-all any more");
	return simple(ctl, argc, argv, "catch-all", "domain", "address", "gives unknown addresses to");
}

/* Who has many accounts waits: each account's shard is told. */
static int
domain_quota(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_number bytes = { false, 0 }, messages = { false, 0 }, mailboxes = { false, 0 };
	const struct ctl_option options[] = {
		{ "--storage", CTL_SIZE, &bytes }, { "--messages", CTL_COUNT, &messages },
		{ "--mailboxes", CTL_COUNT, &mailboxes }, { NULL, CTL_FLAG, NULL }
	};
	struct buf args = { 0 }, answer = { 0 }, out = { 0 };
	struct json_doc *doc = NULL;
	struct ctl_client *c;
	struct json_writer w;
	enum status st;
	uint64_t n = 0;
	int rc = ctl_options(options, &argc, argv, 1, 1);

	if (rc != CTL_OK || (c = ctl_connect(ctl, &rc)) == NULL)
		return rc;
	json_writer_init(&w, &args);
	json_begin_object(&w);
	json_kv_str(&w, "domain", argv[0]);
	if (bytes.given)
		json_kv_uint(&w, "quota_bytes", bytes.v);
	if (messages.given)
		json_kv_uint(&w, "quota_messages", messages.v);
	if (mailboxes.given)
		json_kv_uint(&w, "quota_mailboxes", mailboxes.v);
	json_end_object(&w);
	if (!ctl_call(c, "domain-quota", buf_span(&args), QUOTA_PATIENCE_S, &st, &answer)) {
		rc = CTL_UNREACHABLE;
	} else if (st != ST_OK) {
		rc = ctl_failed(ctl, st, buf_span(&answer));
	} else if (ctl->json) {
		rc = ctl_print_json(buf_span(&answer));
	} else if (json_parse(buf_span(&answer), ADMIN_RESULT_MAX, &doc) == ST_OK) {
		(void)json_get_uint(json_root(doc), "accounts", &n);
		buf_addf(&out, "%s has its limits, and so have its accounts: %llu\n", argv[0],
		    (unsigned long long)n);
		rc = ctl_print(&out);
	}
	json_free(&doc);
	ctl_disconnect(&c);
	buf_fini(&args);
	buf_fini(&answer);
	buf_fini(&out);
	return rc;
}

static int
alias_add(struct ctl *ctl, int argc, char **argv)
{
	return simple(ctl, argc, argv, "alias-add", "alias", "address", "leads to");
}

static int
alias_delete(struct ctl *ctl, int argc, char **argv)
{
	return simple(ctl, argc, argv, "alias-delete", "alias", NULL, "is deleted");
}

static void
put_nothing(struct json_writer *w, void *arg)
{
}

static int
domain_list(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{ "domain", "DOMAIN", CTL_CELL_TEXT }, { "alias_of", "ALIAS OF", CTL_CELL_TEXT },
		{ "catch_all", "CATCH-ALL", CTL_CELL_TEXT }, { "plus", "PLUS", CTL_CELL_YES },
		{ "quota_bytes", "STORAGE", CTL_CELL_SIZE }, { "quota_messages", "MESSAGES", CTL_CELL_NUMBER },
		{ "quota_mailboxes", "MAILBOXES", CTL_CELL_NUMBER },
		{ "created", "CREATED", CTL_CELL_TIME }, { NULL, NULL, CTL_CELL_TEXT }
	};
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(none, &argc, argv, 0, 0);

	if (rc != CTL_OK)
		return rc;
	return ctl_pages(ctl, "domain-list", "domains", "after", columns, "no domain", put_nothing,
	    NULL);
}

struct filter { const char *address, *domain; };

static void
put_filter(struct json_writer *w, void *arg)
{
	const struct filter *f = arg;

	if (f->address != NULL)
		json_kv_str(w, "address", f->address);
	if (f->domain != NULL)
		json_kv_str(w, "domain", f->domain);
}

static int
alias_list(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{ "alias", "ALIAS", CTL_CELL_TEXT }, { "address", "LEADS TO", CTL_CELL_TEXT },
		{ NULL, NULL, CTL_CELL_TEXT }
	};
	struct filter f = { NULL, NULL };
	const struct ctl_option options[] = {
		{ "--domain", CTL_TEXT, &f.domain },
		{ NULL, CTL_FLAG, NULL }
	};
	int rc = ctl_options(options, &argc, argv, 0, 1);

	if (rc != CTL_OK)
		return rc;
	f.address = argv[0];
	return ctl_pages(ctl, "alias-list", "aliases", "after", columns, "no alias", put_filter, &f);
}

const struct ctl_command ctl_cmds_domain[] = {
	{ "domain add", "DOMAIN", "makes a domain", domain_add },
	{ "domain delete", "DOMAIN", "deletes a domain without addresses, or a domain alias",
	    domain_delete },
	{ "domain alias", "ALIAS DOMAIN", "mail and logins for the alias go to the domain",
	    domain_alias },
	{ "domain catch-all", "DOMAIN [ADDRESS]", "who gets mail for unknown addresses; none",
	    domain_catch_all },
	{ "domain quota", "DOMAIN [--storage SIZE] [--messages N] [--mailboxes N]",
	    "limits of each account there that has none of its own; default: none", domain_quota },
	{ "domain list", "", "all domains", domain_list },
	{ "alias add", "ALIAS ADDRESS", "a second address of an account", alias_add },
	{ "alias delete", "ALIAS", "takes an alias away", alias_delete },
	{ "alias list", "[--domain DOMAIN] [ADDRESS]", "all aliases, or those of an account",
	    alias_list },
	{ .name = NULL }
};
