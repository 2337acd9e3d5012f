/* editheader (RFC 5293): addheader and deleteheader. */
#include <string.h>

#include "sieve/edit.h"
#include "sieve/extensions.h"

static const struct sieve_tag tags[4];
enum { ADD_LAST, INDEX, LAST };

/* Of both commands. */
struct edit {
	bool		trusted;
	struct span	field;		/* addheader: made already, p NULL: not constant */
};

/* --- what may be changed --------------------------------------------------------------------- */

static bool
is_one_of(struct span name, const char *const *names)
{
	for (; names != NULL && *names != NULL; names++)
		if (span_caseeq_str(name, *names))
			return true;
	return false;
}

/* RFC 5293 6 and RFC 5703 5: what may never be deleted, and what the admin protects. */
static bool
is_protected(const struct edit *e, const struct sieve_settings *s, struct span name, bool adding)
{
	static const char *const never[] = { "Received", "Auto-Submitted", "Original-Subject",
	    "Original-From", NULL };

	if (!adding && is_one_of(name, never))
		return true;
	return !e->trusted && !span_caseeq_str(name, "Subject") &&
	    is_one_of(name, s->protected_headers);
}

static bool
is_field_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= 32 || s.p[i] >= 127 || s.p[i] == ':')
			return false;
	return s.len > 0;
}

#define INVALID_NAME "the field name \"%.*s\" is invalid: expected printable ASCII characters " \
    "without colon and blanks"
#define INVALID_VALUE "the value \"%.*s\" is invalid: it has control characters"
#define TOO_LONG "the field takes %zu bytes: at most %u are allowed"

static int
shown(struct span s)
{
	return (int)(s.len < 64 ? s.len : 64);
}

static void
check_name(struct sieve_compile *c, const struct sieve_node *n, bool adding)
{
	const struct sieve_string *name = &n->args[0].s.v[0];

	if (!sieve_constant(name))
		return;
	if (!is_field_name(name->text))
		sieve_error_at(c, name->line, name->column, INVALID_NAME, shown(name->text),
		    name->text.p);
	else if (is_protected(n->data, sieve_c_settings(c), name->text, adding))
		sieve_warn(c, n, "the field \"%.*s\" may not be %s here: this does nothing",
		    shown(name->text), name->text.p, adding ? "added" : "deleted");
}

/* --- addheader ------------------------------------------------------------------------------- */

static void
check_add(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_string *name = &n->args[0].s.v[0], *value = &n->args[1].s.v[0];
	struct edit *e = n->data = sieve_c_alloc(c, sizeof(*e));
	struct buf b = { 0 };

	e->trusted = sieve_c_trusted(c);
	check_name(c, n, true);
	if (!sieve_constant(name) || !sieve_constant(value))
		return;
	if (!sieve_edit_field(name->text, value->text, &b))
		sieve_error_at(c, value->line, value->column, INVALID_VALUE, shown(value->text),
		    value->text.p);
	else if (b.len > sieve_c_limits(c)->header_bytes)
		sieve_error_at(c, value->line, value->column, TOO_LONG, b.len,
		    sieve_c_limits(c)->header_bytes);
	else
		e->field = sieve_c_span(c, buf_span(&b));
	buf_fini(&b);
}

/* The field as it is written into the header. */
static enum sieve_step
make_field(struct sieve_run *r, const struct sieve_node *n, struct span name, struct span *field)
{
	struct span value = sieve_string(r, &n->args[1].s.v[0]);
	struct buf b = { 0 };

	if (!sieve_edit_field(name, value, &b))
		return sieve_fail(r, n, INVALID_VALUE, shown(value), value.p);
	*field = sieve_span(r, buf_span(&b));
	buf_fini(&b);
	return SIEVE_NEXT;
}

static bool
has_body(struct sieve_run *r)
{
	struct sieve_message *m = sieve_message(r);

	return sieve_message_size(m) > sieve_header_block(sieve_message_header(m)).len;
}

static enum sieve_step
run_add(struct sieve_run *r, const struct sieve_node *n)
{
	const struct edit *e = n->data;
	struct sieve_header_edit edit = { .has_body = has_body(r) };
	struct span name = sieve_string(r, &n->args[0].s.v[0]), field = e->field;

	if (!is_field_name(name))
		return sieve_fail(r, n, INVALID_NAME, shown(name), name.p);
	if (is_protected(e, sieve_settings(r), name, true))
		return SIEVE_NEXT;
	if (field.p == NULL && make_field(r, n, name, &field) != SIEVE_NEXT)
		return SIEVE_ERROR;
	if (field.len > sieve_limits(r)->header_bytes)
		return sieve_fail(r, n, TOO_LONG, field.len, sieve_limits(r)->header_bytes);
	*(sieve_tag(n, &tags[ADD_LAST]) != NULL ? &edit.last : &edit.first) = field;
	return sieve_edit_message_header(r, n, &edit);
}

/* --- deleteheader ---------------------------------------------------------------------------- */

static void
check_delete(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_tagged *index = sieve_tag(n, &tags[INDEX]);
	struct edit *e = n->data = sieve_c_alloc(c, sizeof(*e));

	e->trusted = sieve_c_trusted(c);
	if (sieve_tag(n, &tags[LAST]) != NULL && index == NULL) {
		sieve_error(c, n, "the :last tag cannot be specified without the :index tag");
		return;
	}
	if (index != NULL && index->value.number == 0)
		sieve_error_at(c, index->value.line, index->value.column,
		    "fields are counted from 1: ':index 0' is none of them");
	check_name(c, n, false);
}

/* Fields to be deleted, in the order of the header; at: those before it are deleted. */
struct doomed {
	const struct sieve_field	**v;
	size_t				n, at;
};

static bool
is_doomed(void *arg, const struct sieve_field *f)
{
	struct doomed *d = arg;

	if (d->at == d->n || d->v[d->at] != f)
		return false;
	d->at++;
	return true;
}

/* Does the value of the field match, if there are patterns? */
static enum sieve_step
matches(struct sieve_run *r, const struct sieve_node *n, struct sieve_header *h,
    struct sieve_field *f, bool *yes)
{
	struct sieve_matching m;
	enum sieve_step step;

	*yes = true;
	if (n->n_args == 1)
		return SIEVE_NEXT;
	step = sieve_matching_begin(r, n, &m);
	if (step == SIEVE_NEXT)
		step = sieve_matching_value(&m, sieve_field_text(h, f));
	return sieve_matching_end(&m, step, yes);
}

/* Which of many fields of the name is meant, from 0; SIZE_MAX: all; many or more: none. */
static size_t
which(const struct sieve_node *n, size_t many)
{
	const struct sieve_tagged *index = sieve_tag(n, &tags[INDEX]);

	if (index == NULL)
		return SIZE_MAX;
	if (index->value.number == 0 || index->value.number > many)
		return many;
	return sieve_tag(n, &tags[LAST]) != NULL ? many - (size_t)index->value.number :
	    (size_t)index->value.number - 1;
}

static enum sieve_step
find_doomed(struct sieve_run *r, const struct sieve_node *n, struct span name, struct doomed *d)
{
	struct sieve_header *h = sieve_message_header(sieve_message(r));
	struct sieve_field *first = sieve_header_find(h, name, sieve_name_hash(name)), *f;
	size_t many = 0, at = 0, one;

	for (f = first; f != NULL; f = f->same)
		many++;
	if (sieve_work(r, n, many) != SIEVE_NEXT)
		return SIEVE_ERROR;
	one = which(n, many);
	d->v = sieve_alloc(r, (many + 1) * sizeof(const struct sieve_field *));
	for (f = first; f != NULL; f = f->same, at++) {
		bool yes;

		if (one != SIZE_MAX && at != one)
			continue;
		if (matches(r, n, h, f, &yes) != SIEVE_NEXT)
			return SIEVE_ERROR;
		if (yes)
			d->v[d->n++] = f;
	}
	return SIEVE_NEXT;
}

static enum sieve_step
run_delete(struct sieve_run *r, const struct sieve_node *n)
{
	struct span name = sieve_string(r, &n->args[0].s.v[0]);
	struct doomed d = { 0 };
	struct sieve_header_edit edit = { .drop = is_doomed, .arg = &d, .has_body = has_body(r) };

	if (!is_field_name(name))
		return sieve_fail(r, n, INVALID_NAME, shown(name), name.p);
	if (is_protected(n->data, sieve_settings(r), name, false))
		return SIEVE_NEXT;
	if (find_doomed(r, n, name, &d) != SIEVE_NEXT)
		return SIEVE_ERROR;
	return d.n > 0 ? sieve_edit_message_header(r, n, &edit) : SIEVE_NEXT;
}

static const struct sieve_tag tags[4] = {
	[ADD_LAST] = { .name = "last", .on = "addheader" },
	[INDEX] = { .name = "index", .on = "deleteheader", .value = 'n' },
	[LAST] = { .name = "last", .on = "deleteheader" },
	{ 0 }
};

static const struct sieve_word words[] = {
	{ .kind = SIEVE_COMMAND, .name = "addheader", .args = "ss", .check = check_add,
	    .run = run_add },
	{ .kind = SIEVE_COMMAND, .name = "deleteheader", .args = "sS|s", .flags = SIEVE_WORD_MATCH,
	    .check = check_delete, .run = run_delete },
	{ 0 }
};

const struct sieve_ext sieve_ext_editheader = {
	.name = "editheader", .words = words, .tags = tags
};
