/* ctl/cmd_group.c
 * Groups of accounts, to whom mailboxes can be shared. */
#include "common/util/mem.h"
#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/pages.h"

static int
group_add(struct ctl *ctl, int argc, char **argv)
{
	const char *description = "";
	const struct ctl_option options[] = {
		{ "--description", CTL_TEXT, &description }, { NULL, CTL_FLAG, NULL }
	};
	struct buf args = { 0 }, line = { 0 };
	int rc = ctl_options(options, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "group", argv[0], "description", description, NULL);
	buf_addf(&line, "group %s is made\n", argv[0]);
	rc = ctl_run_line(ctl, "group-add", &args, &line);
	buf_fini(&args);
	return rc;
}

static int
group_delete(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 }, line = { 0 };
	int rc = ctl_options(none, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "group", argv[0], NULL);
	buf_addf(&line, "group %s is deleted\n", argv[0]);
	rc = ctl_run_line(ctl, "group-delete", &args, &line);
	buf_fini(&args);
	return rc;
}

static int
group_member(struct ctl *ctl, int argc, char **argv)
{
	bool take_out = false;
	const struct ctl_option options[] = {
		{ "--remove", CTL_FLAG, &take_out }, { NULL, CTL_FLAG, NULL }
	};
	struct buf args = { 0 }, line = { 0 };
	struct json_writer w;
	int rc = ctl_options(options, &argc, argv, 2, 2);

	if (rc != CTL_OK)
		return rc;
	json_writer_init(&w, &args);
	json_begin_object(&w);
	json_kv_str(&w, "group", argv[0]);
	json_kv_str(&w, "address", argv[1]);
	json_kv_bool(&w, "remove", take_out);
	json_end_object(&w);
	buf_addf(&line, "%s is %s group %s\n", argv[1], take_out ? "no more in" : "in", argv[0]);
	rc = ctl_run_line(ctl, "group-member", &args, &line);
	buf_fini(&args);
	return rc;
}

static void
put_group(struct json_writer *w, void *arg)
{
	if (arg != NULL)
		json_kv_str(w, "group", arg);
}

static int
group_list(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{ "group", "GROUP", CTL_CELL_TEXT }, { "description", "DESCRIPTION", CTL_CELL_TEXT },
		{ "created", "CREATED", CTL_CELL_TIME }, { NULL, NULL, CTL_CELL_TEXT }
	};
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(none, &argc, argv, 0, 0);

	if (rc != CTL_OK)
		return rc;
	return ctl_pages(ctl, "group-list", "groups", "after", columns, "no group", put_group, NULL);
}

static int
group_show(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{ "address", "MEMBER", CTL_CELL_TEXT }, { NULL, NULL, CTL_CELL_TEXT }
	};
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	int rc = ctl_options(none, &argc, argv, 1, 1);

	if (rc != CTL_OK)
		return rc;
	return ctl_pages(ctl, "group-show", "members", "after", columns, "no member", put_group,
	    argv[0]);
}

const struct ctl_command ctl_cmds_group[] = {
	{ "group add", "[--description TEXT] GROUP", "makes a group", group_add },
	{ "group delete", "GROUP", "deletes a group without members", group_delete },
	{ "group member", "[--remove] GROUP ACCOUNT", "puts an account into a group, or out of it",
	    group_member },
	{ "group list", "", "all groups", group_list },
	{ "group show", "GROUP", "the members of a group", group_show },
	{ .name = NULL }
};
