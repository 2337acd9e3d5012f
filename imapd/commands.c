/* The families of commands, and what is announced because of them. */
#include "imapd/session.h"

const struct imap_command *const imap_families[] = {
	imap_cmds_any, imap_cmds_auth, imap_cmds_mailbox, imap_cmds_select, imap_cmds_append,
	imap_cmds_fetch, imap_cmds_store, imap_cmds_copy, imap_cmds_search, imap_cmds_expunge,
	imap_cmds_idle, NULL
};

const struct imap_command *
imap_command_find(struct span name, bool uid)
{
	for (size_t f = 0; imap_families[f] != NULL; f++) {
		for (const struct imap_command *c = imap_families[f]; c->name != NULL; c++) {
			if (!span_caseeq_str(name, c->name))
				continue;
			if (uid ? (c->flags & (IMAP_CMD_UID | IMAP_CMD_UID_ONLY)) != 0 :
			    (c->flags & IMAP_CMD_UID_ONLY) == 0)
				return c;
		}
	}
	return NULL;
}

/* Extensions without a command of their own, and what must hold to announce them. */
static const struct {
	const char	*name;
	unsigned	states;
} extensions[] = {
	{ "SASL-IR", IMAP_IN_START },
	{ "NAMESPACE", 0 },
	{ "CHILDREN", IMAP_IN_LOGIN },
	{ "SPECIAL-USE", IMAP_IN_LOGIN },
	{ "UIDPLUS", IMAP_IN_LOGIN },
	{ "CONDSTORE", IMAP_IN_LOGIN },
	{ "QRESYNC", IMAP_IN_LOGIN },
	{ "UIDONLY", IMAP_IN_LOGIN },
	{ "ESEARCH", IMAP_IN_LOGIN },
	{ "BINARY", IMAP_IN_LOGIN },
	{ "CATENATE", IMAP_IN_LOGIN },
	{ "URL-PARTIAL", IMAP_IN_LOGIN },
};

static bool
has_word(const struct buf *b, size_t from, const char *word)
{
	struct span rest = span(b->data + from, b->len - from);

	while (rest.p != NULL) {
		if (span_eq_str(span_cut(&rest, ' '), word))
			return true;
	}
	return false;
}

static void
put_word(struct buf *out, size_t from, const char *word)
{
	if (has_word(out, from, word))
		return;
	buf_add_c(out, ' ');
	buf_add_str(out, word);
}

static void
put_login_words(const struct imap_session *s, struct buf *out)
{
	struct span names = buf_span(&s->srv->mechanisms[imap_mechanism_flags(s)]);

	if (s->starttls && conn_tls(s->conn) == NULL)
		buf_add_str(out, " STARTTLS");
	if (!imap_session_may_login(s))
		buf_add_str(out, " LOGINDISABLED");
	while (names.len > 0) {
		struct span name = span_cut(&names, ' ');

		buf_add_str(out, " AUTH=");
		buf_add_span(out, name);
	}
}

void
imap_capabilities(const struct imap_session *s, struct buf *out)
{
	size_t from = out->len;

	buf_add_str(out, "IMAP4rev1");
	if (s->srv->conf->literal_plus)
		buf_add_str(out, " LITERAL+");
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		if (extensions[i].states & s->state)
			put_word(out, from, extensions[i].name);
	}
	for (size_t f = 0; imap_families[f] != NULL; f++) {
		for (const struct imap_command *c = imap_families[f]; c->name != NULL; c++) {
			if (c->capability != NULL && (s->state != IMAP_IN_START ||
			    (c->states & IMAP_IN_START)))
				put_word(out, from, c->capability);
		}
	}
	if (s->state == IMAP_IN_START)
		put_login_words(s, out);
}
