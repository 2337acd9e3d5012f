#include "imapd/filters.h"

#include "imapd/finding.h"

struct filters {
	struct imap_search	q;	/* of the arguments as they are */
	void			(*parse)(struct imap_args *a, struct imap_search *s);
	void			(*again)(struct imap_cmd *cmd, void *arg);
	void			*arg;
	unsigned		pass;
	struct store_call	*call;
	struct span		values[IMAP_SEARCH_FILTERS];
};

static void ask(struct imap_cmd *cmd, struct filters *f);

static void
filters_release(struct imap_cmd *cmd)
{
	struct filters *f = cmd->data;

	store_cancel(&f->call);
}

static void
undefined(struct imap_cmd *cmd, struct span name)
{
	buf_clear(&cmd->result);
	buf_add_str(&cmd->result, "NO [UNDEFINED-FILTER ");
	buf_add_span(&cmd->result, name);
	buf_add_str(&cmd->result, "] There is no such filter");
	imap_cmd_end_result(cmd);
}

/* Reads without taking anything. */
static bool
look(struct imap_cmd *cmd, struct filters *f)
{
	struct imap_args a = cmd->args;

	f->q = (struct imap_search){ .off = imap_search_off(cmd->session, f->parse == imap_sort_parse),
		.collation = cmd->session->collation };
	f->parse(&a, &f->q);
	return imap_args_end(&a) && f->q.n_filters > 0;
}

static void
replace(struct imap_cmd *cmd, struct filters *f)
{
	struct imap_args *a = &cmd->args;
	struct buf text = { 0 };
	const char *from = a->p;

	for (size_t i = 0; i < f->q.n_filters; i++) {
		struct span at = f->q.filters[i].at;

		buf_add(&text, from, (size_t)(at.p - from));
		buf_add_span(&text, f->values[i]);
		from = at.p + at.len;
	}
	buf_add(&text, from, (size_t)(a->end - from));
	if (text.len <= FILTERS_TEXT_MAX) {
		struct span copy = arena_span(&cmd->arena, buf_span(&text));

		imap_args_init(a, copy, &cmd->arena);
	}
	buf_fini(&text);
}

static void
go_on(struct imap_cmd *cmd)
{
	struct filters *f = cmd->data;

	for (size_t i = 0; i < f->q.n_filters; i++) {
		/* Half a criterion would change what stands behind it. */
		if (f->values[i].len == 0 ||
		    !imap_search_criteria(f->values[i], &cmd->arena, f->q.off)) {
			undefined(cmd, f->q.filters[i].name);
			return;
		}
	}
	if ((size_t)(cmd->args.end - cmd->args.p) > FILTERS_TEXT_MAX) {
		imap_cmd_end(cmd, "NO [LIMIT] The search is too long with its filters");
		return;
	}
	replace(cmd, f);
	if (!look(cmd, f)) {
		cmd->data = NULL;
		cmd->release = NULL;
		f->again(cmd, f->arg);
	} else if (++f->pass == FILTERS_PASSES) {
		undefined(cmd, f->q.filters[0].name);
	} else {
		ask(cmd, f);
	}
}

static void
take_value(struct imap_cmd *cmd, struct filters *f, const struct store_metadata *e)
{
	for (size_t i = 0; i < f->q.n_filters; i++) {
		if (span_caseeq(span_sub(e->name, sizeof(FILTERS_PREFIX) - 1, e->name.len),
		    f->q.filters[i].name))
			f->values[i] = arena_span(&cmd->arena, e->value);
	}
}

static void
on_values(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct filters *f = cmd->data;
	const struct store_metadata_is *is = msg;
	struct store_metadata e;
	struct reader r;

	if (st == ST_OK && is != NULL && is->entries.len > 0) {
		reader_init(&r, is->entries.p, is->entries.len);
		while (get_store_metadata(&r, &e))
			take_value(cmd, f, &e);
	}
	if (more)
		return;
	f->call = NULL;
	if (st != ST_OK)
		imap_cmd_done(cmd, st);
	else if (is != NULL && is->resume != 0)
		imap_cmd_end(cmd, "NO [LIMIT] The filters are too long");
	else
		go_on(cmd);
}

static void
ask(struct imap_cmd *cmd, struct filters *f)
{
	struct store_metadata_get rq = { .max_size = STORE_METADATA_VALUE_MAX };
	struct buf names = { 0 }, name = { 0 };

	for (size_t i = 0; i < f->q.n_filters; i++) {
		f->values[i] = SPAN_NONE;
		buf_clear(&name);
		buf_add_str(&name, FILTERS_PREFIX);
		for (size_t k = 0; k < f->q.filters[i].name.len; k++) {
			char c = f->q.filters[i].name.p[k];

			buf_add_c(&name, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
		}
		put_span(&names, buf_span(&name));
	}
	rq.names = buf_span(&names);
	f->call = store_do_metadata_get(cmd->session->home, &rq, on_values, cmd);
	buf_fini(&names);
	buf_fini(&name);
}

bool
imap_filters_expand(struct imap_cmd *cmd, void (*parse)(struct imap_args *a, struct imap_search *s),
    void (*again)(struct imap_cmd *cmd, void *arg), void *arg)
{
	struct filters *f;

	if (!imap_cap_on(cmd->session, CAP_FILTERS))
		return false;
	f = arena_zalloc(&cmd->arena, sizeof(*f));
	f->parse = parse;
	f->again = again;
	f->arg = arg;
	if (!look(cmd, f))
		return false;
	if (f->q.charset.len > 0 && !span_caseeq_str(f->q.charset, "UTF-8") &&
	    !span_caseeq_str(f->q.charset, "US-ASCII")) {
		imap_cmd_end(cmd, "BAD [BADCHARSET (US-ASCII UTF-8)] Filters are UTF-8");
		return true;
	}
	cmd->data = f;
	cmd->release = filters_release;
	ask(cmd, f);
	return true;
}
