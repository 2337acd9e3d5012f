/* ctl/cmd_transfer.c
 * Mail of an account into files that others read too, and back. */
#include "ctl/args.h"
#include "ctl/export.h"

static int
export_cmd(struct ctl *ctl, int argc, char **argv)
{
	struct export_opts o = { 0 };
	const char *format = NULL;
	const struct ctl_option options[] = { { "--to", CTL_TEXT, &o.path },
		{ "--format", CTL_TEXT, &format }, { "--mailbox", CTL_TEXT, &o.mailbox },
		{ NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(options, &argc, argv, 1, 1);

	if (rc == CTL_OK)
		rc = transfer_format_parse(format, &o.format);
	if (rc == CTL_OK && o.path == NULL)
		rc = ctl_usage("--to is missing");
	if (rc != CTL_OK)
		return rc;
	o.address = argv[0];
	return export_run(ctl, &o);
}

static int
import_cmd(struct ctl *ctl, int argc, char **argv)
{
	struct import_opts o = { 0 };
	const char *format = NULL;
	const struct ctl_option options[] = { { "--from", CTL_TEXT, &o.path },
		{ "--format", CTL_TEXT, &format }, { "--mailbox", CTL_TEXT, &o.mailbox },
		{ "--dry-run", CTL_FLAG, &o.dry_run }, { "--again", CTL_FLAG, &o.again },
		{ "--keep-ids", CTL_FLAG, &o.keep_ids }, { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(options, &argc, argv, 1, 1);

	if (rc == CTL_OK)
		rc = transfer_format_parse(format, &o.format);
	if (rc == CTL_OK && o.path == NULL)
		rc = ctl_usage("--from is missing");
	if (rc != CTL_OK)
		return rc;
	o.address = argv[0];
	return import_run(ctl, &o);
}

const struct ctl_command ctl_cmds_transfer[] = {
	{ "export", "ACCOUNT --to PATH --format maildir|mbox|archive [--mailbox MAILBOX]",
	    "writes an account's mail into files", export_cmd },
	{ "import", "ACCOUNT --from PATH --format maildir|mbox|archive [--mailbox MAILBOX] "
	    "[--dry-run] [--again] [--keep-ids]", "brings mail out of such files", import_cmd },
	{ .name = NULL }
};
