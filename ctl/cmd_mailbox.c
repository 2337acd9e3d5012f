/* ctl/cmd_mailbox.c
 * What is in an account, and what comes into it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/pages.h"

#define CHANNEL 1

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

/* Delivery ------------------------------------------------------------------------ */

struct delivery {
	struct ctl_client	*client;
	struct ctl_progress	progress;
	int			fd;
	uint64_t		sent, size;	/* size 0: not known */
	bool			over;		/* the command was answered */
	enum status		st;
	struct buf		answer;
};

static void
on_over(void *arg, enum status st, struct span text)
{
	struct delivery *d = arg;

	d->over = true;
	d->st = st;
	buf_add_span(&d->answer, text);
}

static void
on_taken(void *arg, enum status st, struct span text)
{
	/* the command's own answer tells when it was not */
}

/* As much as one piece holds, or the rest; -1: said why. */
static ssize_t
read_piece(int fd, char *piece)
{
	size_t n = 0;
	ssize_t r;

	do {
		r = read(fd, piece + n, ADMIN_DATA_MAX - n);
		if (r > 0)
			n += (size_t)r;
	} while ((r > 0 && n < ADMIN_DATA_MAX) || (r < 0 && errno == EINTR));
	if (r < 0) {
		ctl_error("the message cannot be read: %s", strerror(errno));
		return -1;
	}
	return (ssize_t)n;
}

/* The line "From sender date" of an mbox file is not part of the message. */
static struct span
without_from_line(struct span piece)
{
	if (span_has_prefix(piece, "From "))
		(void)span_cut(&piece, '\n');
	return piece;
}

static int
send_file(struct delivery *d, char *piece)
{
	bool last = false;

	while (!last && !d->over) {
		ssize_t n = read_piece(d->fd, piece);
		struct span data;

		if (n < 0)
			return CTL_FAILED;
		last = n < (ssize_t)ADMIN_DATA_MAX;
		data = d->sent == 0 ? without_from_line(span(piece, (size_t)n)) :
		    span(piece, (size_t)n);
		d->sent += (uint64_t)n;
		ctl_send_data(d->client, CHANNEL, data, last, on_taken, NULL);
		/* the command itself stays under way */
		if (!ctl_wait(d->client, d->over ? 0 : 1, CTL_PATIENCE_S))
			return CTL_UNREACHABLE;
		ctl_progress_set(&d->progress, d->sent, d->size);
	}
	return ctl_wait(d->client, 0, CTL_PATIENCE_S) ? CTL_OK : CTL_UNREACHABLE;
}

static int
print_delivered(struct ctl *ctl, struct delivery *d)
{
	struct json_doc *doc = NULL;
	struct span address;
	struct buf out = { 0 };
	uint64_t bytes;
	int rc;

	if (d->st != ST_OK)
		return ctl_failed(ctl, d->st, buf_span(&d->answer));
	if (ctl->json)
		return ctl_print_json(buf_span(&d->answer));
	if (json_parse(buf_span(&d->answer), d->answer.len, &doc) != ST_OK ||
	    !json_get_string(json_root(doc), "address", &address) ||
	    !json_get_uint(json_root(doc), "bytes", &bytes)) {
		rc = ctl_error("the answer is not understood");
	} else {
		buf_addf(&out, "delivered to %.*s, %llu bytes\n", (int)address.len, address.p,
		    (unsigned long long)bytes);
		rc = ctl_print(&out);
	}
	json_free(&doc);
	buf_fini(&out);
	return rc;
}

static int
deliver_fd(struct ctl *ctl, const char *address, int fd)
{
	struct delivery d = { .fd = fd };
	char *piece = mem_alloc(ADMIN_DATA_MAX);
	struct buf args = { 0 };
	struct stat st;
	int rc = CTL_OK;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		d.size = (uint64_t)st.st_size;
	if ((d.client = ctl_connect(ctl, &rc)) != NULL) {
		ctl_args(&args, "address", address, NULL);
		ctl_progress_start(&d.progress, ctl, "sent");
		ctl_ask(d.client, CHANNEL, "deliver", buf_span(&args), on_over, &d);
		rc = send_file(&d, piece);
		ctl_progress_end(&d.progress);
		if (rc == CTL_OK)
			rc = print_delivered(ctl, &d);
	}
	ctl_disconnect(&d.client);
	buf_fini(&args);
	buf_fini(&d.answer);
	mem_free(&piece);
	return rc;
}

static int
deliver(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_option none[] = { { NULL, CTL_FLAG, NULL } };
	int fd = STDIN_FILENO, rc = ctl_options(none, &argc, argv, 2, 2);

	if (rc != CTL_OK)
		return rc;
	if (strcmp(argv[1], "-") != 0 && (fd = open(argv[1], O_RDONLY | O_CLOEXEC)) < 0)
		return ctl_error("%s: %s", argv[1], strerror(errno));
	rc = deliver_fd(ctl, argv[0], fd);
	if (fd != STDIN_FILENO)
		fd_close(&fd);
	return rc;
}

const struct ctl_command ctl_cmds_mailbox[] = {
	{ "deliver", "ACCOUNT FILE|-", "brings a message into an account, as LMTP would", deliver },
	{ "mailbox list", "ACCOUNT", "the mailboxes of an account", mailbox_list },
	{ .name = NULL }
};
