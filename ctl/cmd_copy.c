/* ctl/cmd_copy.c
 * Hot copies of the shards: made now, and which there are. */
#include <string.h>

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/output.h"

static void
show(struct buf *out, const struct json *v)
{
	static const struct ctl_column columns[] = {
		{ "shard", "SHARD", CTL_CELL_TEXT }, { "copy", "COPY", CTL_CELL_NUMBER },
		{ "made", "MADE", CTL_CELL_TIME }, { "lsn", "LSN", CTL_CELL_NUMBER },
		{ "bytes", "SIZE", CTL_CELL_SIZE }, { "pinned", "PINNED", CTL_CELL_YES },
		{ NULL, NULL, CTL_CELL_TEXT }
	};

	ctl_table(out, columns, json_member(v, "copies"));
	if (out->len == 0)
		buf_add_str(out, "there is no copy yet\n");
}

static void
show_made(struct buf *out, const struct json *v)
{
	const struct json *list = json_member(v, "copies");

	for (size_t i = 0; i < json_count(list); i++) {
		struct span shard = SPAN_NONE;
		uint64_t n = 0;

		(void)json_get_string(json_item(list, i), "shard", &shard);
		(void)json_get_uint(json_item(list, i), "copy", &n);
		buf_addf(out, "shard %.*s: copy %llu made and verified\n", (int)shard.len, shard.p,
		    (unsigned long long)n);
	}
}

static int
copy(struct ctl *ctl, int argc, char **argv)
{
	const char *shard = NULL;
	const struct ctl_option options[] = { { "--shard", CTL_TEXT, &shard },
		{ NULL, CTL_FLAG, NULL } };
	struct buf args = { 0 };
	int rc = ctl_options(options, &argc, argv, 0, 1);

	if (rc != CTL_OK)
		return rc;
	ctl_args(&args, "shard", shard, NULL);
	if (argc == 0 || strcmp(argv[0], "list") == 0)
		rc = ctl_run_show(ctl, "copy-list", buf_span(&args), show);
	else if (strcmp(argv[0], "now") == 0)
		rc = ctl_run_show(ctl, "copy-now", buf_span(&args), show_made);
	else
		rc = ctl_usage("a copy is made now, or all are listed, not %s", argv[0]);
	buf_fini(&args);
	return rc;
}

const struct ctl_command ctl_cmds_copy[] = {
	{ "copy", "[now|list] [--shard N|system]",
	    "hot copies of the store's database: makes one now, or lists them", copy },
	{ .name = NULL }
};
