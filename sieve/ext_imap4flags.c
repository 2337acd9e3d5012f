/* imap4flags (RFC 5232).  Lists of flags are strings in which blanks part the flags: those of
 * variables, and the internal one, which all stores without ":flags" take. */
#include <string.h>

#include "common/mail/flags.h"
#include "sieve/core.h"
#include "sieve/extensions.h"

#define FLAGS_MAX 128u		/* further ones are ignored */

struct flag_list {
	struct span	*v;
	size_t		n;
};

struct state {
	struct span	flags;		/* the internal variable */
	/* Of an event: what the message's are to be, by the last command that said so. */
	bool		said;
	struct span	wanted;
};

static bool
is_flag(struct span s)
{
	return flag_system_parse(s) != 0 || keyword_valid(s);
}

static size_t
find(const struct flag_list *l, struct span flag)
{
	size_t i = 0;

	while (i < l->n && !span_caseeq(l->v[i], flag))
		i++;
	return i;
}

/* The flags in a string, those that are none ignored (RFC 5232 2), none twice.  any: whatever is
 * between blanks. */
static void
add_flags(struct flag_list *l, struct span s, bool any)
{
	while (s.len > 0) {
		struct span flag = span_trim(span_cut(&s, ' '));

		if (flag.len > 0 && (any || is_flag(flag)) && l->n < FLAGS_MAX &&
		    find(l, flag) == l->n)
			l->v[l->n++] = flag;
	}
}

static struct flag_list
new_list(struct sieve_run *r)
{
	return (struct flag_list){ sieve_alloc(r, FLAGS_MAX * sizeof(struct span)), 0 };
}

static struct flag_list
list_of(struct sieve_run *r, const struct sieve_strings *s)
{
	const struct span *v = sieve_strings(r, s);
	struct flag_list l = new_list(r);

	for (size_t i = 0; i < s->n; i++)
		add_flags(&l, v[i], false);
	return l;
}

static struct span
join(struct sieve_run *r, const struct flag_list *l)
{
	struct buf b = { 0 };
	struct span s;

	for (size_t i = 0; i < l->n; i++) {
		if (i > 0)
			buf_add_c(&b, ' ');
		buf_add_span(&b, l->v[i]);
	}
	s = sieve_span(r, buf_span(&b));
	buf_fini(&b);
	return s;
}

/* --- what is stored -------------------------------------------------------------------------- */

static void
give(struct sieve_run *r, struct sieve_store *store)
{
	struct state *st = sieve_run_state(r, &sieve_ext_imap4flags, sizeof(*st));
	struct flag_list l;

	if (store->fcc_of != NULL || st->flags.len == 0)
		return;
	l = new_list(r);
	add_flags(&l, st->flags, false);
	store->flags = l.v;
	store->n_flags = l.n;
}

static void
want(struct sieve_run *r, struct span flags)
{
	struct state *st = sieve_run_state(r, &sieve_ext_imap4flags, sizeof(*st));

	st->said = true;
	st->wanted = flags;
}

static enum sieve_step
act_flags(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_action *a)
{
	struct flag_list l;

	(void)n;
	if (a->kind != SIEVE_STORE)
		return SIEVE_NEXT;
	l = list_of(r, &t->value.s);
	a->store.flags = l.v;
	a->store.n_flags = l.n;
	if (a->store.keep && a->store.fcc_of == NULL)
		want(r, join(r, &l));
	return SIEVE_NEXT;
}

/* --- setflag, addflag, removeflag ------------------------------------------------------------ */

/* "sS": the variable is named.  data: it. */
static void
check_variable(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_strings *flags = &n->args[n->n_args - 1].s;

	if (n->n_args == 2) {
		if (!sieve_c_required(c, "variables")) {
			sieve_error(c, n, "'%s' with a variable needs require \"variables\"",
			    n->word->name);
			return;
		}
		/* Its error is told there. */
		n->data = (void *)(uintptr_t)sieve_c_variable(c, &n->args[0].s.v[0]);
	}
	for (size_t i = 0; i < flags->n; i++) {
		struct span rest = flags->v[i].text;

		while (sieve_constant(&flags->v[i]) && rest.len > 0) {
			struct span flag = span_cut(&rest, ' ');

			if (flag.len > 0 && !is_flag(flag))
				sieve_warn(c, n, "\"%.*s\" is no flag: it is ignored",
				    (int)(flag.len < 64 ? flag.len : 64), flag.p);
		}
	}
}

static struct span
get(struct sieve_run *r, const struct sieve_node *n)
{
	struct state *st = sieve_run_state(r, &sieve_ext_imap4flags, sizeof(*st));

	return n->data != NULL ? sieve_get_variable(r, n->data) : st->flags;
}

static enum sieve_step
set(struct sieve_run *r, const struct sieve_node *n, const struct flag_list *l)
{
	struct state *st = sieve_run_state(r, &sieve_ext_imap4flags, sizeof(*st));
	struct span s = join(r, l);

	if (n->data != NULL)
		return sieve_set_variable(r, n, n->data, s);
	st->flags = s;
	want(r, s);
	sieve_set_flags_fn(r, give);
	return SIEVE_NEXT;
}

static enum sieve_step
setflag(struct sieve_run *r, const struct sieve_node *n)
{
	struct flag_list l = list_of(r, &n->args[n->n_args - 1].s);

	return set(r, n, &l);
}

static enum sieve_step
addflag(struct sieve_run *r, const struct sieve_node *n)
{
	struct flag_list more = list_of(r, &n->args[n->n_args - 1].s), l = new_list(r);

	add_flags(&l, get(r, n), false);
	for (size_t i = 0; i < more.n; i++)
		add_flags(&l, more.v[i], false);
	return set(r, n, &l);
}

static enum sieve_step
removeflag(struct sieve_run *r, const struct sieve_node *n)
{
	struct flag_list less = list_of(r, &n->args[n->n_args - 1].s), all = new_list(r);
	struct flag_list l = new_list(r);

	add_flags(&all, get(r, n), false);
	for (size_t i = 0; i < all.n; i++)
		if (find(&less, all.v[i]) == less.n)
			l.v[l.n++] = all.v[i];
	return set(r, n, &l);
}

/* --- hasflag --------------------------------------------------------------------------------- */

struct variables {
	const struct sieve_variable	**v;
	size_t				n;
};

static void
check_hasflag(struct sieve_compile *c, struct sieve_node *n)
{
	struct variables *vars;

	if (n->n_args < 2)
		return;
	if (!sieve_c_required(c, "variables")) {
		sieve_error(c, n, "'hasflag' with variables needs require \"variables\"");
		return;
	}
	vars = sieve_c_alloc(c, sizeof(*vars));
	vars->n = n->args[0].s.n;
	vars->v = sieve_c_alloc(c, (vars->n + 1) * sizeof(*vars->v));
	for (size_t i = 0; i < vars->n; i++)
		vars->v[i] = sieve_c_variable(c, &n->args[0].s.v[i]);
	n->data = vars;
}

/* A key may be a list, too. */
static void
split_keys(struct sieve_run *r, struct sieve_matching *m)
{
	struct flag_list l;
	size_t i = 0;

	while (i < m->n_keys && span_find(m->keys[i], ' ') == m->keys[i].len)
		i++;
	if (i == m->n_keys)
		return;
	l = new_list(r);
	for (i = 0; i < m->n_keys; i++)
		add_flags(&l, m->keys[i], true);
	m->keys = l.v;
	m->n_keys = l.n;
	m->folded = NULL;
}

static enum sieve_step
hasflag(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	const struct variables *vars = n->data;
	struct flag_list l = new_list(r);
	struct sieve_matching m;
	enum sieve_step step = sieve_matching_begin(r, n, &m);

	if (step == SIEVE_NEXT)
		split_keys(r, &m);
	if (vars == NULL) {
		struct state *st = sieve_run_state(r, &sieve_ext_imap4flags, sizeof(*st));

		add_flags(&l, st->flags, false);
	} else {
		for (size_t i = 0; i < vars->n; i++)
			add_flags(&l, sieve_get_variable(r, vars->v[i]), false);
	}
	for (size_t i = 0; i < l.n && step == SIEVE_NEXT && !m.hit; i++)
		step = sieve_matching_value(&m, l.v[i]);
	return sieve_matching_end(&m, step, yes);
}

void
sieve_flags_set(struct sieve_run *r, const char *const *names, size_t count)
{
	struct state *st = sieve_run_state(r, &sieve_ext_imap4flags, sizeof(*st));
	struct flag_list l = new_list(r);

	for (size_t i = 0; i < count; i++)
		add_flags(&l, span_str(names[i]), false);
	st->flags = join(r, &l);
}

void
sieve_flags_begin(struct sieve_run *r)
{
	const struct sieve_env *env = sieve_env(r);
	struct state *st = sieve_run_state(r, &sieve_ext_imap4flags, sizeof(*st));
	struct flag_list l = new_list(r);

	for (size_t i = 0; i < env->n_flags; i++)
		add_flags(&l, env->flags[i], false);
	st->flags = join(r, &l);
	sieve_set_flags_fn(r, give);
}

void
sieve_flags_end(struct sieve_run *r)
{
	const struct state *st = sieve_run_state(r, &sieve_ext_imap4flags, sizeof(*st));
	struct flag_list l;

	if (!st->said)
		return;
	l = new_list(r);
	add_flags(&l, st->wanted, false);
	r->result->flagged = true;
	r->result->flags = l.v;
	r->result->n_flags = l.n;
}

static const struct sieve_word words[] = {
	{ .kind = SIEVE_COMMAND, .name = "setflag", .args = "sS|S", .check = check_variable,
	    .run = setflag },
	{ .kind = SIEVE_COMMAND, .name = "addflag", .args = "sS|S", .check = check_variable,
	    .run = addflag },
	{ .kind = SIEVE_COMMAND, .name = "removeflag", .args = "sS|S", .check = check_variable,
	    .run = removeflag },
	{ .kind = SIEVE_TEST, .name = "hasflag", .args = "SS|S", .flags = SIEVE_WORD_MATCH,
	    .check = check_hasflag, .test = hasflag },
	{ 0 }
};

static const struct sieve_tag tags[] = {
	{ .name = "flags", .on = "keep fileinto vacation notify", .value = 'S',
	    .check = sieve_c_fcc_tag, .act = act_flags },
	{ 0 }
};

const struct sieve_ext sieve_ext_imap4flags = {
	.name = "imap4flags", .words = words, .tags = tags
};
