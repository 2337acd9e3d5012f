/* ctl/cmd_pop3.c
 * Unique-ids of POP3 that messages had on another server, so that clients which left their
 * mail there do not fetch everything again. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/output.h"

#define FILE_MAX	(256u << 20)
#define IDS_A_TIME	400
#define UIDL_MAX	70

struct import {
	struct ctl		*ctl;
	struct ctl_client	*client;
	const char		*address, *mailbox, *file;
	struct table		seen;		/* unique-ids */
	struct buf		args;
	struct json_writer	w;
	unsigned		n, line;
	uint64_t		given, missing;
};

static void
begin(struct import *im)
{
	buf_clear(&im->args);
	json_writer_init(&im->w, &im->args);
	json_begin_object(&im->w);
	json_kv_str(&im->w, "address", im->address);
	json_kv_str(&im->w, "mailbox", im->mailbox);
	json_key(&im->w, "ids");
	json_begin_array(&im->w);
	im->n = 0;
}

static int
send_ids(struct import *im)
{
	struct buf answer = { 0 };
	struct json_doc *doc = NULL;
	uint64_t given = 0, missing = 0;
	enum status st;
	int rc = CTL_OK;

	if (im->n == 0)
		return CTL_OK;
	json_end_array(&im->w);
	json_end_object(&im->w);
	if (!ctl_call(im->client, "pop3-uidl", buf_span(&im->args), CTL_PATIENCE_S, &st, &answer))
		rc = CTL_UNREACHABLE;
	else if (st != ST_OK)
		rc = ctl_failed(im->ctl, st, buf_span(&answer));
	else if (json_parse(buf_span(&answer), answer.len, &doc) != ST_OK ||
	    !json_get_uint(json_root(doc), "given", &given) ||
	    !json_get_uint(json_root(doc), "missing", &missing))
		rc = ctl_error("the answer is not understood");
	im->given += given;
	im->missing += missing;
	json_free(&doc);
	buf_fini(&answer);
	begin(im);
	return rc;
}

static bool
is_uidl(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	return s.len > 0 && s.len <= UIDL_MAX;
}

static int
take_line(struct import *im, struct span line)
{
	struct span uid = span_cut(&line, ' '), id = span_trim(line);
	uint32_t n;

	if (!span_u32(uid, &n) || n == 0 || !is_uidl(id))
		return ctl_error("%s:%u: not \"UID UNIQUE-ID\"; a unique-id is 1 to 70 printable "
		    "characters", im->file, im->line);
	if (table_put(&im->seen, id, im) != NULL)
		return ctl_error("%s:%u: a second message with the unique-id %.*s", im->file,
		    im->line, (int)id.len, id.p);
	json_begin_array(&im->w);
	json_uint(&im->w, n);
	json_string(&im->w, id);
	json_end_array(&im->w);
	return ++im->n < IDS_A_TIME ? CTL_OK : send_ids(im);
}

static int
take_all(struct import *im, struct span text)
{
	int rc = CTL_OK;

	begin(im);
	while (rc == CTL_OK && text.len > 0) {
		struct span line = span_trim(span_cut(&text, '\n'));

		im->line++;
		if (line.len > 0 && line.p[0] != '#')
			rc = take_line(im, line);
	}
	return rc == CTL_OK ? send_ids(im) : rc;
}

static int
print_result(const struct import *im)
{
	struct buf out = { 0 };
	int rc;

	if (im->ctl->json)
		buf_addf(&out, "{\"given\":%llu,\"missing\":%llu}\n", (unsigned long long)im->given,
		    (unsigned long long)im->missing);
	else
		buf_addf(&out, "%llu messages have their unique-id, %llu uids have no message\n",
		    (unsigned long long)im->given, (unsigned long long)im->missing);
	rc = ctl_print(&out);
	buf_fini(&out);
	return rc;
}

static int
import_fd(struct import *im, int fd)
{
	char *text = NULL;
	size_t len = 0;
	int rc = CTL_OK;

	if (!fd_slurp(fd, FILE_MAX, &text, &len))
		return ctl_error("%s cannot be read", im->file);
	if ((im->client = ctl_connect(im->ctl, &rc)) != NULL)
		rc = take_all(im, span(text, len));
	if (rc == CTL_OK)
		rc = print_result(im);
	ctl_disconnect(&im->client);
	table_fini(&im->seen, NULL, NULL);
	buf_fini(&im->args);
	mem_free(&text);
	return rc;
}

static int
pop3_uidl(struct ctl *ctl, int argc, char **argv)
{
	struct import im = { .ctl = ctl, .mailbox = "INBOX" };
	const struct ctl_option options[] = { { "--mailbox", CTL_TEXT, &im.mailbox },
		{ NULL, CTL_FLAG, NULL } };
	int fd = STDIN_FILENO, rc = ctl_options(options, &argc, argv, 3, 3);

	if (rc != CTL_OK)
		return rc;
	if (strcmp(argv[0], "import") != 0)
		return ctl_usage("unique-ids can be imported, not %s", argv[0]);
	im.address = argv[1];
	im.file = argv[2];
	if (strcmp(im.file, "-") != 0 && (fd = open(im.file, O_RDONLY | O_CLOEXEC)) < 0)
		return ctl_error("%s: %s", im.file, strerror(errno));
	rc = import_fd(&im, fd);
	if (fd != STDIN_FILENO)
		fd_close(&fd);
	return rc;
}

const struct ctl_command ctl_cmds_pop3[] = {
	{ "pop3 uidl", "import ACCOUNT FILE|- [--mailbox PATH]",
	    "gives messages the unique-ids they had on another server", pop3_uidl },
	{ .name = NULL }
};
