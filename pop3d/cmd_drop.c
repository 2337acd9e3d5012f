/* What a session says about its maildrop: STAT, LIST, UIDL, DELE, RSET, NOOP.  Listings
 * are written as fast as the client reads them. */
#include "pop3d/session.h"

static void
wrong_arguments(struct pop3_session *s)
{
	pop3_bad(s, "Malformed arguments");
}

bool
pop3_message(struct pop3_session *s, struct span *rest, uint32_t *index)
{
	uint32_t n;

	if (!pop3_number(rest, &n)) {
		pop3_bad(s, "A message number is needed");
		return false;
	}
	if (n == 0 || n > s->drop.n) {
		pop3_err(s, "No such message");
		return false;
	}
	if (maildrop_is_deleted(&s->drop, n - 1)) {
		pop3_err(s, "The message is deleted");
		return false;
	}
	*index = n - 1;
	return true;
}

static void
cmd_stat(struct pop3_session *s, struct span rest)
{
	if (!pop3_end(rest))
		wrong_arguments(s);
	else
		pop3_ok(s, "%u %llu", (unsigned)(s->drop.n - s->drop.n_deleted),
		    (unsigned long long)(s->drop.bytes - s->drop.deleted_bytes));
}

static void
put_pair(struct buf *out, uint32_t index, uint64_t v)
{
	buf_add_u64(out, (uint64_t)index + 1);
	buf_add_c(out, ' ');
	buf_add_u64(out, v);
	buf_add_str(out, "\r\n");
}

static void
end_listing(struct pop3_session *s)
{
	buf_add_str(pop3_out(s), ".\r\n");
	s->bad_commands = 0;
	pop3_done(s);
}

/* false: the client has to read first. */
static bool
may_write(struct pop3_session *s, void (*go_on)(struct pop3_session *))
{
	if (!conn_full(s->conn))
		return true;
	s->busy = true;
	s->drained = go_on;
	return false;
}

static void
list_on(struct pop3_session *s)
{
	while (s->at < s->drop.n) {
		if (!may_write(s, list_on))
			return;
		for (uint32_t end = s->drop.n - s->at > 256 ? s->at + 256 : s->drop.n; s->at < end;
		    s->at++)
			if (!maildrop_is_deleted(&s->drop, s->at))
				put_pair(pop3_out(s), s->at, s->drop.size[s->at]);
	}
	end_listing(s);
}

static void
cmd_list(struct pop3_session *s, struct span rest)
{
	uint32_t i;

	if (pop3_end(rest)) {
		buf_addf(pop3_out(s), "+OK %u messages (%llu octets)\r\n",
		    (unsigned)(s->drop.n - s->drop.n_deleted),
		    (unsigned long long)(s->drop.bytes - s->drop.deleted_bytes));
		s->at = 0;
		list_on(s);
	} else if (pop3_message(s, &rest, &i)) {
		if (!pop3_end(rest))
			wrong_arguments(s);
		else
			pop3_ok(s, "%u %u", (unsigned)i + 1, (unsigned)s->drop.size[i]);
	}
}

/* ---- UIDL ---- */

static void uidl_on(struct pop3_session *s);

static void
uidl_one(struct pop3_session *s)
{
	struct buf id = { 0 };

	if (uidls_put(&s->uidls, s->at, false, &id))
		pop3_ok(s, "%u %s", (unsigned)s->at + 1, buf_cstr(&id));
	buf_fini(&id);
}

static void
on_uidls_all(void *arg, enum status st)
{
	struct pop3_session *s = arg;

	if (st == ST_OK) {
		uidl_on(s);
	} else if (!s->tried) {
		s->tried = true;
		uidl_on(s);
	} else if (s->stream.begun) {
		pop3_session_end(s);	/* inside of the answer nothing else can be said */
	} else {
		pop3_fail(s, st);
	}
}

static void
on_uidls_one(void *arg, enum status st)
{
	struct pop3_session *s = arg;

	if (st == ST_OK || !s->tried) {
		s->tried = st != ST_OK;
		uidl_one(s);
	} else {
		pop3_fail(s, st);
	}
}

static void
uidl_on(struct pop3_session *s)
{
	struct buf *out = pop3_out(s), id = { 0 };

	for (; s->at < s->drop.n; s->at++) {
		if (maildrop_is_deleted(&s->drop, s->at))
			continue;
		if (!may_write(s, uidl_on))
			break;
		buf_clear(&id);
		if (!uidls_put(&s->uidls, s->at, true, &id)) {
			s->busy = true;
			break;
		}
		s->tried = false;
		if (!s->stream.begun)
			buf_add_str(out, "+OK Unique-ids follow\r\n");
		s->stream.begun = true;
		buf_add_u64(out, (uint64_t)s->at + 1);
		buf_add_c(out, ' ');
		buf_add_span(out, buf_span(&id));
		buf_add_str(out, "\r\n");
	}
	buf_fini(&id);
	if (s->at < s->drop.n)
		return;
	if (!s->stream.begun)
		buf_add_str(out, "+OK Unique-ids follow\r\n");
	s->stream.begun = false;
	end_listing(s);
}

static void
cmd_uidl(struct pop3_session *s, struct span rest)
{
	s->tried = s->stream.begun = false;
	s->uidls.arg = s;
	if (pop3_end(rest)) {
		s->at = 0;
		s->uidls.came = on_uidls_all;
		uidl_on(s);
	} else if (pop3_message(s, &rest, &s->at)) {
		if (!pop3_end(rest)) {
			wrong_arguments(s);
			return;
		}
		s->uidls.came = on_uidls_one;
		s->busy = true;
		uidl_one(s);
	}
}

/* ---- marks ---- */

static void
cmd_dele(struct pop3_session *s, struct span rest)
{
	uint32_t i;

	if (!pop3_message(s, &rest, &i))
		return;
	if (!pop3_end(rest)) {
		wrong_arguments(s);
		return;
	}
	maildrop_delete(&s->drop, i);
	pop3_ok(s, "Message %u will be deleted", (unsigned)i + 1);
}

static void
cmd_rset(struct pop3_session *s, struct span rest)
{
	if (!pop3_end(rest)) {
		wrong_arguments(s);
		return;
	}
	maildrop_undelete_all(&s->drop);
	pop3_ok(s, "Nothing will be deleted");
}

static void
cmd_noop(struct pop3_session *s, struct span rest)
{
	if (!pop3_end(rest))
		wrong_arguments(s);
	else
		pop3_ok(s, "Nothing done");
}

const struct pop3_command pop3_cmds_drop[] = {
	{ "DELE",	POP3_IN_TRANS,	cmd_dele },
	{ "STAT",	POP3_IN_TRANS,	cmd_stat },
	{ "LIST",	POP3_IN_TRANS,	cmd_list },
	{ "UIDL",	POP3_IN_TRANS,	cmd_uidl },
	{ "RSET",	POP3_IN_TRANS,	cmd_rset },
	{ "NOOP",	POP3_IN_TRANS,	cmd_noop },
	{ 0 }
};
