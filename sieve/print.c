/* The tree as text. */
#include <string.h>

#include "sieve/core.h"

static void
print_string(const struct sieve_string *s, struct buf *out)
{
	size_t n = s->text.len < 60 ? s->text.len : 60;

	buf_add_c(out, '"');
	for (size_t i = 0; i < n; i++) {
		char c = s->text.p[i];

		if (c == '"' || c == '\\')
			buf_add_c(out, '\\');
		buf_add_c(out, (unsigned char)c < 32 ? ' ' : c);
	}
	buf_add_str(out, n < s->text.len ? "...\"" : "\"");
}

static void
print_arg(const struct sieve_arg *a, struct buf *out)
{
	buf_add_c(out, ' ');
	if (a->is_number) {
		buf_add_u64(out, a->number);
		return;
	}
	if (a->s.list)
		buf_add_c(out, '[');
	for (size_t i = 0; i < a->s.n; i++) {
		if (i > 0)
			buf_add_str(out, ", ");
		print_string(&a->s.v[i], out);
	}
	if (a->s.list)
		buf_add_c(out, ']');
}

static void
print_tags(const struct sieve_node *n, struct buf *out)
{
	if (n->part != NULL)
		buf_addf(out, " :%s", n->part->name);
	if (n->match != NULL && n->match->type != NULL) {
		buf_addf(out, " :%s", n->match->type->name);
		if (n->match->param.n > 0) {
			buf_add_c(out, ' ');
			print_string(&n->match->param.v[0], out);
		}
		buf_addf(out, " :comparator \"%s\"", n->match->comparator->name);
	}
	for (unsigned i = 0; i < n->n_tags; i++) {
		const struct sieve_tagged *t = &n->tags[i];
		char value = t->tag != NULL ? t->tag->value : t->modifier->value;

		buf_addf(out, " :%s", t->tag != NULL ? t->tag->name : t->modifier->name);
		if (value != 0)
			print_arg(&t->value, out);
	}
}

static void
print_node(const struct sieve_node *n, unsigned depth, struct buf *out)
{
	buf_addf(out, "%5u: ", n->line);
	for (unsigned i = 0; i < depth; i++)
		buf_add_str(out, "  ");
	buf_add_str(out, n->word->name);
	print_tags(n, out);
	for (unsigned i = 0; i < n->n_args; i++)
		print_arg(&n->args[i], out);
	if (n->deferred != NULL)
		buf_addf(out, " (%s)", n->deferred);
	buf_add_c(out, '\n');
	for (uint32_t i = 0; i < n->n_tests; i++)
		print_node(n->tests[i], depth + 2, out);
	for (uint32_t i = 0; i < n->n_block; i++)
		print_node(n->block[i], depth + 1, out);
	if (n->otherwise != NULL)
		print_node(n->otherwise, depth, out);
}

void
sieve_script_print(const struct sieve_script *s, struct buf *out)
{
	for (uint32_t i = 0; i < s->n_block; i++)
		print_node(s->block[i], 0, out);
}
