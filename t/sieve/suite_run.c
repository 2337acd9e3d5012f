/* What a test does with scripts: compiles them, runs them, does what they want done. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/util/mem.h"
#include "sieve/mailto.h"
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
	sieve_problems_fini(&problems);
	buf_fini(&text);
	return c->script;
}

/* --- what scripts ask ------------------------------------------------------------------------- */

/* Files of the folders "included" and "included-global" beside the test. */
static void
ask_script(const struct sieve_question *q, struct sieve_reply *reply)
{
	struct buf b = { 0 };
	struct compiled *c = suite.compiled;
	const char *path, **errors = suite.errors;
	size_t n_errors = suite.n_errors;

	buf_add_str(&b, q->ask == SIEVE_ASK_GLOBAL_SCRIPT ? "included-global/" : "included/");
	buf_add_span(&b, q->name);
	buf_add_str(&b, ".sieve");
	path = suite_path(buf_span(&b));
	buf_fini(&b);
	if (access(path, R_OK) != 0)
		return;
	while (c != NULL && strcmp(c->path, path) != 0)
		c = c->next;
	if (c == NULL) {
		suite_compile(path);
		c = suite.compiled;
	}
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
	suite.failed = false;
	outcome = sieve_run(scripts, n, sieve_message(r), &suite.env, &k->result);
	suite.nested--;
	if (suite.failed)
		outcome = SIEVE_FAILED;
	suite.failed = failed;
	if (k->result.error != NULL)
		suite_error(k->result.error);
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

static bool
do_store(const struct sieve_action *a)
{
	const struct sieve_store *s = &a->store;
	struct sieve_question q = { SIEVE_ASK_SPECIAL_USE, s->special_use, SPAN_NONE };
	struct sieve_reply reply = { 0 };
	struct sieve_letter letter;
	struct span text, name = s->mailbox;
	struct mailbox *m;

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
	if (m == NULL)
		m = world_mailbox(&suite.world, SPAN_LIT("INBOX"), true);
	if (s->create && m->use.len == 0 && s->special_use.p != NULL)
		m->use = s->special_use;
	world_store(&suite.world, m, text, s->flags, s->n_flags);
	return true;
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

static bool
do_redirect(const struct sieve_action *a)
{
	struct span message = bytes_of(a->message);
	struct buf b = { 0 };

	buf_addf(&b, "X-Sieve: Mansio\r\nX-Sieve-Redirected-From: %.*s\r\n",
	    (int)suite.env.envelope.to.len, suite.env.envelope.to.p);
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
	if (suite.n_actions == 0)
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
