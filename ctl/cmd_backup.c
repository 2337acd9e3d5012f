/* ctl/cmd_backup.c
 * Backups of the whole server: made, listed, proved, brought back. */
#include <string.h>

#include "ctl/args.h"
#include "ctl/backup.h"

static int
make(struct ctl *ctl, int argc, char **argv)
{
	struct backup_opts o = { 0 };
	struct ctl_number rate = { 0 };
	const struct ctl_option options[] = { { "--full", CTL_FLAG, &o.full },
		{ "--rate", CTL_SIZE, &rate }, { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(options, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	o.dir = argv[0];
	o.rate = rate.v;
	return backup_make(ctl, &o);
}

/* --number and what else goes with a backup that is there. */
static int
which(struct restore_opts *o, int argc, char **argv)
{
	struct ctl_number number = { 0 };
	const struct ctl_option options[] = { { "--number", CTL_COUNT, &number },
		{ "--to", CTL_TEXT, &o->to }, { "--account", CTL_TEXT, &o->account },
		{ "--mailbox", CTL_TEXT, &o->mailbox }, { "--scratch", CTL_TEXT, &o->scratch },
		{ NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(options, &argc, argv, 1, 1);

	if (rc == CTL_OK && number.v > 999999)
		rc = ctl_usage("there is no such number");
	if (rc == CTL_OK && o->mailbox != NULL && o->account == NULL)
		rc = ctl_usage("--mailbox goes with --account");
	o->dir = argv[0];
	o->number = (unsigned)number.v;
	return rc;
}

static int
restore(struct ctl *ctl, int argc, char **argv)
{
	struct restore_opts o = { 0 };
	int rc = which(&o, argc, argv);

	if (rc != CTL_OK)
		return rc;
	return o.account != NULL ? backup_restore_account(ctl, &o) : backup_restore(ctl, &o);
}

static int
verify(struct ctl *ctl, int argc, char **argv)
{
	struct restore_opts o = { 0 };
	int rc = which(&o, argc, argv);

	if (rc == CTL_OK && (o.account != NULL || o.to != NULL))
		rc = ctl_usage("a backup is verified as a whole");
	return rc == CTL_OK ? backup_verify(ctl, &o) : rc;
}

static int
list(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(none, &argc, argv, 1, 1);

	return rc == CTL_OK ? backup_list(ctl, argv[0]) : rc;
}

static int
prune(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_number keep = { 0 };
	const struct ctl_option options[] = { { "--keep", CTL_COUNT, &keep },
		{ NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(options, &argc, argv, 1, 1);

	if (rc == CTL_OK && (!keep.given || keep.v < 1 || keep.v > 999999))
		rc = ctl_usage("--keep: how many of them stay, at least 1");
	return rc == CTL_OK ? backup_prune(ctl, argv[0], (unsigned)keep.v) : rc;
}

const struct ctl_command ctl_cmds_backup[] = {
	{ "backup list", "DIR", "the backups in a folder", list },
	{ "backup verify", "DIR [--number N] [--scratch DIR2]", "proves a backup", verify },
	{ "backup restore", "DIR [--number N] [--to STATE-DIR] | DIR --account ACCOUNT "
	    "[--mailbox MAILBOX] [--to ACCOUNT2] [--number N] [--scratch DIR2]",
	    "brings the whole server back, or an account", restore },
	{ "backup prune", "DIR --keep N", "removes all but the newest", prune },
	{ "backup", "DIR [--full] [--rate BYTES]", "backs the running server up into a folder",
	    make },
	{ .name = NULL }
};
