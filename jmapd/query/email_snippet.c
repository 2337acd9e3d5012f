/* SearchSnippet/get (RFC 8621 §5.1). */
#include <stdlib.h>

#include "common/util/mem.h"
#include "jmapd/core/ids.h"
#include "jmapd/core/query.h"
#include "jmapd/email/bodies.h"
#include "jmapd/query/methods_priv.h"
#include "jmapd/query/snippet.h"

#define LOOKED_AT ((uint64_t)4 << 20)	/* octets of a message, of which the rest is not looked at */

struct item {
	struct span	text;		/* the id */
	uint64_t	mailbox;	/* 0: there is no such email */
	uint32_t	uid;
	bool		subject_found, preview_found;
	struct span	subject, preview;
};

struct snippet_call {
	struct jmap_call	*c;
	struct filter		filter;
	struct snippet_words	words;
	struct item		*v;		/* by mailbox and uid, when they are read */
	size_t			n, at, end;	/* those of the mailbox that is read */
	struct mirror		*m;
	struct mirror_call	*wait;
	struct bodies		*bodies;
	struct snippet		*snippet;	/* of reading */
	uint32_t		reading;
};

static void read_next(struct snippet_call *x);

static void
on_ended(struct jmap_call *c)
{
	struct snippet_call *x = c->state;

	mirror_cancel(&x->wait);
	bodies_free(&x->bodies);
	snippet_free(&x->snippet);
	filter_fini(&x->filter);
}

static void
put_found(struct json_writer *w, const char *key, bool found, struct span text)
{
	json_key(w, key);
	if (found)
		json_string(w, text);
	else
		json_null(w);
}

static void
answer(struct snippet_call *x)
{
	struct json_writer *w = x->c->out;
	bool missing = false;

	json_begin_object(w);
	json_kv_string(w, "accountId", x->c->account->id);
	json_key(w, "list");
	json_begin_array(w);
	for (size_t i = 0; i < x->n; i++) {
		const struct item *it = &x->v[i];

		missing |= it->mailbox == 0;
		if (it->mailbox == 0)
			continue;
		json_begin_object(w);
		json_kv_string(w, "emailId", it->text);
		put_found(w, "subject", it->subject_found, it->subject);
		put_found(w, "preview", it->preview_found, it->preview);
		json_end_object(w);
	}
	json_end_array(w);
	json_key(w, "notFound");
	if (missing) {
		json_begin_array(w);
		for (size_t i = 0; i < x->n; i++) {
			if (x->v[i].mailbox == 0)
				json_string(w, x->v[i].text);
		}
		json_end_array(w);
	} else {
		json_null(w);
	}
	json_end_object(w);
	jmap_call_done(x->c);
}

/* ---- reading ---- */

static uint64_t
wanted(void *arg, uint32_t uid)
{
	(void)arg;
	(void)uid;
	return LOOKED_AT;
}

static void
on_data(void *arg, uint32_t uid, struct span piece)
{
	struct snippet_call *x = arg;

	if (x->reading != uid) {
		snippet_free(&x->snippet);
		x->snippet = snippet_new(&x->words);
		x->reading = uid;
	}
	snippet_feed(x->snippet, piece);
}

/* The same email may have been asked for twice. */
static void
on_message(void *arg, uint32_t uid)
{
	struct snippet_call *x = arg;
	struct buf subject = { 0 }, preview = { 0 };

	if (x->snippet == NULL || x->reading != uid)
		return;
	snippet_finish(x->snippet);
	for (size_t i = x->at; i < x->end; i++) {
		struct item *it = &x->v[i];

		if (it->uid != uid)
			continue;
		buf_clear(&subject);
		buf_clear(&preview);
		it->subject_found = snippet_subject(x->snippet, &subject);
		it->preview_found = snippet_preview(x->snippet, &preview);
		it->subject = arena_span(x->c->arena, buf_span(&subject));
		it->preview = arena_span(x->c->arena, buf_span(&preview));
	}
	snippet_free(&x->snippet);
	x->reading = 0;
	buf_fini(&subject);
	buf_fini(&preview);
}

/* A mailbox that went meanwhile has nothing to show. */
static void
on_read(void *arg, enum status st)
{
	struct snippet_call *x = arg;

	bodies_free(&x->bodies);
	if (st == ST_OK || st == ST_NOT_FOUND)
		read_next(x);
	else
		jmap_call_status(x->c, st, "reading the messages");
}

static void
read_next(struct snippet_call *x)
{
	static const struct bodies_ops ops = { wanted, on_data, on_message, on_read };
	struct uidset uids = { 0 };

	while (x->end < x->n && x->v[x->end].mailbox == 0)
		x->end++;
	if (x->end == x->n) {
		answer(x);
		return;
	}
	x->at = x->end;
	while (x->end < x->n && x->v[x->end].mailbox == x->v[x->at].mailbox)
		uidset_add(&uids, x->v[x->end++].uid);
	x->bodies = bodies_start(x->c->account->store, x->v[x->at].mailbox, &uids, &ops, x);
	uidset_fini(&uids);
}

/* ---- the call ---- */

static int
by_place(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->mailbox != y->mailbox)
		return x->mailbox < y->mailbox ? -1 : 1;
	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void
on_fresh(void *arg, enum status st)
{
	struct snippet_call *x = arg;

	x->wait = NULL;
	if (st != ST_OK) {
		query_refuse(x->c, st);
		return;
	}
	for (size_t i = 0; i < x->n; i++) {
		struct item *it = &x->v[i];
		uint64_t id;

		if (object_id_parse(it->text, OBJECT_EMAIL, &id))
			mirror_place(x->m, id, 0, &it->mailbox, &it->uid);
	}
	if (x->words.n_subject + x->words.n_body == 0) {
		answer(x);
		return;
	}
	qsort(x->v, x->n, sizeof(*x->v), by_place);
	read_next(x);
}

static bool
read_ids(struct snippet_call *x, const struct json *ids)
{
	struct jmap_call *c = x->c;

	if (json_count(ids) > c->host->limits->max_objects_in_get) {
		jmap_call_error(c, "requestTooLarge", "emailIds: more than maxObjectsInGet");
		return false;
	}
	x->v = arena_array(c->arena, json_count(ids) + 1, sizeof(*x->v));
	for (; x->n < json_count(ids); x->n++) {
		struct span text;

		if (!json_as_string(json_item(ids, x->n), &text)) {
			jmap_call_error(c, "invalidArguments", "emailIds: not an array of ids");
			return false;
		}
		text = jmap_call_resolve(c, text).p != NULL ? jmap_call_resolve(c, text) : text;
		x->v[x->n].text = arena_span(c->arena, text);
	}
	return true;
}

void
jmap_snippet_get(struct jmap_call *c)
{
	struct snippet_call *x = arena_zalloc(c->arena, sizeof(*x));
	const struct json *filter = jmap_arg_object(c, "filter"), *ids = jmap_arg_array(c, "emailIds");

	x->c = c;
	c->state = x;
	c->ended = on_ended;
	if (ids == NULL)
		jmap_arg_bad(c, "emailIds", "an array of ids is required");
	if (!jmap_args_end(c) || !read_ids(x, ids) || !query_filter(c, filter, &x->filter))
		return;
	snippet_words(&x->filter, c->arena, &x->words);
	x->m = jmap_call_mirror(c);
	x->wait = mirror_fresh(x->m, on_fresh, x);
}
