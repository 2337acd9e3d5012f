/* The header fields that a test looks at, and addresses in them. */
#include <string.h>

#include "sieve/core.h"

#define FIELDS_MAX 1000		/* of one header, where hooks look at them */

enum sieve_step
sieve_values_begin(struct sieve_run *r, const struct sieve_node *n,
    const struct sieve_strings *names, struct sieve_values *v)
{
	*v = (struct sieve_values){ .run = r, .node = n, .names = names, .one = r->header };
	v->headers = (struct sieve_headers){ .v = &v->one, .n = 1 };
	for (unsigned i = 0; n->hooks && i < n->n_tags; i++) {
		const struct sieve_tagged *t = &n->tags[i];

		if (t->tag != NULL && t->tag->headers != NULL) {
			enum sieve_step step = t->tag->headers(r, n, t, &v->headers);

			if (step != SIEVE_NEXT)
				return step;
		}
	}
	return SIEVE_NEXT;
}

static struct sieve_field *
first_of(struct sieve_values *v, size_t name)
{
	const struct sieve_string *s = &v->names->v[name];
	struct span text = sieve_constant(s) ? s->text : sieve_string(v->run, s);

	return sieve_header_find(v->current, text,
	    sieve_constant(s) ? s->hash : sieve_name_hash(text));
}

/* Fields of all names in the header, in the order of the names, as the hooks leave them. */
static void
select_fields(struct sieve_values *v)
{
	size_t many = 0, i;

	for (i = 0; i < v->names->n; i++)
		for (struct sieve_field *f = first_of(v, i); f != NULL && many < FIELDS_MAX;
		    f = f->same)
			many++;
	v->found = sieve_alloc(v->run, (many + 1) * sizeof(struct sieve_field *));
	v->n = v->at = 0;
	for (i = 0; i < v->names->n; i++)
		for (struct sieve_field *f = first_of(v, i); f != NULL && v->n < many; f = f->same)
			v->found[v->n++] = f;
	for (unsigned k = 0; k < v->node->n_tags; k++) {
		const struct sieve_tagged *t = &v->node->tags[k];

		if (t->tag != NULL && t->tag->select != NULL)
			v->n = t->tag->select(v->run, v->node, t, v->found, v->n);
	}
}

/* The next header with hooks, or the first field of the next name; false: no more. */
static bool
next_name(struct sieve_values *v)
{
	if (v->header == v->headers.n || v->names->n == 0)
		return false;
	v->current = v->headers.v[v->header];
	if (v->node->hooks) {
		select_fields(v);
		v->header++;
		return true;
	}
	v->next = first_of(v, v->name);
	if (++v->name == v->names->n) {
		v->name = 0;
		v->header++;
	}
	return true;
}

bool
sieve_values_next(struct sieve_values *v, struct sieve_found *f)
{
	do {
		if (v->node->hooks && v->at < v->n) {
			*f = (struct sieve_found){ v->current, v->found[v->at++] };
			return true;
		}
		if (!v->node->hooks && v->next != NULL) {
			*f = (struct sieve_found){ v->current, v->next };
			v->next = v->next->same;
			return true;
		}
	} while (next_name(v));
	return false;
}

size_t
sieve_values_of(struct sieve_values *v, const struct sieve_found *f, struct span *one,
    struct span **values)
{
	for (unsigned i = 0; v->node->hooks && i < v->node->n_tags; i++) {
		const struct sieve_tagged *t = &v->node->tags[i];

		if (t->tag != NULL && t->tag->values != NULL)
			return t->tag->values(v->run, v->node, t, f->header, f->field, values);
	}
	*one = sieve_field_text(f->header, f->field);
	*values = one;
	return 1;
}

/* --- addresses ------------------------------------------------------------------------------- */

bool
sieve_address_value(struct sieve_run *r, const struct sieve_node *n, const struct mime_addr *a,
    struct span *value)
{
	if (a->kind != MIME_ADDR_MAILBOX)
		return false;
	return n->part->get(r, a, value);
}

static bool
part_all(struct sieve_run *r, const struct mime_addr *a, struct span *part)
{
	struct span local;
	char *p;

	if (a->domain.len == 0 && a->local.len == 0)
		return false;
	local = a->local.len > 0 ? sieve_local_part(r->arena, a->local) : a->local;
	if (a->domain.len == 0) {
		*part = local;
		return true;
	}
	/* Mostly they stand so in the message. */
	if (local.p + local.len + 1 == a->domain.p && local.p[local.len] == '@') {
		*part = span(local.p, local.len + 1 + a->domain.len);
		return true;
	}
	p = arena_alloc(r->arena, local.len + a->domain.len + 2);
	memcpy(p, local.len > 0 ? local.p : "", local.len);
	p[local.len] = '@';
	memcpy(p + local.len + 1, a->domain.p, a->domain.len);
	*part = span(p, local.len + 1 + a->domain.len);
	return true;
}

struct span
sieve_address_text(struct sieve_run *r, const struct mime_addr *a)
{
	struct span s;

	part_all(r, a, &s);
	return s;
}

/* What is no address has no parts (RFC 5228 5.1).  A domain with p NULL is that of a path which may
 * do without. */
static bool
is_whole(const struct mime_addr *a)
{
	return a->local.len > 0 && (a->domain.len > 0 || a->domain.p == NULL);
}

static bool
part_local(struct sieve_run *r, const struct mime_addr *a, struct span *part)
{
	(void)r;
	*part = a->local;
	return is_whole(a);
}

static bool
part_domain(struct sieve_run *r, const struct mime_addr *a, struct span *part)
{
	(void)r;
	*part = a->domain;
	return a->domain.len > 0 && is_whole(a);
}

const struct sieve_address_part sieve_base_address_parts[] = {
	{ "all", part_all },
	{ "localpart", part_local },
	{ "domain", part_domain },
	{ 0 }
};
