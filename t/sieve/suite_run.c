/* What a test does with scripts: compiles them, runs them, does what they want done. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/mail/mailbox_name.h"
#include "common/util/mem.h"
#include "sieve/extensions.h"
#include "sieve/mailto.h"
#include "sieve/syntax.h"
#include "t/sieve/suite.h"

bool
suite_read(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, buf_reserve(out, 65536), 65536)) > 0)
		buf_added(out, (size_t)n);
	if (fd >= 0)
		close(fd);
	return fd >= 0 && n == 0;
}

const char *
suite_path(struct span name)
{
	struct buf b = { 0 };
	const char *path;

	if (name.len == 0 || name.p[0] != '/')
		buf_addf(&b, "%s/", suite.dir);
	buf_add_span(&b, name);
	path = arena_strndup(&suite.arena, b.data, b.len);
	buf_fini(&b);
	return path;
}

void
suite_error(const char *text)
{
	const char **v = arena_array(&suite.arena, suite.n_errors + 1, sizeof(*v));

	for (size_t i = 0; i < suite.n_errors; i++)
		v[i] = suite.errors[i];
	v[suite.n_errors++] = arena_strndup(&suite.arena, text, strlen(text));
	suite.errors = v;
}

/* The name that errors give a script. */
static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	size_t n = strlen(name);

	if (n > 6 && strcmp(name + n - 6, ".sieve") == 0)
		n -= 6;
	return arena_strndup(&suite.arena, name, n);
}

static void
note_problems(const struct sieve_problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->v[i].warning)
			suite_error(p->v[i].text);
}

struct sieve_script *
suite_compile(const char *path)
{
	struct compiled *c = arena_zalloc(&suite.arena, sizeof(*c));
	struct sieve_problems problems = { 0 };
	struct sieve_options options = suite.options;
	struct buf text = { 0 };

	c->path = path;
	c->next = suite.compiled;
	suite.compiled = c;
	options.name = base_name(path);
	suite.errors = NULL;
	suite.n_errors = 0;
	if (suite_read(path, &text)) {
		c->script = sieve_compile(buf_span(&text), &options, &problems);
		note_problems(&problems);
		if (c->script == NULL)
			suite_error("the script has errors");
	} else {
		suite_error("the script cannot be read");
	}
	c->error = suite.n_errors > 0 ? suite.errors[0] : NULL;
	for (size_t i = 0; i < problems.n && suite.verbose; i++)
		printf("    %s: line %u, column %u: %s: %s\n", options.name, problems.v[i].line,
		    problems.v[i].column, problems.v[i].warning ? "warning" : "error",
		    problems.v[i].text);
	sieve_problems_fini(&problems);
	buf_fini(&text);
	return c->script;
}

/* Files of the folders "included" and "included-global" beside the test. */
static const char *
suite_include_path(const struct sieve_included *inc)
{
	struct buf b = { 0 };
	const char *path;

	buf_add_str(&b, inc->global ? "included-global/" : "included/");
	buf_add_span(&b, inc->name);
	buf_add_str(&b, ".sieve");
	path = suite_path(buf_span(&b));
	buf_fini(&b);
	return path;
}

/* Its errors go behind those that there are. */
static const struct compiled *
cached(const char *path)
{
	const char **errors = suite.errors;
	size_t n_errors = suite.n_errors;
	const struct compiled *c = suite.compiled;

	while (c != NULL && strcmp(c->path, path) != 0)
		c = c->next;
	if (c == NULL) {
		suite_compile(path);
		c = suite.compiled;
	}
	suite.errors = errors;
	suite.n_errors = n_errors;
	if (c->error != NULL)
		suite_error(c->error);
	return c;
}

/* --- what a script includes is compiled with it ------------------------------------------------ */

#define STACK_MAX 64u

static void
include_error(const char *what, struct span name)
{
	struct buf b = { 0 };

	buf_addf(&b, "%s '%.*s'", what, (int)name.len, name.p);
	suite_error(buf_cstr(&b));
	buf_fini(&b);
}

static bool
too_many(const char *what, struct span name)
{
	include_error(what, name);
	return false;
}

static bool
walk(const struct compiled *c, const char **stack, unsigned depth, unsigned *count)
{
	size_t n;
	const struct sieve_included *inc = sieve_script_includes(c->script, &n);
	bool good = true, missing = false;

	for (size_t i = 0; i < n && good; i++) {
		const char *path = suite_include_path(&inc[i]);
		const struct compiled *k;

		if (access(path, R_OK) != 0) {
			if (!inc[i].optional)
				include_error("there is no script", inc[i].name);
			missing = missing || !inc[i].optional;
			continue;
		}
		for (unsigned d = 0; d < depth && good; d++)
			good = strcmp(stack[d], path) != 0;
		if (!good)
			include_error("circular include of", inc[i].name);
		else if (depth >= suite.limits.nested_includes + 1 || depth == STACK_MAX)
			good = too_many("includes are nested too deeply at", inc[i].name);
		else if (++*count > suite.limits.includes)
			good = too_many("too many scripts are included at", inc[i].name);
		if (!good)
			continue;
		k = cached(path);
		stack[depth] = path;
		good = k->script != NULL && walk(k, stack, depth + 1, count);
		if (!good)
			include_error("failed to include script", inc[i].name);
	}
	return good && !missing;
}

/* Of a script with errors: those that it names and that are not there. */
static void
missing(const struct sieve_ast *ast)
{
	for (; ast != NULL; ast = ast->next) {
		struct sieve_included inc = { 0 };

		missing(ast->block);
		for (const struct sieve_ast_arg *a = ast->args; a != NULL; a = a->next) {
			if (a->kind == SIEVE_A_TAG)
				inc.global = inc.global || span_caseeq_str(a->text, "global");
			if (a->kind == SIEVE_A_STRINGS && a->n == 1)
				inc.name = a->strings[0].text;
		}
		/* What has variables in it was told, or is not known. */
		if (span_caseeq_str(ast->name, "include") && sieve_script_name_ok(inc.name) &&
		    span_find(inc.name, '$') == inc.name.len &&
		    span_find(inc.name, '/') == inc.name.len &&
		    access(suite_include_path(&inc), R_OK) != 0)
			include_error("there is no script", inc.name);
	}
}

static void
tell_missing(const char *path)
{
	struct sieve_problems problems = { 0 };
	struct arena a = { 0 };
	struct buf text = { 0 };

	if (suite_read(path, &text))
		missing(sieve_parse(buf_span(&text), &a, &a, &problems, &suite.limits));
	sieve_problems_fini(&problems);
	arena_fini(&a);
	buf_fini(&text);
}

struct sieve_script *
suite_compile_all(const char *path)
{
	struct sieve_script *s = suite_compile(path);
	struct compiled *c = suite.compiled;
	const char *stack[STACK_MAX] = { path };
	unsigned count = 0;

	if (s == NULL)
		tell_missing(path);
	if (s == NULL || walk(c, stack, 1, &count))
		return s;
	suite_error("the script has errors");
	return NULL;
}

/* --- what scripts ask ------------------------------------------------------------------------- */

static void
ask_script(const struct sieve_question *q, struct sieve_reply *reply)
{
	struct sieve_included inc = { .global = q->ask == SIEVE_ASK_GLOBAL_SCRIPT, .name = q->name };
	const char *path = suite_include_path(&inc), **errors = suite.errors;
	size_t n_errors = suite.n_errors;
	const struct compiled *c;

	if (access(path, R_OK) != 0)
		return;
	c = cached(path);
	suite.errors = errors;
	suite.n_errors = n_errors;
	reply->yes = true;
	reply->script = c->script;
	reply->text = span_str(c->error);
}

enum sieve_answer
suite_ask(void *arg, const struct sieve_question *q, struct sieve_reply *reply)
{
	(void)arg;
	if (!world_ask(&suite.world, q, reply))
		ask_script(q, reply);
	return SIEVE_KNOWN;
}

/* --- messages --------------------------------------------------------------------------------- */

struct sieve_message *
suite_message(struct span text)
{
	struct buf b = { 0 };
	struct kept_view *v = arena_zalloc(&suite.arena, sizeof(*v));

	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
			buf_add_c(&b, '\r');
		buf_add_c(&b, text.p[i]);
	}
	v->message = sieve_message_memory(arena_span(&suite.arena, buf_span(&b)));
	v->next = suite.views;
	suite.views = v;
	buf_fini(&b);
	return v->message;
}

static struct span
first_address(struct sieve_message *m, const char *const *fields, const char *otherwise)
{
	struct sieve_header *h = sieve_message_header(m);

	for (size_t i = 0; fields[i] != NULL; i++) {
		struct span name = span_str(fields[i]);
		struct sieve_field *f = sieve_header_find(h, name, sieve_name_hash(name));
		const struct mime_addr *v;
		struct buf b = { 0 };
		struct span s;

		if (f == NULL || sieve_field_addrs(h, f, &v) == 0 ||
		    v->kind != MIME_ADDR_MAILBOX || v->local.len == 0)
			continue;
		buf_add_span(&b, v->local);
		if (v->domain.len > 0) {
			buf_add_c(&b, '@');
			buf_add_span(&b, v->domain);
		}
		s = arena_span(&suite.arena, buf_span(&b));
		buf_fini(&b);
		return s;
	}
	return span_str(otherwise);
}

/* As if it had come by SMTP from whom the header names to whom it names. */
void
suite_envelope_of(struct sieve_message *m)
{
	static const char *const to[] = { "envelope-to", "to", NULL };
	static const char *const from[] = { "return-path", "sender", "from", NULL };
	struct sieve_envelope *e = &suite.env.envelope;

	*e = (struct sieve_envelope){ 0 };
	e->from = first_address(m, from, "sender@example.com");
	e->to = e->orig_to = first_address(m, to, "recipient@example.com");
	suite.outer.envelope = *e;
}

static struct span
bytes_of(struct sieve_message *m)
{
	size_t n = (size_t)sieve_message_size(m);
	char *p = arena_alloc(&suite.arena, n + 1);

	return sieve_message_read(m, 0, p, n) ? span(p, n) : span("", 0);
}

/* --- running ---------------------------------------------------------------------------------- */

static bool
is_inbox(const struct sieve_action *a)
{
	return a->kind == SIEVE_STORE && a->store.fcc_of == NULL && a->store.mailbox_id.p == NULL &&
	    a->store.special_use.p == NULL && span_caseeq_str(a->store.mailbox, "INBOX");
}

/* Of scripts that run one after another: what was there goes before what comes. */
static void
append(const struct sieve_action *a)
{
	for (size_t i = 0; i < suite.n_actions; i++) {
		const struct sieve_action *b = suite.actions[i];

		if (is_inbox(a) && is_inbox(b)) {
			if (a->store.keep && !a->store.implicit)
				suite.actions[i] = a;
			return;
		}
		if (a->kind == SIEVE_REJECT && b->kind == SIEVE_REJECT)
			return;
	}
	if (suite.n_actions < SUITE_ACTIONS)
		suite.actions[suite.n_actions++] = a;
}

static void
note_marks(const struct sieve_result *result)
{
	for (size_t i = 0; i < result->n_conditions && suite.world.keep_marks; i++)
		if (result->conditions[i].remember_s > 0)
			world_mark(&suite.world, result->conditions[i].key);
}

static bool
run(struct sieve_run *r, const struct sieve_script *const *scripts, size_t n)
{
	struct kept_result *k = arena_zalloc(&suite.arena, sizeof(*k));
	enum sieve_outcome outcome;
	bool failed = suite.failed;

	k->next = suite.results;
	suite.results = k;
	suite.errors = NULL;
	suite.n_errors = 0;
	suite.nested++;
	suite.ran = true;
	suite.failed = false;
	outcome = sieve_run(scripts, n, sieve_message(r), &suite.env, &k->result);
	suite.nested--;
	if (suite.failed)
		outcome = SIEVE_FAILED;
	suite.failed = failed;
	if (k->result.error != NULL) {
		suite_error(k->result.error);
		if (suite.verbose)
			printf("    %s: line %u: %s\n", k->result.error_script,
			    k->result.error_line, k->result.error);
	}
	for (size_t i = 0; i < k->result.n_warnings; i++) {
		suite_error(k->result.warnings[i].text);
		if (suite.verbose)
			printf("    %s: line %u: warning: %s\n", k->result.warnings[i].script,
			    k->result.warnings[i].line, k->result.warnings[i].text);
	}
	for (size_t i = 0; i < k->result.n_actions; i++)
		append(k->result.actions[i]);
	if (outcome == SIEVE_DONE)
		note_marks(&k->result);
	return outcome == SIEVE_DONE;
}

bool
suite_run_script(struct sieve_run *r, bool append_result)
{
	if (suite.script == NULL) {
		suite_error("no script is compiled");
		return false;
	}
	if (!append_result) {
		sieve_actions_reset(r);
		suite.n_actions = suite.done = suite.inline_done = 0;
	}
	return run(r, (const struct sieve_script *const *)&suite.script, 1);
}

bool
suite_run_many(struct sieve_run *r, const struct sieve_strings *names)
{
	const struct span *v = sieve_strings(r, names);
	const struct sieve_script *scripts[32];
	size_t n = 0;

	suite_reset(r);
	for (; n < names->n && n < ARRAY_LEN(scripts); n++)
		if ((scripts[n] = suite_compile(suite_path(v[n]))) == NULL)
			return false;
	return run(r, scripts, n) && suite_execute(r);
}

/* --- doing ------------------------------------------------------------------------------------ */

static bool
compose(const struct sieve_action *a, struct sieve_letter *letter)
{
	struct sieve_sender sender = { .host = SPAN_LIT("mail.example.com") };
	struct buf unique = { 0 };
	bool good;

	buf_addf(&unique, "suite%u", ++suite.letters);
	sender.unique = buf_span(&unique);
	good = sieve_compose(a, &suite.env, &sender, &suite.arena, letter);
	buf_fini(&unique);
	return good;
}

/* The store of the field marks messages with and without attachments. */
static void
store_with_keyword(struct mailbox *m, struct span text, const struct sieve_store *s)
{
	struct sieve_message *view = suite_message(text);
	size_t n;
	const struct mime_part *parts = sieve_message_parts(view, &n);
	struct span *flags = arena_array(&suite.arena, s->n_flags + 1, sizeof(*flags));
	bool attachment = parts != NULL && n > 0 && parts[0].kind == MIME_MULTIPART;

	for (size_t i = 0; i < s->n_flags; i++)
		flags[i] = s->flags[i];
	flags[s->n_flags] = attachment ? SPAN_LIT("$HasAttachment") : SPAN_LIT("$HasNoAttachment");
	world_store(&suite.world, m, text, flags, s->n_flags + 1);
}

static void
cannot_store(struct span name)
{
	struct buf path = { 0 }, why = { 0 };

	buf_addf(&why, "failed to store into mailbox '%.*s': %s", (int)name.len, name.p,
	    mailbox_name_from_utf8(name, &path) ? "it does not exist" : "this is no name");
	suite_error(buf_cstr(&why));
	buf_fini(&path);
	buf_fini(&why);
}

static bool
do_store(const struct sieve_action *a)
{
	const struct sieve_store *s = &a->store;
	struct sieve_question q = { SIEVE_ASK_SPECIAL_USE, s->special_use, SPAN_NONE };
	struct sieve_reply reply = { 0 };
	struct sieve_letter letter;
	struct span text, name = s->mailbox;
	struct mailbox *m;
	bool good;

	if (s->fcc_of != NULL && !compose(s->fcc_of, &letter))
		return true;
	text = s->fcc_of != NULL ? letter.text : bytes_of(a->message);
	if (s->mailbox_id.p != NULL)
		q = (struct sieve_question){ SIEVE_ASK_MAILBOX_ID, s->mailbox_id, SPAN_NONE };
	if (s->mailbox_id.p != NULL || s->special_use.p != NULL)
		world_ask(&suite.world, &q, &reply);
	if (reply.yes)
		name = reply.text;
	m = world_mailbox(&suite.world, name, s->create || is_inbox(a));
	good = m != NULL;
	if (!good) {	/* nothing is lost; after an error, as it came (RFC 5293 7) */
		cannot_store(name);
		text = bytes_of(sieve_message_root(a->message));
		m = world_mailbox(&suite.world, SPAN_LIT("INBOX"), true);
	}
	if (s->create && m->use.len == 0 && s->special_use.p != NULL)
		m->use = s->special_use;
	store_with_keyword(m, text, s);
	return good;
}

/* MAIL FROM of what is sent on. */
static struct span
redirect_from(void)
{
	const struct sieve_envelope *e = &suite.env.envelope;
	struct span how = suite.redirect_from;

	if (e->from.len == 0 || how.len == 0 || span_eq_str(how, "sender"))
		return e->from;
	if (span_eq_str(how, "recipient"))
		return e->to;
	if (span_eq_str(how, "orig_recipient"))
		return e->orig_to;
	if (span_eq_str(how, "user_email"))
		return suite.env.n_addresses > 0 ? suite.env.addresses[0] : e->to;
	return how.len >= 2 && how.p[0] == '<' ? span_sub(how, 1, how.len - 2) : e->from;
}

/* It was sent on from there before: a loop. */
static bool
came_from(struct sieve_message *m, struct span address)
{
	struct sieve_header *h = sieve_message_header(m);
	struct span name = SPAN_LIT("x-sieve-redirected-from");
	struct sieve_field *f = sieve_header_find(h, name, sieve_name_hash(name));

	for (; f != NULL; f = f->same)
		if (span_caseeq(sieve_field_text(h, f), address))
			return true;
	return false;
}

static bool
do_redirect(const struct sieve_action *a)
{
	struct span message = bytes_of(a->message), me = suite.env.envelope.to;
	struct buf b = { 0 };

	if (suite.env.n_addresses > 0)
		me = suite.env.addresses[0];
	if (came_from(a->message, me) || came_from(a->message, suite.env.envelope.to))
		return true;
	buf_addf(&b, "X-Sieve: Mansio\r\nX-Sieve-Redirected-From: %.*s\r\n", (int)me.len, me.p);
	buf_add_span(&b, message);
	world_send(&suite.world, redirect_from(), a->redirect.address,
	    arena_span(&suite.arena, buf_span(&b)));
	buf_fini(&b);
	return true;
}

static bool
perform(const struct sieve_action *a)
{
	struct sieve_letter letter;

	if (a->kind == SIEVE_STORE)
		return do_store(a);
	if (a->kind == SIEVE_REDIRECT)
		return do_redirect(a);
	if (!compose(a, &letter))
		return true;
	for (size_t i = 0; i < letter.n_to; i++)
		world_send(&suite.world, letter.from, letter.to[i], letter.text);
	return true;
}

bool
suite_execute(struct sieve_run *r)
{
	struct sieve_action **v;
	bool good = true;
	size_t n;

	for (; suite.done < suite.n_actions; suite.done++)
		good = perform(suite.actions[suite.done]) && good;
	if (!suite.ran)
		sieve_actions_settle(r);
	v = sieve_actions(r, &n);
	for (; suite.inline_done < n; suite.inline_done++)
		good = perform(v[suite.inline_done]) && good;
	return good;
}

void
suite_reset(struct sieve_run *r)
{
	sieve_actions_reset(r);
	suite.n_actions = suite.done = suite.inline_done = 0;
	suite.world.outbox = NULL;
	suite.ran = false;
	sieve_flags_set(r, NULL, 0);
}

const struct sieve_action *
suite_action(struct sieve_run *r, size_t i)
{
	struct sieve_action **v;
	size_t n;

	if (i >= 1 && i <= suite.n_actions)
		return suite.actions[i - 1];
	v = sieve_actions(r, &n);
	i -= suite.n_actions;
	return i >= 1 && i <= n ? v[i - 1] : NULL;
}

const char *
suite_action_name(const struct sieve_action *a)
{
	switch (a->kind) {
	case SIEVE_STORE:
		return a->store.keep ? "keep" : "store";
	case SIEVE_REDIRECT:
		return "redirect";
	case SIEVE_REJECT:
		return "reject";
	case SIEVE_VACATION:
		return "vacation";
	case SIEVE_NOTIFY:
		return "notify";
	}
	return "";
}
