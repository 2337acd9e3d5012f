/* The commands, and those that are there in every state: CAPABILITY, NOOP, LOGOUT. */
#include "sieved/session.h"

#include "common/util/mem.h"

static const struct sieved_command *const families[] = {
	sieved_cmds_script, sieved_cmds_any, sieved_cmds_auth
};

const struct sieved_command *
sieved_command_find(struct span word)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		for (const struct sieved_command *c = families[i]; c->name != NULL; c++)
			if (span_caseeq_str(word, c->name))
				return c;
	return NULL;
}

/* ---- capabilities ---- */

static void
put(struct sieved_session *s, const char *name, struct span value)
{
	struct buf *out = sieved_out(s);

	buf_addf(out, "\"%s\" ", name);
	managesieve_put_string(out, value);
	buf_add_str(out, "\r\n");
}

static void
put_flag(struct sieved_session *s, const char *name)
{
	buf_addf(sieved_out(s), "\"%s\"\r\n", name);
}

/* RFC 5804 §1.7.  Which version this is nobody learns before a login, and nobody needs to. */
void
sieved_put_capabilities(struct sieved_session *s)
{
	const struct sieved_server *srv = s->srv;

	put(s, "IMPLEMENTATION", SPAN_LIT("Mansio"));
	put(s, "VERSION", SPAN_LIT("1.0"));
	put(s, "SASL", login_mechanisms_for(&srv->mechanisms, s->conn, s->clear_ok));
	if (s->state == SIEVED_IN_START && front_may_starttls(&s->base))
		put_flag(s, "STARTTLS");
	put(s, "SIEVE", buf_span(&srv->language.sieve));
	put(s, "MAXREDIRECTS", buf_span(&srv->language.redirects));
	if (srv->language.notify.len > 0)
		put(s, "NOTIFY", buf_span(&srv->language.notify));
	if (srv->language.lists.len > 0)
		put(s, "EXTLISTS", buf_span(&srv->language.lists));
	put(s, "LANGUAGE", SPAN_LIT("en"));
	put_flag(s, "UNAUTHENTICATE");
	if (s->state == SIEVED_IN_AUTH)
		put(s, "OWNER", span_str(s->user));
	sieved_ok(s, NULL, s->state == SIEVED_IN_START ? "Mansio ready" : "These are the capabilities");
}

static void
cmd_capability(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	sieved_put_capabilities(s);
}

/* ---- the rest ---- */

/* The tag may hold any bytes (RFC 5804 §2.13). */
static void
cmd_noop(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	struct buf code = { 0 };

	if (n == 0) {
		sieved_ok(s, NULL, "NOOP completed");
		return;
	}
	buf_add_str(&code, "TAG ");
	managesieve_put_string(&code, args[0].text);
	sieved_answer(s, true, buf_span(&code), SPAN_LIT("Done"));
	buf_fini(&code);
}

static void
cmd_logout(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	sieved_ok(s, NULL, "Goodbye");
	sieved_session_end(s);
}

const struct sieved_command sieved_cmds_any[] = {
	{ "CAPABILITY",	SIEVED_IN_ANY,	"",	cmd_capability },
	{ "NOOP",	SIEVED_IN_ANY,	"?s",	cmd_noop },
	{ "LOGOUT",	SIEVED_IN_ANY,	"",	cmd_logout },
	{ 0 }
};
