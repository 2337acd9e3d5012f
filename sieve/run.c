/* Walking the tree. */
#include "sieve/core.h"

#include <stdarg.h>
#include <string.h>

#include "common/util/mem.h"
#include "sieve/extensions.h"

/* --- errors ---------------------------------------------------------------------------------- */

static const char *words(struct sieve_run *r, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* On one line. */
static const char *
words(struct sieve_run *r, const char *fmt, va_list ap)
{
	struct buf b = { 0 };
	const char *text;

	buf_vaddf(&b, fmt, ap);
	for (size_t i = 0; i < b.len; i++)
		if ((unsigned char)b.data[i] < 32)
			b.data[i] = ' ';
	text = arena_strndup(r->arena, b.data, b.len);
	buf_fini(&b);
	return text;
}

static const char *
running(const struct sieve_run *r)
{
	return r->frame != NULL ? r->frame->script->name : "";
}

static void set_error(struct sieve_run *r, const struct sieve_node *n, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void
set_error(struct sieve_run *r, const struct sieve_node *n, const char *fmt, va_list ap)
{
	struct sieve_result *res = r->result;

	if (r->failed)
		return;
	r->failed = true;
	res->error = words(r, fmt, ap);
	res->error_script = running(r);
	res->error_line = n != NULL ? n->line : 0;
	res->error_column = n != NULL ? n->column : 0;
}

enum sieve_step
sieve_fail(struct sieve_run *r, const struct sieve_node *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_error(r, n, fmt, ap);
	va_end(ap);
	return SIEVE_ERROR;
}

void
sieve_warn_run(struct sieve_run *r, const struct sieve_node *n, const char *fmt, ...)
{
	struct sieve_result *res = r->result;
	va_list ap;

	if (res->n_warnings == SIEVE_WARNINGS_MAX)
		return;
	if (res->warnings == NULL)
		res->warnings = arena_array(r->arena, SIEVE_WARNINGS_MAX, sizeof(*res->warnings));
	va_start(ap, fmt);
	res->warnings[res->n_warnings++] = (struct sieve_warning){ running(r), words(r, fmt, ap),
	    n->line };
	va_end(ap);
}

const char *
sieve_error_text(const struct sieve_run *r, uint32_t *line, uint32_t *column)
{
	*line = r->result->error_line;
	*column = r->result->error_column;
	return r->failed ? r->result->error : NULL;
}

void
sieve_clear_error(struct sieve_run *r)
{
	r->failed = false;
	r->result->error = NULL;
}

/* --- memory and work ------------------------------------------------------------------------- */

void *
sieve_alloc(struct sieve_run *r, size_t n)
{
	return arena_zalloc(r->arena, n);
}

struct span
sieve_span(struct sieve_run *r, struct span s)
{
	return s.len > 0 ? arena_span(r->arena, s) : span("", 0);
}

struct arena *
sieve_arena(struct sieve_run *r)
{
	return r->arena;
}

enum sieve_step
sieve_work(struct sieve_run *r, const struct sieve_node *n, uint64_t steps)
{
	r->steps += steps;
	if (r->steps > r->limits.steps)
		return sieve_fail(r, n, "the script takes too many steps: at most %u are allowed",
		    r->limits.steps);
	if (r->arena->used > r->limits.memory_bytes)
		return sieve_fail(r, n, "the script takes too much memory: "
		    "at most %u bytes are allowed", r->limits.memory_bytes);
	return SIEVE_NEXT;
}

/* --- what a run consists of ------------------------------------------------------------------ */

const struct sieve_env *
sieve_env(const struct sieve_run *r)
{
	return r->env;
}

void
sieve_set_env(struct sieve_run *r, const struct sieve_env *env)
{
	r->env = env;
	r->limits = sieve_limits_of(env->limits);
}

const struct sieve_limits *
sieve_limits(const struct sieve_run *r)
{
	return &r->limits;
}

const struct sieve_settings *
sieve_settings(const struct sieve_run *r)
{
	return sieve_settings_or_zero(r->env->settings);
}

struct sieve_message *
sieve_message(struct sieve_run *r)
{
	return r->message;
}

void
sieve_set_message(struct sieve_run *r, struct sieve_message *m)
{
	r->message = m;
	r->header = sieve_message_header(m);
}

uint32_t
sieve_part(const struct sieve_run *r)
{
	return r->part;
}

void
sieve_set_part(struct sieve_run *r, uint32_t part)
{
	r->part = part;
}

void
sieve_set_break(struct sieve_run *r, const struct sieve_node *loop)
{
	r->break_to = loop;
}

const struct sieve_node *
sieve_break(const struct sieve_run *r)
{
	return r->break_to;
}

const struct sieve_script *
sieve_top_script(const struct sieve_run *r)
{
	const struct sieve_frame *f = r->frame;

	while (f->up != NULL)
		f = f->up;
	return f->script;
}

bool
sieve_captures(const struct sieve_run *r)
{
	return r->frame->script->captures;
}

static size_t
ext_place(const struct sieve_script *s, struct span name)
{
	size_t i = 0;

	while (i < s->n_exts && !span_eq_str(name, s->exts[i]->name))
		i++;
	return i;
}

bool
sieve_required(const struct sieve_run *r, const char *ext)
{
	size_t i = ext_place(r->frame->script, span_str(ext));

	return i < r->frame->script->n_exts && sieve_set_has(&r->frame->force, i);
}

bool
sieve_bring(struct sieve_run *r, struct span ext, bool now)
{
	const struct sieve_script *s = r->frame->script;
	size_t i = ext_place(s, ext);

	if (i == s->n_exts || (!sieve_set_has(&s->possible, i) &&
	    !sieve_set_has(&s->required, i)))
		return false;
	if (r->env->event && (s->exts[i]->flags & SIEVE_EXT_DELIVERY) != 0)
		return false;
	if (now) {
		struct span rest = span_str(s->exts[i]->implies);

		sieve_set_add(&r->frame->force, i);
		while (rest.len > 0)
			sieve_bring(r, span_cut(&rest, ' '), true);
	}
	return true;
}

void *
sieve_run_state(struct sieve_run *r, const struct sieve_ext *ext, size_t size)
{
	struct sieve_state *s;

	for (s = r->states; s != NULL; s = s->next)
		if (s->ext == ext)
			return s->data;
	s = sieve_alloc(r, sizeof(*s));
	s->ext = ext;
	s->data = sieve_alloc(r, size);
	s->next = r->states;
	r->states = s;
	return s->data;
}

const struct sieve_tagged *
sieve_tag(const struct sieve_node *n, const struct sieve_tag *tag)
{
	for (unsigned i = 0; i < n->n_tags; i++)
		if (n->tags[i].tag == tag)
			return &n->tags[i];
	return NULL;
}

/* --- questions ------------------------------------------------------------------------------- */

static void
add_question(struct sieve_run *r, const struct sieve_question *q)
{
	struct sieve_result *res = r->result;

	if (res->n_questions == r->room_questions) {
		size_t room = r->room_questions == 0 ? 4 : 2 * r->room_questions;
		struct sieve_question *v = arena_array(r->arena, room, sizeof(*v));

		if (res->n_questions > 0)
			memcpy(v, res->questions, res->n_questions * sizeof(*v));
		r->room_questions = room;
		res->questions = v;
	}
	res->questions[res->n_questions++] = (struct sieve_question){ q->ask,
	    sieve_span(r, q->name), q->in.p != NULL ? sieve_span(r, q->in) : SPAN_NONE };
}

enum sieve_step
sieve_ask(struct sieve_run *r, const struct sieve_node *n, enum sieve_ask ask, struct span in,
    struct span name, struct sieve_reply *reply)
{
	struct sieve_question q = { ask, name, in };
	enum sieve_answer a = SIEVE_CANNOT;

	*reply = (struct sieve_reply){ 0 };
	if (r->env->ask != NULL)
		a = r->env->ask(r->env->ask_arg, &q, reply);
	switch (a) {
	case SIEVE_KNOWN:
		return SIEVE_NEXT;
	case SIEVE_NOT_KNOWN:
		add_question(r, &q);
		return SIEVE_WAIT;
	case SIEVE_CANNOT:
		break;
	}
	return sieve_fail(r, n, "'%s' cannot be answered now", n->word->name);
}

void
sieve_condition(struct sieve_run *r, const struct sieve_condition *c)
{
	struct sieve_result *res = r->result;

	if (res->n_conditions == r->room_conditions) {
		size_t room = r->room_conditions == 0 ? 4 : 2 * r->room_conditions;
		struct sieve_condition *v = arena_array(r->arena, room, sizeof(*v));

		if (res->n_conditions > 0)
			memcpy(v, res->conditions, res->n_conditions * sizeof(*v));
		r->room_conditions = room;
		res->conditions = v;
	}
	res->conditions[res->n_conditions++] = *c;
}

/* --- commands and tests ---------------------------------------------------------------------- */

static void
trace(struct sieve_run *r, const struct sieve_node *n, enum sieve_traced outcome)
{
	struct sieve_trace t = { .script = r->frame->script->name, .line = n->line,
	    .column = n->column, .depth = r->depth, .word = n->word->name,
	    .test = n->word->kind == SIEVE_TEST, .outcome = outcome };

	if ((n->word->flags & SIEVE_WORD_QUIET) != 0)
		return;
	if (outcome == SIEVE_TRACE_TRUE && n->match != NULL) {
		t.value = r->hit_value;
		t.key = r->hit_key;
	}
	r->env->trace(r->env->trace_arg, &t);
}

/* Of a script with ihave: may this run? */
static enum sieve_step
check_force(struct sieve_run *r, const struct sieve_node *n)
{
	if (n->deferred != NULL)
		return sieve_fail(r, n, "%s", n->deferred);
	for (unsigned i = 0; i < n->n_needs; i++)
		if (!sieve_required(r, n->needs[i]->name))
			return sieve_fail(r, n, "'%s' needs \"%s\", which neither require nor "
			    "a successful ihave has named", n->word->name, n->needs[i]->name);
	return SIEVE_NEXT;
}

static enum sieve_step
before(struct sieve_run *r, const struct sieve_node *n)
{
	r->node = n;
	if (++r->steps > r->limits.steps || r->arena->used > r->limits.memory_bytes)
		return sieve_work(r, n, 0);
	if (r->failed || r->asked)
		return r->failed ? SIEVE_ERROR : SIEVE_WAIT;
	if (n->deferred != NULL || n->n_needs > 0)
		return check_force(r, n);
	return SIEVE_NEXT;
}

enum sieve_step
sieve_test(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	enum sieve_step step = before(r, n);

	*yes = false;
	if (step != SIEVE_NEXT)
		return step;
	r->depth++;
	step = n->word->test(r, n, yes);
	r->depth--;
	if (r->env->trace != NULL)
		trace(r, n, step == SIEVE_ERROR ? SIEVE_TRACE_FAILED :
		    *yes ? SIEVE_TRACE_TRUE : SIEVE_TRACE_FALSE);
	return step;
}

enum sieve_step
sieve_nodes(struct sieve_run *r, struct sieve_node *const *v, uint32_t n)
{
	enum sieve_step step = SIEVE_NEXT;

	r->depth++;
	for (uint32_t i = 0; i < n && step == SIEVE_NEXT; i++) {
		step = before(r, v[i]);
		if (step != SIEVE_NEXT)
			break;
		step = v[i]->word->run(r, v[i]);
		if (r->env->trace != NULL)
			trace(r, v[i], step == SIEVE_ERROR ? SIEVE_TRACE_FAILED :
			    SIEVE_TRACE_DONE);
	}
	r->depth--;
	return step;
}

enum sieve_step
sieve_block(struct sieve_run *r, const struct sieve_node *n)
{
	return sieve_nodes(r, n->block, n->n_block);
}

/* --- scripts --------------------------------------------------------------------------------- */

void
sieve_frame_push(struct sieve_run *r, struct sieve_frame *f, const struct sieve_script *s)
{
	*f = (struct sieve_frame){ .script = s, .force = s->required, .up = r->frame };
	if (s->n_variables > 0) {
		struct sieve_value *v = arena_array(r->arena, s->n_variables, sizeof(*v));

		f->slots = arena_array(r->arena, s->n_variables, sizeof(struct sieve_value *));
		for (uint32_t i = 0; i < s->n_variables; i++)
			f->slots[i] = &v[i];
		for (const struct sieve_variable *k = s->variables; k != NULL; k = k->next)
			if (k->global)
				f->slots[k->slot] = sieve_global(r, k->name);
	}
	r->frame = f;
}

enum sieve_step
sieve_run_script(struct sieve_run *r, const struct sieve_node *n, const struct sieve_script *s)
{
	struct sieve_frame f;
	enum sieve_step step;
	unsigned deep = 0;

	for (const struct sieve_frame *k = r->frame; k != NULL; k = k->up)
		deep++;
	if (deep > r->limits.nested_includes)
		return sieve_fail(r, n, "scripts include one another too deeply: "
		    "at most %u levels are allowed", r->limits.nested_includes);
	sieve_frame_push(r, &f, s);
	step = sieve_event_check(r, s, n);
	if (step == SIEVE_NEXT)
		step = sieve_nodes(r, s->block, s->n_block);
	r->frame = f.up;
	return step == SIEVE_RETURN ? SIEVE_NEXT : step;
}

/* What is left of a script's effects when it failed: those of the scripts before it. */
struct mark {
	size_t		actions, conditions;
	uint32_t	redirects, outgoing;
};

static struct mark
mark(const struct sieve_run *r)
{
	return (struct mark){ r->result->n_actions, r->result->n_conditions, r->redirects,
	    r->outgoing };
}

static void
go_back(struct sieve_run *r, const struct mark *m)
{
	r->result->n_actions = m->actions;
	r->result->n_conditions = m->conditions;
	r->redirects = m->redirects;
	r->outgoing = m->outgoing;
}

static void
begin(struct sieve_run *r, struct sieve_message *m, const struct sieve_env *env,
    struct sieve_result *result)
{
	struct arena a = result->arena;

	arena_reset(&a);
	*result = (struct sieve_result){ .arena = a };
	r->result = result;
	r->arena = &result->arena;
	r->given = m;
	r->keep = true;
	sieve_set_env(r, env);
	sieve_set_message(r, m);
	result->event = env->event;
	if (env->event)
		sieve_flags_begin(r);
}

static enum sieve_outcome
end(struct sieve_run *r, enum sieve_step step, const struct mark *m)
{
	struct sieve_result *res = r->result;

	res->steps = (uint32_t)(r->steps < UINT32_MAX ? r->steps : UINT32_MAX);
	buf_fini(&r->scratch);
	if (step == SIEVE_WAIT) {
		res->n_actions = res->n_conditions = 0;
		return SIEVE_ASKS;
	}
	if (step == SIEVE_ERROR) {
		go_back(r, m);
		sieve_set_message(r, r->given);
		r->keep = true;
		r->flags = NULL;
	} else if (r->env->event) {
		sieve_flags_end(r);
	}
	sieve_actions_settle(r);
	return step == SIEVE_ERROR ? SIEVE_FAILED : SIEVE_DONE;
}

enum sieve_outcome
sieve_run(const struct sieve_script *const *scripts, size_t n, struct sieve_message *m,
    const struct sieve_env *env, struct sieve_result *result)
{
	struct sieve_run r = { 0 };
	enum sieve_step step = SIEVE_NEXT;
	struct mark at;

	begin(&r, m, env, result);
	at = mark(&r);
	for (size_t i = 0; i < n; i++) {
		struct sieve_frame f;

		/* What is kept so far is for this script to decide. */
		if (i > 0 && !sieve_actions_rekeep(&r))
			break;
		at = mark(&r);
		sieve_frame_push(&r, &f, scripts[i]);
		step = sieve_event_check(&r, scripts[i], NULL);
		if (step == SIEVE_NEXT)
			step = sieve_nodes(&r, scripts[i]->block, scripts[i]->n_block);
		if (r.failed || r.asked)
			step = r.failed ? SIEVE_ERROR : SIEVE_WAIT;
		if (step == SIEVE_ERROR || step == SIEVE_WAIT)
			break;
		r.frame = NULL;
	}
	r.frame = NULL;
	return end(&r, step, &at);
}

bool
sieve_result_keeps(const struct sieve_result *r)
{
	for (size_t i = 0; i < r->n_actions; i++)
		if (r->actions[i]->kind == SIEVE_STORE && r->actions[i]->store.keep)
			return true;
	return false;
}

void
sieve_result_fini(struct sieve_result *r)
{
	arena_fini(&r->arena);
	*r = (struct sieve_result){ 0 };
}
