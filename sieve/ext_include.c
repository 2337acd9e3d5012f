/* include (RFC 6609): other scripts, which are asked for when they are reached; return; variables that
 * scripts share. */
#include <string.h>

#include "sieve/core.h"
#include "sieve/extensions.h"

#define LISTED_MAX 256u		/* of a script, by sieve_script_includes() */

static const struct sieve_tag tags[] = {
	{ .name = "personal", .on = "include", .group = 1 },
	{ .name = "global", .on = "include", .group = 1 },
	{ .name = "once", .on = "include" },
	{ .name = "optional", .on = "include" },
	{ 0 }
};
#define TAG_GLOBAL (&tags[1])
#define TAG_ONCE (&tags[2])
#define TAG_OPTIONAL (&tags[3])

bool
sieve_script_name_ok(struct span name)
{
	if (name.len == 0 || name.len > 512)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];
		unsigned char d = i + 1 < name.len ? (unsigned char)name.p[i + 1] : 0;
		unsigned char e = i + 2 < name.len ? (unsigned char)name.p[i + 2] : 0;

		/* Controls, U+0080-9F, line and paragraph separators (RFC 5804 1.6). */
		if (c < 32 || c == 127 || (c == 0xC2 && d >= 0x80 && d <= 0x9F) ||
		    (c == 0xE2 && d == 0x80 && (e == 0xA8 || e == 0xA9)))
			return false;
	}
	return true;
}

static bool
same(const struct sieve_included *a, const struct sieve_included *b)
{
	return a->global == b->global && span_eq(a->name, b->name);
}

static void
list(struct sieve_compile *c, const struct sieve_included *inc)
{
	struct sieve_script *s = c->script;

	if (s->includes == NULL)
		s->includes = sieve_c_alloc(c, LISTED_MAX * sizeof(*s->includes));
	for (size_t i = 0; i < s->n_includes; i++) {
		if (same(&s->includes[i], inc)) {
			s->includes[i].optional = s->includes[i].optional && inc->optional;
			return;
		}
	}
	if (s->n_includes < LISTED_MAX)
		s->includes[s->n_includes++] = *inc;
}

static void
check_include(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_string *name = &n->args[0].s.v[0];
	struct sieve_included *inc = sieve_c_alloc(c, sizeof(*inc));

	if (!sieve_c_constant(c, n, name, "the name of an included script"))
		return;
	if (!sieve_script_name_ok(name->text) || span_find(name->text, '/') < name->text.len) {
		sieve_error_at(c, name->line, name->column, "this is no name of a script");
		return;
	}
	inc->name = name->text;
	inc->global = sieve_tag(n, TAG_GLOBAL) != NULL;
	inc->optional = sieve_tag(n, TAG_OPTIONAL) != NULL;
	n->data = inc;
	list(c, inc);
}

/* What was included so far in this run. */
struct once {
	const struct sieve_included	*inc;
	struct once			*next;
};
struct state {
	struct once	*done;
	uint32_t	n;
};

static bool
was_included(const struct state *s, const struct sieve_included *inc)
{
	for (const struct once *o = s->done; o != NULL; o = o->next)
		if (same(o->inc, inc))
			return true;
	return false;
}

static bool
is_running(const struct sieve_run *r, const struct sieve_script *s)
{
	for (const struct sieve_frame *f = r->frame; f != NULL; f = f->up)
		if (f->script == s)
			return true;
	return false;
}

static void
note(struct sieve_run *r, struct state *s, const struct sieve_included *inc)
{
	struct once *o = sieve_alloc(r, sizeof(*o));

	*o = (struct once){ inc, s->done };
	s->done = o;
	s->n++;
}

static enum sieve_step
enter(struct sieve_run *r, const struct sieve_node *n, const struct sieve_reply *reply)
{
	const struct sieve_included *inc = n->data;
	struct state *s = sieve_run_state(r, &sieve_ext_include, sizeof(*s));
	int len = (int)(inc->name.len < 128 ? inc->name.len : 128);

	if (reply->script == NULL)
		return sieve_fail(r, n, "the included script \"%.*s\" has errors: %.*s", len,
		    inc->name.p, (int)(reply->text.len < 500 ? reply->text.len : 500),
		    reply->text.len > 0 ? reply->text.p : "");
	if (is_running(r, reply->script)) {
		if (sieve_tag(n, TAG_ONCE) != NULL)
			return SIEVE_NEXT;
		return sieve_fail(r, n, "the script \"%.*s\" includes itself", len, inc->name.p);
	}
	if (s->n >= r->limits.includes)
		return sieve_fail(r, n, "too many scripts are included: at most %u are allowed",
		    r->limits.includes);
	note(r, s, inc);
	return sieve_run_script(r, n, reply->script);
}

static enum sieve_step
run_include(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_included *inc = n->data;
	struct state *s = sieve_run_state(r, &sieve_ext_include, sizeof(*s));
	struct sieve_reply reply;
	enum sieve_step step;

	if (sieve_tag(n, TAG_ONCE) != NULL && was_included(s, inc))
		return SIEVE_NEXT;
	step = sieve_ask(r, n, inc->global ? SIEVE_ASK_GLOBAL_SCRIPT : SIEVE_ASK_PERSONAL_SCRIPT,
	    SPAN_NONE, inc->name, &reply);
	if (step != SIEVE_NEXT)
		return step;
	if (reply.yes)
		return enter(r, n, &reply);
	if (inc->optional)
		return SIEVE_NEXT;
	return sieve_fail(r, n, "there is no %s script \"%.*s\" to include",
	    inc->global ? "global" : "personal", (int)(inc->name.len < 128 ? inc->name.len : 128),
	    inc->name.p);
}

static enum sieve_step
run_return(struct sieve_run *r, const struct sieve_node *n)
{
	(void)r;
	(void)n;
	return SIEVE_RETURN;
}

/* --- shared variables ------------------------------------------------------------------------ */

static void
share(struct sieve_compile *c, const struct sieve_node *n, const struct sieve_string *name)
{
	struct sieve_place at = { name->line, name->column };
	struct sieve_variable *v;

	if (!sieve_c_constant(c, n, name, "the name of a variable"))
		return;
	if (!sieve_c_variable_name(name->text)) {
		sieve_error_at(c, at.line, at.column, "\"%.*s\" is no name of a variable",
		    (int)(name->text.len < 64 ? name->text.len : 64), name->text.p);
		return;
	}
	v = sieve_c_local(c, name->text, at);
	if (v == NULL)
		return;
	if (v->defined && !v->global)
		sieve_error_at(c, at.line, at.column,
		    "the variable \"%.*s\" is set before it is declared global",
		    (int)v->name.len, v->name.p);
	v->global = true;
}

static void
check_global(struct sieve_compile *c, struct sieve_node *n)
{
	if (!sieve_c_required(c, "variables")) {
		sieve_error(c, n, "'global' needs require \"variables\" beside \"include\"");
		return;
	}
	for (size_t i = 0; i < n->args[0].s.n; i++)
		share(c, n, &n->args[0].s.v[i]);
}

static enum sieve_step
run_global(struct sieve_run *r, const struct sieve_node *n)
{
	(void)r;
	(void)n;
	return SIEVE_NEXT;
}

static bool
global_check(struct sieve_compile *c, struct span rest)
{
	return sieve_c_variable_name(rest) && rest.len <= sieve_c_limits(c)->variable_name_bytes;
}

static enum sieve_step
global_get(struct sieve_run *r, struct span rest, struct span *value)
{
	*value = sieve_global(r, rest)->text;
	return SIEVE_NEXT;
}

static enum sieve_step
global_set(struct sieve_run *r, struct span rest, struct span value)
{
	sieve_global(r, rest)->text = value;
	return SIEVE_NEXT;
}

static const struct sieve_namespace namespaces[] = {
	{ "global", global_check, global_get, global_set },
	{ 0 }
};

static const struct sieve_word words[] = {
	{ .kind = SIEVE_COMMAND, .name = "include", .args = "s", .check = check_include,
	    .run = run_include },
	{ .kind = SIEVE_COMMAND, .name = "return", .args = "", .flags = SIEVE_WORD_ENDS,
	    .run = run_return },
	{ .kind = SIEVE_COMMAND, .name = "global", .args = "S", .check = check_global,
	    .run = run_global },
	{ 0 }
};

const struct sieve_ext sieve_ext_include = {
	.name = "include", .needs = SIEVE_OFFER_SCRIPTS, .words = words, .tags = tags,
	.namespaces = namespaces
};
