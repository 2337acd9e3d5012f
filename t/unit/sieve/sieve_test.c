#include "t/unit/sieve/sieve_test.h"

#include <string.h>

#include "common/util/mem.h"

void
sieve_case_init(struct sieve_case *c)
{
	*c = (struct sieve_case){ 0 };
	c->options.limits = &c->limits;
	c->env.limits = &c->limits;
	c->env.now = 1700000000;
}

static void
forget_scripts(struct sieve_case *c)
{
	while (c->n > 0)
		sieve_script_free(&c->scripts[--c->n]);
}

void
sieve_case_fini(struct sieve_case *c)
{
	forget_scripts(c);
	sieve_result_fini(&c->result);
	sieve_problems_fini(&c->problems);
	sieve_message_free(&c->message);
	buf_fini(&c->out);
}

bool
sieve_case_add(struct sieve_case *c, const char *text)
{
	struct sieve_script *s;

	sieve_problems_fini(&c->problems);
	s = sieve_compile(span_str(text), &c->options, &c->problems);
	if (s == NULL)
		return false;
	c->scripts[c->n++] = s;
	return true;
}

static void
add_flags(const struct sieve_store *s, struct buf *out)
{
	for (size_t i = 0; i < s->n_flags; i++) {
		buf_add_str(out, i == 0 ? " (" : " ");
		buf_add_span(out, s->flags[i]);
	}
	if (s->n_flags > 0)
		buf_add_c(out, ')');
}

static void
add_action(const struct sieve_action *a, struct buf *out)
{
	switch (a->kind) {
	case SIEVE_STORE:
		if (a->store.keep)
			buf_add_str(out, "keep");
		else
			buf_addf(out, "fileinto %.*s", (int)a->store.mailbox.len,
			    a->store.mailbox.p);
		add_flags(&a->store, out);
		break;
	case SIEVE_REDIRECT:
		buf_addf(out, "redirect %.*s", (int)a->redirect.address.len,
		    a->redirect.address.p);
		break;
	case SIEVE_REJECT:
		buf_addf(out, "reject %.*s", (int)a->reject.reason.len, a->reject.reason.p);
		break;
	case SIEVE_VACATION:
		buf_addf(out, "vacation %.*s", (int)a->vacation.text.len, a->vacation.text.p);
		break;
	case SIEVE_NOTIFY:
		buf_addf(out, "notify %.*s", (int)a->notify.method.len, a->notify.method.p);
		break;
	}
}

const char *
sieve_case_run(struct sieve_case *c, const char *message)
{
	sieve_message_free(&c->message);
	c->message = sieve_message_memory(span_str(message));
	c->outcome = sieve_run((const struct sieve_script *const *)c->scripts, c->n, c->message,
	    &c->env, &c->result);
	buf_clear(&c->out);
	if (c->outcome == SIEVE_FAILED)
		buf_addf(&c->out, "error %u: %s: ", c->result.error_line, c->result.error);
	for (size_t i = 0; i < c->result.n_questions; i++)
		buf_addf(&c->out, "%s%.*s", i == 0 ? "asks " : ", ",
		    (int)c->result.questions[i].name.len, c->result.questions[i].name.p);
	for (size_t i = 0; i < c->result.n_actions; i++) {
		if (i > 0)
			buf_add_str(&c->out, ", ");
		add_action(c->result.actions[i], &c->out);
	}
	if (c->outcome != SIEVE_ASKS && c->result.n_actions == 0)
		buf_add_str(&c->out, "discard");
	return buf_cstr(&c->out);
}

static const char *
keep_text(struct buf *b)
{
	static char text[8192];

	strncpy(text, buf_cstr(b), sizeof(text) - 1);
	return text;
}

const char *
sieve_once(const char *script, const char *message)
{
	struct sieve_case c;
	const char *text;

	sieve_case_init(&c);
	if (sieve_case_add(&c, script))
		sieve_case_run(&c, message);
	else
		sieve_problems_print(&c.problems, NULL, &c.out);
	text = keep_text(&c.out);
	sieve_case_fini(&c);
	return text;
}

const char *
sieve_told(const char *script)
{
	struct sieve_case c;
	const char *text;

	sieve_case_init(&c);
	sieve_case_add(&c, script);
	sieve_problems_print(&c.problems, NULL, &c.out);
	text = keep_text(&c.out);
	sieve_case_fini(&c);
	return text;
}
