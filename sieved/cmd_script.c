/* The commands about scripts (RFC 5804 §2.5-2.12).  The store keeps them, and judges limits and
 * what is there; whether a script is one is judged here, before the store hears of it. */
#include "sieved/session.h"

#include "sieve/conf.h"
#include "storage/api/store_sieve.h"

/* false: answered. */
static bool
take_name(struct sieved_session *s, struct span name)
{
	if (script_name_valid(name))
		return true;
	sieved_no(s, NULL, name.len == 0 ? "A script needs a name" :
	    "This is no name for a script: too long, no UTF-8, or with control characters");
	return false;
}

/* ---- the compiler ---- */

static void
put_problem(const struct sieve_problem *p, struct buf *out)
{
	if (out->len > 0)
		buf_add_str(out, "\r\n");
	buf_addf(out, "line %u, column %u: %s%s", (unsigned)p->line, (unsigned)p->column,
	    p->warning ? "warning: " : "", p->text);
}

/* false: it has errors.  words: what is to be said about it, line by line.  whatever: its size
 * is no matter. */
static bool
compiles(struct sieved_session *s, struct span text, bool whatever, struct buf *words)
{
	struct sieve_problems problems = { 0 };
	struct sieve_conf c;
	struct sieve_script *script;
	bool good;

	sieve_conf_init(&c, s->srv->conf, sieved_offers(s->srv->conf));
	if (whatever)
		c.limits.script_bytes = STORE_SCRIPT_MAX;
	script = sieve_compile(text, &c.options, &problems);
	good = script != NULL;
	for (size_t i = 0; i < problems.n; i++)
		put_problem(&problems.v[i], words);
	sieve_script_free(&script);
	sieve_problems_fini(&problems);
	sieve_conf_fini(&c);
	return good;
}

static void
answer_good(struct sieved_session *s, const struct buf *warnings, const char *text)
{
	if (warnings->len > 0)
		sieved_answer(s, true, SPAN_LIT("WARNINGS"), buf_span(warnings));
	else
		sieved_ok(s, NULL, text);
}

static void
cmd_checkscript(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	struct buf words = { 0 };

	if (compiles(s, args[0].text, true, &words))
		answer_good(s, &words, "The script is good");
	else
		sieved_answer(s, false, SPAN_NONE, buf_span(&words));
	buf_fini(&words);
}

/* ---- changes ---- */

static void
on_set(void *arg, enum status st, bool more, const void *msg)
{
	static const char *const words[] = {
		[SCRIPT_PUT] = "put", [SCRIPT_DELETE] = "delete", [SCRIPT_RENAME] = "rename",
		[SCRIPT_ACTIVATE] = "activate"
	};
	struct sieved_session *s = arg;

	LOG(&s->log, INFO, "sieve.change", KV_STR("change", words[s->change]),
	    KV_SPAN("script", s->changed), KV_STATUS(st));
	if (st == ST_OK)
		answer_good(s, &s->warnings, "Done");
	else if (st == ST_DENIED && s->change == SCRIPT_DELETE)
		sieved_no(s, "ACTIVE", "The active script cannot be deleted");
	else
		sieved_fail(s, st);
}

static void
set(struct sieved_session *s, const struct store_script_set *rq)
{
	s->busy = true;
	s->change = rq->how;
	s->changed = rq->name;
	store_do_script_set(s->store, rq, on_set, s);
}

static bool
is_too_large(struct sieved_session *s, uint64_t size)
{
	if (size <= s->srv->conf->sieve.max_script_bytes)
		return false;
	sieved_no(s, "QUOTA/MAXSIZE", "The script is too large");
	return true;
}

static void
cmd_putscript(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	struct span text = args[1].text;
	const struct store_script_set rq = { .how = SCRIPT_PUT, .name = args[0].text, .text = text };

	buf_clear(&s->warnings);
	if (!take_name(s, rq.name) || is_too_large(s, text.len))
		return;
	if (text.len == 0) {
		sieved_no(s, NULL, "The script is empty");
	} else if (!compiles(s, text, false, &s->warnings)) {
		sieved_answer(s, false, SPAN_NONE, buf_span(&s->warnings));
	} else {
		s->n_put++;
		set(s, &rq);
	}
}

static void
cmd_deletescript(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	const struct store_script_set rq = { .how = SCRIPT_DELETE, .name = args[0].text };

	buf_clear(&s->warnings);
	if (take_name(s, rq.name))
		set(s, &rq);
}

static void
cmd_renamescript(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	const struct store_script_set rq = { .how = SCRIPT_RENAME, .name = args[0].text,
		.to = args[1].text };

	buf_clear(&s->warnings);
	if (take_name(s, rq.name) && take_name(s, rq.to))
		set(s, &rq);
}

/* "": none is active from now on, whether one was or not. */
static void
cmd_setactive(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	const struct store_script_set rq = { .how = SCRIPT_ACTIVATE, .name = args[0].text };

	buf_clear(&s->warnings);
	if (rq.name.len == 0 || take_name(s, rq.name))
		set(s, &rq);
}

/* ---- questions ---- */

static void
on_room(void *arg, enum status st, bool more, const void *msg)
{
	struct sieved_session *s = arg;

	if (st == ST_OK)
		sieved_ok(s, NULL, "There is room for it");
	else
		sieved_fail(s, st);
}

static void
cmd_havespace(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	const struct store_script_room rq = { .name = args[0].text, .size = args[1].number };

	if (!take_name(s, rq.name) || is_too_large(s, rq.size))
		return;
	s->busy = true;
	store_do_script_room(s->store, &rq, on_room, s);
}

static void
on_scripts(void *arg, enum status st, bool more, const void *msg)
{
	struct sieved_session *s = arg;
	const struct store_scripts_are *are = msg;
	struct buf *out = sieved_out(s);
	struct store_script script;
	struct reader r;

	if (are != NULL) {
		reader_init(&r, are->scripts.p, are->scripts.len);
		while (get_store_script(&r, &script)) {
			managesieve_put_string(out, script.name);
			buf_add_str(out, script.active ? " ACTIVE\r\n" : "\r\n");
		}
	}
	if (more)
		return;
	if (st == ST_OK)
		sieved_ok(s, NULL, "These are the scripts");
	else
		sieved_fail(s, st);
}

static void
cmd_listscripts(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	s->busy = true;
	store_do_scripts(s->store, on_scripts, s);
}

static void
on_script(void *arg, enum status st, bool more, const void *msg)
{
	struct sieved_session *s = arg;
	const struct store_script_is *is = msg;

	if (st != ST_OK) {
		sieved_fail(s, st);
		return;
	}
	s->n_got++;
	managesieve_put_literal(sieved_out(s), is->text);
	buf_add_str(sieved_out(s), "\r\n");
	sieved_ok(s, NULL, "This is the script");
}

static void
cmd_getscript(struct sieved_session *s, const struct managesieve_arg *args, size_t n)
{
	const struct store_script_get rq = { .name = args[0].text };

	if (!take_name(s, rq.name))
		return;
	s->busy = true;
	store_do_script(s->store, &rq, on_script, s);
}

const struct sieved_command sieved_cmds_script[] = {
	{ "LISTSCRIPTS",	SIEVED_IN_AUTH,	"",	cmd_listscripts },
	{ "GETSCRIPT",		SIEVED_IN_AUTH,	"s",	cmd_getscript },
	{ "HAVESPACE",		SIEVED_IN_AUTH,	"sn",	cmd_havespace },
	{ "CHECKSCRIPT",	SIEVED_IN_AUTH,	"s",	cmd_checkscript },
	{ "PUTSCRIPT",		SIEVED_IN_AUTH,	"ss",	cmd_putscript },
	{ "SETACTIVE",		SIEVED_IN_AUTH,	"s",	cmd_setactive },
	{ "DELETESCRIPT",	SIEVED_IN_AUTH,	"s",	cmd_deletescript },
	{ "RENAMESCRIPT",	SIEVED_IN_AUTH,	"ss",	cmd_renamescript },
	{ 0 }
};
