/* GETMETADATA and SETMETADATA (RFC 5464).  Shared annotations of the server are the
 * admin's: they come from the configuration and cannot be set. */
#include "imapd/metadata.h"

#include <string.h>

#include "common/proto/imap_print.h"
#include "common/util/mem.h"
#include "imapd/fetch.h"
#include "imapd/filters.h"
#include "imapd/names.h"
#include "imapd/notify.h"

#define DEPTH_ALL 255u

struct imap_metadata {
	struct imap_cmd		*cmd;
	struct span		path;		/* empty: the server */
	struct store		*store;		/* of the mailbox */
	uint64_t		mailbox;
	struct buf		names;		/* put_span, lower case: asked for */
	struct buf		found;		/* the same: told */
	uint8_t			depth;
	uint32_t		max_size;
	uint32_t		longest;	/* of the values left out */
	uint32_t		from;
	struct buf		entries;	/* to set: put_store_metadata */
	void			(*more)(struct imap_cmd *cmd);	/* the client took what was told */
	void			(*told)(struct imap_cmd *cmd);	/* in LIST: what is next */
};

void
imap_metadata_free(struct imap_metadata **qp)
{
	struct imap_metadata *q = *qp;

	*qp = NULL;
	if (q == NULL)
		return;
	buf_fini(&q->names);
	buf_fini(&q->found);
	buf_fini(&q->entries);
}

static void
metadata_release(struct imap_cmd *cmd)
{
	struct imap_metadata *q = cmd->data;

	imap_metadata_free(&q);
}

static struct imap_metadata *
metadata_new(struct imap_cmd *cmd)
{
	struct imap_metadata *q = arena_zalloc(&cmd->arena, sizeof(*q));

	q->cmd = cmd;
	q->store = cmd->session->home;
	q->max_size = UINT32_MAX;
	return q;
}

static struct imap_metadata *
metadata_command(struct imap_cmd *cmd)
{
	struct imap_metadata *q = metadata_new(cmd);

	cmd->data = q;
	cmd->release = metadata_release;
	return q;
}

/* ---- arguments ---- */

/* The empty name means the server. */
static struct span
mailbox_or_server(struct imap_cmd *cmd)
{
	struct imap_args *a = &cmd->args, copy = *a;

	if (!imap_cap_on(cmd->session, CAP_METADATA_SERVER) || imap_args_astring(&copy).len > 0 || !imap_args_good(&copy))
		return imap_args_mailbox(a);
	*a = copy;
	return SPAN_NONE;
}

/* An entry's name in lower case: they differ by more than case (RFC 5464 §3.1). */
static struct span
entry_name(struct imap_args *a)
{
	struct span name = imap_args_astring(a), copy = arena_span(a->arena, name);
	char *p = (char *)(uintptr_t)copy.p;

	for (size_t i = 0; i < copy.len; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c >= 'A' && c <= 'Z')
			p[i] = (char)(c | 0x20);
		else if (c <= ' ' || c >= 0x7f || c == '*' || c == '%' ||
		    (c == '/' && i > 0 && p[i - 1] == '/'))
			imap_args_fail(a, "Malformed name of an entry");
	}
	if (copy.len > STORE_METADATA_NAME_MAX)
		imap_args_fail(a, "The name of an entry is too long");
	if (!span_has_prefix(copy, "/shared") && !span_has_prefix(copy, "/private"))
		imap_args_fail(a, "An entry is /shared/... or /private/...");
	return copy;
}

static void
option(struct imap_args *a, struct imap_metadata *q)
{
	if (imap_args_word(a, "MAXSIZE")) {
		imap_args_sp(a);
		q->max_size = imap_args_number(a);
	} else if (imap_args_word(a, "DEPTH")) {
		imap_args_sp(a);
		if (imap_args_word(a, "infinity"))
			q->depth = DEPTH_ALL;
		else if (imap_args_word(a, "1"))
			q->depth = 1;
		else if (!imap_args_word(a, "0"))
			imap_args_fail(a, "DEPTH is 0, 1 or infinity");
	} else {
		imap_args_fail(a, "No such option");
	}
}

/* "(" option *(SP option) ")"; the grammar puts them before the mailbox, the examples of the
 * RFC behind it, and clients do both. */
static bool
options(struct imap_args *a, struct imap_metadata *q)
{
	struct imap_args copy = *a;

	if (!imap_args_try(&copy, '('))
		return false;
	if (!imap_args_word(&copy, "MAXSIZE") && !imap_args_word(&copy, "DEPTH"))
		return false;
	imap_args_expect(a, '(');
	do {
		option(a, q);
	} while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
	imap_args_sp(a);
	return true;
}

static void
one_name(struct imap_args *a, struct imap_metadata *q, unsigned n)
{
	struct span name = entry_name(a);

	if (n >= STORE_METADATA_ENTRIES_MAX)
		imap_args_fail(a, "Too many entries");
	if (name.len > 0 && name.p[name.len - 1] == '/')
		imap_args_fail(a, "Malformed name of an entry");
	if (imap_args_good(a))
		put_span(&q->names, name);
}

static void
names(struct imap_args *a, struct imap_metadata *q)
{
	unsigned n = 0;

	if (!imap_args_try(a, '(')) {
		one_name(a, q, 0);
		/* As in an example of the RFC. */
		while (imap_args_try(a, ' '))
			one_name(a, q, ++n);
		return;
	}
	do {
		one_name(a, q, n++);
	} while (imap_args_try(a, ' '));
	imap_args_expect(a, ')');
}

/* ---- which mailbox ---- */

static void get_some(struct imap_metadata *q);
static void set_all(struct imap_cmd *cmd);

static void
on_mailbox(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_metadata *q = cmd->data;
	const struct store_mailboxes *part = msg;
	struct store_mailbox m;
	struct reader r;

	if (st == ST_OK && part != NULL && part->list.len > 0) {
		reader_init(&r, part->list.p, part->list.len);
		if (get_store_mailbox(&r, &m))
			q->mailbox = m.id;
	}
	if (more)
		return;
	if (st != ST_OK || q->mailbox == 0)
		imap_cmd_done(cmd, st != ST_OK ? st : ST_NOT_FOUND);
	else if (q->entries.len > 0)
		set_all(cmd);
	else
		get_some(q);
}

static void
find_mailbox(struct imap_cmd *cmd)
{
	struct imap_metadata *q = cmd->data;
	struct store_list rq = { .path = q->path };
	struct span there = q->path;

	q->store = imap_route(cmd->session, &there);
	imap_list(cmd, &rq, on_mailbox);
}

/* ---- GETMETADATA ---- */

static void
put_head(struct imap_metadata *q, struct buf *out)
{
	buf_add_str(out, "* METADATA ");
	if (q->path.len > 0)
		imap_put_mailbox(q->cmd->session, out, q->path);
	else
		buf_add_str(out, "\"\"");
	buf_add_str(out, " (");
}

static void
put_value(struct buf *out, struct span name, struct span value)
{
	imap_put_string(out, name);
	buf_add_c(out, ' ');
	if (value.len > 0 && memchr(value.p, '\0', value.len) != NULL) {
		fetch_put_literal(out, value.len, true);
		buf_add_span(out, value);
	} else {
		imap_put_nstring(out, value);
	}
}

static bool
is_in(const struct buf *list, struct span name)
{
	struct reader r;

	reader_init(&r, list->data, list->len);
	while (r.p < r.end) {
		if (span_eq(get_span(&r), name))
			return true;
	}
	return false;
}

/* What was asked for by name and is not there is NIL. */
static void
put_missing(struct imap_metadata *q, struct buf *out)
{
	struct reader r;
	bool any = false;

	reader_init(&r, q->names.data, q->names.len);
	while (r.p < r.end) {
		struct span name = get_span(&r);

		if (is_in(&q->found, name))
			continue;
		if (!any)
			put_head(q, out);
		else
			buf_add_c(out, ' ');
		put_value(out, name, SPAN_NONE);
		any = true;
	}
	if (any)
		buf_add_str(out, ")\r\n");
}

static void
tell(struct imap_metadata *q, const struct store_metadata *e, bool *any, struct buf *out)
{
	if (is_in(&q->names, e->name))
		put_span(&q->found, e->name);
	if (!e->given) {
		if (e->size > q->longest)
			q->longest = e->size;
		return;
	}
	if (!*any)
		put_head(q, out);
	else
		buf_add_c(out, ' ');
	put_value(out, e->name, e->value.p != NULL ? e->value : SPAN_LIT(""));
	*any = true;
}

static void
end_get(struct imap_metadata *q)
{
	struct imap_cmd *cmd = q->cmd;

	if (q->depth == 0)
		put_missing(q, imap_out(cmd->session));
	if (q->told != NULL) {
		q->told(cmd);
		return;
	}
	if (q->longest == 0) {
		imap_cmd_done(cmd, ST_OK);
		return;
	}
	buf_clear(&cmd->result);
	buf_addf(&cmd->result, "OK [METADATA LONGENTRIES %u] GETMETADATA completed", q->longest);
	imap_cmd_end_result(cmd);
}

void
imap_server_entries(const struct imap_server *srv, struct imap_server_entry v[IMAP_SERVER_ENTRIES])
{
	v[0] = (struct imap_server_entry){ "/shared/admin", span_str(srv->conf->server_admin) };
	v[1] = (struct imap_server_entry){ "/shared/comment", span_str(srv->conf->server_comment) };
	v[2] = (struct imap_server_entry){ STORE_EVENT_ENTRY, span_str(srv->event_script) };
}

/* Asked for, by its name or by one that it is below of. */
static bool
is_wanted(const struct imap_metadata *q, struct span name)
{
	unsigned up = 0;

	if (is_in(&q->names, name))
		return true;
	for (size_t i = name.len; i > 1 && up < q->depth; i--)
		if (name.p[i - 1] == '/') {
			if (is_in(&q->names, span_sub(name, 0, i - 1)))
				return true;
			up += q->depth == DEPTH_ALL ? 0 : 1;
		}
	return false;
}

/* The server's own shared entries. */
static void
tell_server(struct imap_metadata *q)
{
	struct imap_server_entry own[IMAP_SERVER_ENTRIES];
	struct buf *out = imap_out(q->cmd->session);
	bool any = false;

	imap_server_entries(q->cmd->session->srv, own);
	for (size_t i = 0; i < IMAP_SERVER_ENTRIES; i++) {
		struct store_metadata e = { .name = span_str(own[i].name), .value = own[i].value };

		e.size = (uint32_t)e.value.len;
		e.given = e.size <= q->max_size;
		if (e.size > 0 && is_wanted(q, e.name))
			tell(q, &e, &any, out);
	}
	if (any)
		buf_add_str(out, ")\r\n");
}

static void
on_entries(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_metadata *q = arg;
	struct imap_cmd *cmd = q->cmd;
	const struct store_metadata_is *is = msg;
	struct buf *out = imap_out(cmd->session);
	struct store_metadata e;
	struct reader r;
	bool any = false;

	if (st == ST_OK && is != NULL && is->entries.len > 0) {
		reader_init(&r, is->entries.p, is->entries.len);
		while (get_store_metadata(&r, &e)) {
			if (q->mailbox != 0 || !span_has_prefix(e.name, "/shared"))
				tell(q, &e, &any, out);
		}
		if (any)
			buf_add_str(out, ")\r\n");
	}
	if (is != NULL)
		q->from = is->resume;
	if (more)
		return;
	if (st != ST_OK && q->told != NULL)
		q->told(cmd);
	else if (st != ST_OK)
		imap_cmd_done(cmd, st);
	else if (q->from == 0)
		end_get(q);
	else if (conn_full(cmd->session->conn))
		cmd->drained = q->more;
	else
		get_some(q);
}

static void
get_some(struct imap_metadata *q)
{
	struct store_metadata_get rq = { .mailbox = q->mailbox, .names = buf_span(&q->names),
		.depth = q->depth, .max_size = q->max_size, .from = q->from };

	if (q->mailbox == 0 && q->from == 0)
		tell_server(q);
	store_do_metadata_get(q->store, &rq, on_entries, q);
}

static void
get_more(struct imap_cmd *cmd)
{
	get_some(cmd->data);
}

static void
cmd_getmetadata(struct imap_cmd *cmd)
{
	struct imap_args *a = &cmd->args;
	struct imap_metadata *q = metadata_command(cmd);
	bool had;

	q->more = get_more;
	imap_args_sp(a);
	had = options(a, q);
	q->path = mailbox_or_server(cmd);
	imap_args_sp(a);
	if (!had)
		options(a, q);
	names(a, q);
	if (!imap_args_end(a))
		imap_cmd_syntax(cmd);
	else if (q->path.len > 0)
		find_mailbox(cmd);
	else
		get_some(q);
}

/* ---- of LIST (RFC 9590) ---- */

struct imap_metadata *
imap_args_metadata(struct imap_cmd *cmd, void (*more)(struct imap_cmd *cmd))
{
	struct imap_metadata *q = metadata_new(cmd);

	q->more = more;
	if (imap_args_peek(&cmd->args, '('))
		names(&cmd->args, q);
	else
		imap_args_fail(&cmd->args, "METADATA needs names of entries");
	return q;
}

void
imap_metadata_tell(struct imap_metadata *q, struct span path, uint64_t mailbox,
    void (*done)(struct imap_cmd *cmd))
{
	struct span there = path;

	q->store = imap_route(q->cmd->session, &there);
	q->path = path;
	q->mailbox = mailbox;
	q->told = done;
	q->from = 0;
	buf_clear(&q->found);
	get_some(q);
}

void
imap_metadata_more(struct imap_metadata *q)
{
	get_some(q);
}

/* ---- SETMETADATA ---- */

static void
on_set(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	const struct imap_metadata *q = cmd->data;

	if (st == ST_OK && q->store == cmd->session->home)
		imap_notify_own_metadata(cmd->session, q->path, buf_span(&q->entries));
	if (st == ST_LIMIT)
		imap_cmd_end(cmd, "NO [METADATA TOOMANY] There are too many annotations");
	else
		imap_cmd_done(cmd, st);
}

static void
set_all(struct imap_cmd *cmd)
{
	struct imap_metadata *q = cmd->data;
	struct store_metadata_set rq = { .mailbox = q->mailbox, .entries = buf_span(&q->entries) };

	store_do_metadata_set(q->store, &rq, on_set, cmd);
}

/* What stops a command that was read well; NULL: nothing. */
static const char *
refusal(const struct imap_metadata *q)
{
	struct store_metadata e;
	struct reader r;
	struct buf seen = { 0 };
	const char *why = NULL;

	reader_init(&r, q->entries.data, q->entries.len);
	while (why == NULL && get_store_metadata(&r, &e)) {
		size_t root = span_has_prefix(e.name, "/shared/") ? 8 : 9;

		if (e.name.len <= root || e.name.p[root - 1] != '/' ||
		    e.name.p[e.name.len - 1] == '/')
			why = "NO [CANNOT] There can be no such entry";
		else if (is_in(&seen, e.name))
			why = "NO [CANNOT] An entry is set twice";
		else if (q->path.len == 0 && e.given && e.value.len > 0 &&
		    span_has_prefix(e.name, FILTERS_PREFIX) &&
		    !imap_search_criteria(e.value, &q->cmd->arena, 0))
			why = "NO [CANNOT] The filter is no search criterion";
		else if (q->path.len == 0 && root == 8)
			why = "NO [NOPERM] What the server tells everybody is the admin's to say";
		put_span(&seen, e.name);
	}
	buf_fini(&seen);
	return why;
}

static void
one_entry(struct imap_args *a, struct imap_metadata *q, bool *too_big)
{
	struct store_metadata e = { .name = entry_name(a) };
	bool nil;

	imap_args_sp(a);
	e.value = imap_args_nstring8(a, &nil);
	e.given = !nil;
	if (e.value.len > STORE_METADATA_VALUE_MAX) {
		*too_big = true;
		e.value = SPAN_NONE;
	}
	if (imap_args_good(a))
		put_store_metadata(&q->entries, &e);
}

static void
cmd_setmetadata(struct imap_cmd *cmd)
{
	struct imap_args *a = &cmd->args;
	struct imap_metadata *q = metadata_command(cmd);
	bool too_big = false;
	unsigned n = 0;
	const char *why;

	imap_args_sp(a);
	q->path = mailbox_or_server(cmd);
	imap_args_sp(a);
	imap_args_expect(a, '(');
	do {
		one_entry(a, q, &too_big);
	} while (imap_args_try(a, ' ') && ++n < STORE_METADATA_ENTRIES_MAX);
	imap_args_expect(a, ')');
	if (!imap_args_end(a)) {
		imap_cmd_syntax(cmd);
		return;
	}
	why = refusal(q);
	if (why != NULL) {
		imap_cmd_end(cmd, why);
	} else if (too_big) {
		buf_clear(&cmd->result);
		buf_addf(&cmd->result, "NO [METADATA MAXSIZE %u] A value is too large",
		    STORE_METADATA_VALUE_MAX);
		imap_cmd_end_result(cmd);
	} else if (q->path.len > 0) {
		find_mailbox(cmd);
	} else {
		set_all(cmd);
	}
}

const struct imap_command imap_cmds_metadata[] = {
	/* name			allowed in	flags	cap		run */
	{ "GETMETADATA",	IMAP_IN_LOGIN,	0,	CAP_METADATA,	cmd_getmetadata },
	{ "SETMETADATA",	IMAP_IN_LOGIN,	0,	CAP_METADATA,	cmd_setmetadata },
	{ 0 }
};
