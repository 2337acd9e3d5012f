/* envelope (RFC 5228 5.4); its parts may come from other extensions. */
#include <string.h>

#include "common/mime/address.h"
#include "common/util/mem.h"
#include "sieve/core.h"
#include "sieve/extensions.h"

static bool
get_from(struct sieve_run *r, struct span *value)
{
	*value = sieve_env(r)->envelope.from;
	return value->p != NULL;
}

static bool
get_to(struct sieve_run *r, struct span *value)
{
	*value = sieve_env(r)->envelope.to;
	return value->p != NULL;
}

static bool
get_orig_to(struct sieve_run *r, struct span *value)
{
	*value = sieve_env(r)->envelope.orig_to;
	if (value->p == NULL)
		*value = sieve_env(r)->envelope.to;
	return value->p != NULL;
}

static bool
get_auth(struct sieve_run *r, struct span *value)
{
	*value = sieve_env(r)->envelope.auth;
	return value->p != NULL;
}

static const struct sieve_envelope_part parts[] = {
	{ "from", true, get_from },
	{ "to", true, get_to },
	{ "auth", true, get_auth },
	{ "orig_to", true, get_orig_to },
	{ 0 }
};

/* The part of that name in one of the extensions of set; *ext is its place. */
static const struct sieve_envelope_part *
find_part(const struct sieve_script *s, const struct sieve_set *set, struct span name,
    size_t *ext)
{
	for (size_t i = 0; i < s->n_exts; i++) {
		const struct sieve_envelope_part *p = s->exts[i]->envelope_parts;

		if (!sieve_set_has(set, i))
			continue;
		for (; p != NULL && p->name != NULL; p++) {
			*ext = i;
			if (span_caseeq_str(name, p->name))
				return p;
		}
	}
	return NULL;
}

static void
check(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_strings *names = &n->args[0].s;
	const struct sieve_envelope_part *p;
	size_t ext;

	for (size_t i = 0; i < names->n; i++) {
		const struct sieve_string *s = &names->v[i];

		if (!sieve_constant(s))
			continue;
		if ((p = find_part(c->script, &c->script->required, s->text, &ext)) != NULL)
			sieve_set_add(&c->used, ext);
		else if ((p = find_part(c->script, &c->script->possible, s->text, &ext)) != NULL)
			sieve_c_need(c, n, ext);
		else
			sieve_c_lack(c, n, (struct sieve_place){ s->line, s->column },
			    "unknown part of the envelope \"%.*s\": expected \"from\" or \"to\"",
			    (int)(s->text.len < 32 ? s->text.len : 32), s->text.p);
		if (p != NULL && !p->address && n->part_given)
			sieve_error_at(c, s->line, s->column, "\"%s\" is no address: ':%s' cannot "
			    "be asked of it", p->name, n->part->name);
	}
}

static enum sieve_step
many_values(struct sieve_run *r, const struct sieve_node *n, const struct sieve_envelope_part *p,
    struct sieve_matching *m)
{
	struct span v[16];
	size_t count = p->values(r, n, v, ARRAY_LEN(v));
	enum sieve_step step = SIEVE_NEXT;

	for (size_t i = 0; i < count && step == SIEVE_NEXT && !m->hit; i++)
		step = sieve_matching_value(m, v[i]);
	return step;
}

static enum sieve_step
one_part(struct sieve_run *r, const struct sieve_node *n, const struct sieve_envelope_part *p,
    struct sieve_matching *m)
{
	struct span value;
	struct mime_addr a;

	if (p->values != NULL)
		return many_values(r, n, p, m);
	if (!p->get(r, &value))
		return SIEVE_NEXT;
	if (p->address) {
		/* What is no path has no parts to compare. */
		if (!sieve_path(r->arena, value, &a))
			return SIEVE_NEXT;
		/* The null reverse-path is empty, whatever part is asked for. */
		if (a.local.len == 0 && a.domain.len == 0)
			value = span("", 0);
		else if (!sieve_address_value(r, n, &a, &value))
			return SIEVE_NEXT;
	}
	return sieve_matching_value(m, value);
}

static enum sieve_step
envelope(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	const struct span *names = sieve_strings(r, &n->args[0].s);
	struct sieve_matching m;
	enum sieve_step step;
	size_t ext;

	if (sieve_env(r)->event)	/* RFC 6785 4.6 */
		return sieve_fail(r, n, "'envelope' is not possible in an event of IMAP: "
		    "there is no envelope");
	step = sieve_matching_begin(r, n, &m);
	for (size_t i = 0; i < n->args[0].s.n && step == SIEVE_NEXT && !m.hit; i++) {
		const struct sieve_envelope_part *p;

		p = find_part(r->frame->script, &r->frame->force, names[i], &ext);
		if (p == NULL)
			step = sieve_fail(r, n, "unknown part of the envelope \"%.*s\"",
			    (int)(names[i].len < 32 ? names[i].len : 32), names[i].p);
		else
			step = one_part(r, n, p, &m);
	}
	return sieve_matching_end(&m, step, yes);
}

static const struct sieve_word words[] = {
	{ .kind = SIEVE_TEST, .name = "envelope", .args = "SS",
	    .flags = SIEVE_WORD_MATCH | SIEVE_WORD_ADDRESS, .check = check, .test = envelope,
	    .arg_names = "envelope parts,key list" },
	{ 0 }
};

const struct sieve_ext sieve_ext_envelope = {
	.name = "envelope", .needs = SIEVE_OFFER_ENVELOPE, .words = words, .envelope_parts = parts
};
