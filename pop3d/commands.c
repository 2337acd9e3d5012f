/* The commands, and those that are there in every state: CAPA, LANG. */
#include "pop3d/session.h"

#include "common/util/mem.h"

static const struct pop3_command *const families[] = {
	pop3_cmds_retr, pop3_cmds_drop, pop3_cmds_quit, pop3_cmds_auth, pop3_cmds_any
};

const struct pop3_command *
pop3_command_find(struct span word)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		for (const struct pop3_command *c = families[i]; c->name != NULL; c++)
			if (span_caseeq_str(word, c->name))
				return c;
	return NULL;
}

static void
put(struct pop3_session *s, const char *line)
{
	buf_add_str(pop3_out(s), line);
	buf_add_str(pop3_out(s), "\r\n");
}

/* RFC 2449 §6: what is true in this state on this connection. */
static void
cmd_capa(struct pop3_session *s, struct span rest)
{
	const struct conf_pop3 *conf = s->srv->conf;
	struct span sasl = pop3_mechanisms(s);
	struct buf *out = pop3_out(s);

	if (!pop3_end(rest)) {
		pop3_bad(s, "Malformed arguments");
		return;
	}
	put(s, "+OK Capabilities follow");
	put(s, "TOP");
	put(s, "UIDL");
	put(s, "RESP-CODES");
	put(s, "AUTH-RESP-CODE");
	put(s, "PIPELINING");
	if (front_may_login(&s->base))
		put(s, "USER");
	if (sasl.len > 0) {
		buf_add_str(out, "SASL ");
		buf_add_span(out, sasl);
		buf_add_str(out, "\r\n");
	}
	if (s->state == POP3_IN_AUTH && front_may_starttls(&s->base) && !s->utf8)
		put(s, "STLS");
	if (conf->login_delay_s > 0)
		buf_addf(out, "LOGIN-DELAY %u\r\n", (unsigned)conf->login_delay_s);
	if (span_eq_str(span_str(conf->expire), "never"))
		put(s, "EXPIRE NEVER");
	else
		buf_addf(out, "EXPIRE %s\r\n", conf->expire);
	put(s, "UTF8");
	put(s, "LANG");
	if (s->state == POP3_IN_TRANS)
		put(s, "IMPLEMENTATION Mansio");
	put(s, ".");
	s->bad_commands = 0;
	pop3_done(s);
}

/* RFC 6856 §3: our texts are English. */
static void
cmd_lang(struct pop3_session *s, struct span rest)
{
	struct span tag = pop3_word(&rest);

	if (!pop3_end(rest)) {
		pop3_bad(s, "Malformed arguments");
	} else if (tag.len == 0) {
		put(s, "+OK Languages follow");
		put(s, "en English");
		put(s, "i-default Default");
		put(s, ".");
		pop3_done(s);
	} else if (span_eq_str(tag, "*") || span_caseeq_str(tag, "en") ||
	    span_has_caseprefix(tag, "en-")) {
		pop3_ok(s, "en Texts are English");
	} else if (span_caseeq_str(tag, "i-default")) {
		pop3_ok(s, "i-default Texts are English");
	} else {
		pop3_err(s, "No such language");
	}
}

const struct pop3_command pop3_cmds_any[] = {
	{ "CAPA",	POP3_IN_ANY,	cmd_capa },
	{ "LANG",	POP3_IN_ANY,	cmd_lang },
	{ 0 }
};
