#include "imapd/events.h"

#include "common/util/mem.h"

/* Of a session's stages those that no APPEND comes to. */
#define FIRST_STAGE	0x80000000u
#define SIEVE_PORT	4190u

struct imap_events {
	struct events		*events;
	bool			running;
	void			(*done)(struct imap_cmd *cmd);
};

/* The worker ------------------------------------------------------------------- */

/* Rules may come before the configuration. */
static struct filter *
filter_of(struct imap_server *srv)
{
	if (srv->filter == NULL)
		srv->filter = filter_new();
	return srv->filter;
}

/* Where scripts are managed (RFC 5804 3): at the usual port, if one of the listeners has it. */
static void
put_sieve_url(const struct mansio_conf *conf, struct buf *out)
{
	uint16_t port = 0;

	buf_clear(out);
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		for (size_t k = 0; k < l->bind.n && l->protocol == CONF_MANAGESIEVE; k++)
			if (port == 0 || l->bind.v[k].port == SIEVE_PORT)
				port = l->bind.v[k].port;
	}
	if (port == 0 || !conf->sieve.enabled || !conf->sieve.imap_events)
		return;
	buf_addf(out, "sieve://%s", conf->global.hostname);
	if (port != SIEVE_PORT)
		buf_addf(out, ":%u", port);
}

void
imap_events_configured(struct imap_server *srv, const struct mansio_conf *conf)
{
	filter_configure(filter_of(srv), conf);
	put_sieve_url(conf, &srv->sieve_url);
	srv->event_script = conf->sieve.enabled && conf->sieve.imap_events ?
	    conf->sieve.event_script : "";
}

void
imap_events_rules(struct front *f, char *blob, size_t len)
{
	filter_take_rules(filter_of(list_entry(f, struct imap_server, front)), blob, len);
}

void
imap_events_fini(struct imap_server *srv)
{
	filter_free(&srv->filter);
	buf_fini(&srv->sieve_url);
}

/* A command -------------------------------------------------------------------- */

static bool
wanted(const struct imap_session *s, const struct store *store)
{
	return s->srv->filter != NULL && store == s->home && events_wanted(s->srv->filter, store) &&
	    !imap_cap_disabled(s->srv->conf, SPAN_LIT("IMAPSIEVE"));
}

static void
on_done(void *arg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	void (*done)(struct imap_cmd *) = cmd->events->done;

	imap_events_free(cmd);
	if (s->view != NULL && s->store == s->home)
		s->view->dirty = true;	/* what the scripts did is told */
	done(cmd);
}

void
imap_event(struct imap_cmd *cmd, const struct store *store, enum event_cause cause,
    uint64_t mailbox, uint64_t modseq, const struct uidset *uids)
{
	struct imap_session *s = cmd->session;
	const struct events_of of = { .filter = s->srv->filter, .loop = s->srv->loop, .log = &s->log,
		.store = s->home, .account = s->account, .user = s->user, .first_stage = FIRST_STAGE };

	if (uidset_empty(uids) || !wanted(s, store))
		return;
	if (cmd->events == NULL) {
		cmd->events = mem_zalloc(sizeof(*cmd->events));
		cmd->events->events = events_new(&of, on_done, cmd);
	}
	events_add(cmd->events->events, cause, mailbox, modseq, uids);
}

void
imap_event_rows(struct imap_cmd *cmd, const struct store *store, uint64_t mailbox,
    const struct store_flags_are *are)
{
	struct uidset uids = { 0 };
	struct store_row row;
	struct reader r;

	if (are->rows.len == 0 || !wanted(cmd->session, store))
		return;
	reader_init(&r, are->rows.p, are->rows.len);
	while (get_store_row(&r, &row, ROW_FLAGS))
		if (row.modseq == are->modseq)
			uidset_add(&uids, row.uid);
	imap_event(cmd, store, EVENT_FLAG, mailbox, are->modseq, &uids);
	uidset_fini(&uids);
}

bool
imap_events_run(struct imap_cmd *cmd, void (*done)(struct imap_cmd *cmd))
{
	if (cmd->events == NULL || cmd->events->running)
		return false;
	cmd->events->running = true;
	cmd->events->done = done;
	events_start(cmd->events->events);
	return true;
}

void
imap_events_free(struct imap_cmd *cmd)
{
	if (cmd->events == NULL)
		return;
	events_free(&cmd->events->events);
	mem_free(&cmd->events);
}
