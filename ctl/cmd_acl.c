/* ctl/cmd_acl.c
 * Rights in mailboxes.  Identifiers and rights may begin with '-', so these commands have no
 * options of their own. */
#include "common/json/json.h"
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/output.h"

static int
count(int argc, int want)
{
	return argc == want ? CTL_OK :
	    ctl_usage(argc < want ? "something is missing" : "that is too much");
}

static void
print_acl(struct buf *out, const struct json *answer)
{
	const struct json *list = json_member(answer, "acl");
	struct span who, rights;

	if (json_count(list) == 0)
		buf_add_str(out, "nobody but the owner has rights\n");
	for (size_t i = 0; i < json_count(list); i++)
		if (json_get_string(json_item(list, i), "identifier", &who) &&
		    json_get_string(json_item(list, i), "rights", &rights))
			buf_addf(out, "%-32.*s %.*s\n", (int)who.len, who.p, (int)rights.len,
			    rights.p);
}

static int
acl_list(struct ctl *ctl, int argc, char **argv)
{
	struct buf args = { 0 };
	int rc = count(argc, 2);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "address", argv[0], "mailbox", argv[1], NULL);
	rc = ctl_run_show(ctl, "acl-list", buf_span(&args), print_acl);
	buf_fini(&args);
	return rc;
}

static int
acl_set(struct ctl *ctl, int argc, char **argv)
{
	struct buf args = { 0 }, line = { 0 };
	int rc = count(argc, 4);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "address", argv[0], "mailbox", argv[1], "identifier", argv[2], "rights",
	    argv[3], NULL);
	buf_addf(&line, "rights of %s in %s are set\n", argv[2], argv[1]);
	rc = ctl_run_line(ctl, "acl-set", &args, &line);
	buf_fini(&args);
	return rc;
}

static int
acl_delete(struct ctl *ctl, int argc, char **argv)
{
	struct buf args = { 0 }, line = { 0 };
	int rc = count(argc, 3);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "address", argv[0], "mailbox", argv[1], "identifier", argv[2], NULL);
	buf_addf(&line, "%s has no entry in %s\n", argv[2], argv[1]);
	rc = ctl_run_line(ctl, "acl-delete", &args, &line);
	buf_fini(&args);
	return rc;
}

static int
mailbox_create(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 }, line = { 0 };
	int rc = ctl_options(none, &argc, argv, 2, 2);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "address", argv[0], "mailbox", argv[1], NULL);
	buf_addf(&line, "mailbox %s is made\n", argv[1]);
	rc = ctl_run_line(ctl, "mailbox-create", &args, &line);
	buf_fini(&args);
	return rc;
}

const struct ctl_command ctl_cmds_acl[] = {
	{ "acl list", "ACCOUNT MAILBOX", "who has which rights in a mailbox", acl_list },
	{ "acl set", "ACCOUNT MAILBOX IDENTIFIER [+|-]RIGHTS", "gives rights, or takes them",
	    acl_set },
	{ "acl delete", "ACCOUNT MAILBOX IDENTIFIER", "takes an entry away", acl_delete },
	{ "mailbox create", "ACCOUNT MAILBOX", "makes a mailbox in an account", mailbox_create },
	{ .name = NULL }
};
