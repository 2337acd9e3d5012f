/* QUIT: the one place where something is deleted (RFC 1939 §6).  What was marked goes in
 * one operation of the store, all or nothing; more than STORE_REMOVE_MAX messages take
 * several, one after the other.  The lease is given back before the answer, so that a
 * client that comes again at once finds the maildrop free. */
#include "pop3d/session.h"

#include "common/util/mem.h"

static void remove_next(struct pop3_session *s);

static void
on_lease_back(void *arg, enum status st, bool more, const void *msg)
{
	struct pop3_session *s = arg;

	pop3_ok(s, "Goodbye");
	pop3_session_end(s);
}

static void
give_back(struct pop3_session *s)
{
	const struct store_lease rq = { .on = false };

	store_do_lease(s->store, &rq, on_lease_back, s);
}

static void
on_seen(void *arg, enum status st, bool more, const void *msg)
{
	struct pop3_session *s = arg;

	if (!more)
		remove_next(s);
}

/* A courtesy: that it failed stops nothing. */
static void
mark_seen(struct pop3_session *s)
{
	struct store_remove rq = { .how = REMOVE_FLAG, .system = FLAG_SEEN };
	struct buf what = { 0 };
	uint32_t from = 0, n;

	n = maildrop_marked(&s->drop, DROP_RETRIEVED, DROP_DELETED, STORE_REMOVE_MAX, &from, &what);
	rq.what = buf_span(&what);
	if (n > 0)
		store_do_remove(s->store, &rq, on_seen, s);
	else
		remove_next(s);
	buf_fini(&what);
}

static void
on_removed(void *arg, enum status st, bool more, const void *msg)
{
	struct pop3_session *s = arg;

	if (more)
		return;
	if (st == ST_OK) {
		remove_next(s);
		return;
	}
	LOG(&s->log, ERROR, "pop3.delete", KV_STATUS(st), KV_UINT("messages", s->drop.n_deleted));
	pop3_err(s, "[SYS/TEMP] Some deleted messages were not removed");
	pop3_session_end(s);
}

static void
remove_next(struct pop3_session *s)
{
	const struct conf_pop3 *conf = s->srv->conf;
	struct store_remove rq = { .how = REMOVE_EXPUNGE };
	struct buf what = { 0 }, keyword = { 0 };
	uint32_t n = maildrop_marked(&s->drop, DROP_DELETED, 0, STORE_REMOVE_MAX, &s->at, &what);

	if (conf->delete_action == CONF_POP3_TRASH) {
		rq.how = REMOVE_MOVE;
		rq.to = span_str(conf->trash);
	} else if (conf->delete_action == CONF_POP3_FLAG) {
		rq.how = REMOVE_FLAG;
		if (conf->delete_flag[0] == '\\')
			rq.system = FLAG_DELETED;
		else
			put_store_keyword(&keyword, span_str(conf->delete_flag));
		rq.keywords = buf_span(&keyword);
	}
	rq.what = buf_span(&what);
	if (n > 0)
		store_do_remove(s->store, &rq, on_removed, s);
	else
		give_back(s);
	buf_fini(&what);
	buf_fini(&keyword);
}

static void
cmd_quit(struct pop3_session *s, struct span rest)
{
	if (!pop3_end(rest)) {
		pop3_bad(s, "Malformed arguments");
		return;
	}
	if (s->state == POP3_IN_AUTH) {
		pop3_ok(s, "Goodbye");
		pop3_session_end(s);
		return;
	}
	s->state = POP3_IN_UPDATE;
	s->busy = true;
	s->at = 0;
	if (s->srv->conf->mark_seen && s->drop.n_retrieved > 0)
		mark_seen(s);
	else
		remove_next(s);
}

const struct pop3_command pop3_cmds_quit[] = {
	{ "QUIT",	POP3_IN_ANY,	cmd_quit },
	{ 0 }
};
