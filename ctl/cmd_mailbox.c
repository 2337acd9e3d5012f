/* ctl/cmd_mailbox.c
 * What is in an account. */
#include "ctl/args.h"
#include "ctl/pages.h"

static void
put_address(struct json_writer *w, void *arg)
{
	json_kv_str(w, "address", arg);
}

static int
mailbox_list(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{ "path", "MAILBOX", CTL_CELL_TEXT }, { "role", "ROLE", CTL_CELL_TEXT },
		{ "messages", "MESSAGES", CTL_CELL_NUMBER }, { "unseen", "UNSEEN", CTL_CELL_NUMBER },
		{ "bytes", "SIZE", CTL_CELL_SIZE }, { "subscribed", "SUBSCRIBED", CTL_CELL_YES },
		{ NULL, NULL, CTL_CELL_TEXT }
	};
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(none, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	return ctl_pages(ctl, "mailbox-list", "mailboxes", "from", columns, "no mailbox",
	    put_address, argv[0]);
}

const struct ctl_command ctl_cmds_mailbox[] = {
	{ "mailbox list", "ACCOUNT", "the mailboxes of an account", mailbox_list },
	{ .name = NULL }
};
