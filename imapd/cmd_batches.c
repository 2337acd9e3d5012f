/* UIDBATCHES (RFC 10022): the selected mailbox cut into ranges of uids with as many
 * messages each, the newest first. */
#include "imapd/session.h"

#include "common/proto/imap_print.h"

#define BATCH_MIN	500u
#define SPAN_MAX	100000u		/* messages that named batches may come to */
#define BATCHES_MAX	20000u		/* of one answer */

struct batches {
	uint32_t	size, from, to;
};

/* The same question again before half a batch came or went (§3.1.1). */
static bool
asked_before(struct imap_view *v, const struct batches *b)
{
	struct view_batches *last = &v->batches;
	uint32_t came = v->uidnext - last->uidnext, went;
	bool again;

	went = last->count + came > v->count ? last->count + came - v->count : 0;
	again = last->size == b->size && last->from == b->from && last->to == b->to &&
	    came <= b->size / 2 && went <= b->size / 2;
	if (!again)
		*last = (struct view_batches){ b->size, b->from, b->to, v->count, v->uidnext };
	return again;
}

static void
put_batches(struct imap_cmd *cmd, const struct batches *b)
{
	const struct imap_view *v = cmd->session->view;
	struct buf *out = imap_out(cmd->session);
	uint64_t above = (uint64_t)(b->from - 1) * b->size;	/* messages in the batches before */
	char sep = ' ';

	buf_add_str(out, "* UIDBATCHES (TAG ");
	imap_put_string(out, cmd->tag);
	buf_add_c(out, ')');
	for (uint32_t i = b->from; i <= b->to && above < v->count; i++, above += b->size) {
		uint32_t top = v->count - (uint32_t)above;	/* number of its newest message */
		uint32_t low = top > b->size ? imap_view_uid(v, top - b->size + 1) : 1;
		uint32_t high = top == v->count ? imap_view_last_uid(v) : imap_view_uid(v, top + 1) - 1;

		buf_addf(out, "%c%u:%u", sep, high, low);
		sep = ',';
	}
	buf_add_str(out, "\r\n");
}

/* message-batches = "UIDBATCHES" SP nz-number [SP nz-number ":" nz-number] */
static void
cmd_uidbatches(struct imap_cmd *cmd)
{
	struct imap_args *a = &cmd->args;
	struct imap_view *v = cmd->session->view;
	struct batches b = { .from = 1, .to = UINT32_MAX };
	bool range;

	imap_args_sp(a);
	b.size = imap_args_nz_number(a);
	range = imap_args_try(a, ' ');
	if (range) {
		b.from = imap_args_nz_number(a);
		imap_args_expect(a, ':');
		b.to = imap_args_nz_number(a);
		if (imap_args_good(a) && b.to < b.from)
			imap_args_fail(a, "[CLIENTBUG] The batches are named from the lowest on");
	}
	if (!imap_args_end(a)) {
		imap_cmd_syntax(cmd);
	} else if (b.size < BATCH_MIN) {
		imap_cmd_end(cmd, "NO [TOOFEW] A batch has at least 500 messages");
	} else if ((range && (uint64_t)(b.to - b.from + 1) * b.size > SPAN_MAX) ||
	    (!range && v->count / b.size >= BATCHES_MAX)) {
		imap_cmd_end(cmd, "NO [TOOMANY] Too many messages in these batches");
	} else if (asked_before(v, &b)) {
		imap_cmd_end(cmd, "NO [LIMIT] Nothing has changed enough since the same question");
	} else {
		put_batches(cmd, &b);
		imap_cmd_done(cmd, ST_OK);
	}
}

const struct imap_command imap_cmds_batches[] = {
	/* name			allowed in		flags	capability	run */
	{ "UIDBATCHES",		IMAP_IN_SELECTED,	0,	CAP_UIDBATCHES,	cmd_uidbatches },
	{ 0 }
};
