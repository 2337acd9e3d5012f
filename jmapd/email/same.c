#include "jmapd/email/same.h"

#include "common/util/mem.h"
#include "jmapd/email/load.h"

struct same {
	struct jmap_call	*c;
	const struct json	*patch;
	struct json_doc		*names;
	struct email_want	want;
	struct email_load	*load;
	same_fn			done;
	void			*arg;
};

bool
same_is_content(struct span key)
{
	static const char *const others[] = { "id", "blobId", "threadId", "mailboxIds", "keywords",
		"size", "receivedAt" };

	if (span_find(key, '/') < key.len)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (span_eq_str(key, others[i]))
			return false;
	}
	return true;
}

bool
same_asks(const struct json *patch)
{
	const struct json *v;
	struct span key;
	void *pos = NULL;

	while (json_next(patch, &pos, &key, &v)) {
		if (same_is_content(key))
			return true;
	}
	return false;
}

/* ---- comparing ---- */

static bool same_value(const struct json *given, const struct json *is);

/* What a client did not fetch it does not give back. */
static bool
same_members(const struct json *given, const struct json *is)
{
	const struct json *v, *own;
	struct span key;
	void *pos = NULL;

	while (json_next(given, &pos, &key, &v)) {
		const struct json *other;
		struct span name;
		void *at = NULL;
		bool there = false;

		while (!there && json_next(is, &at, &name, &other)) {
			there = span_eq(name, key);
			own = other;
		}
		if (!there || !same_value(v, own))
			return false;
	}
	return true;
}

static bool
same_items(const struct json *given, const struct json *is)
{
	if (json_count(given) != json_count(is))
		return false;
	for (size_t i = 0; i < json_count(given); i++) {
		if (!same_value(json_item(given, i), json_item(is, i)))
			return false;
	}
	return true;
}

static bool
same_value(const struct json *given, const struct json *is)
{
	struct span s, t;
	int64_t n, m;
	bool a, b;

	if (given == NULL || is == NULL)
		return given == is;
	if (json_is_object(given))
		return json_is_object(is) && same_members(given, is);
	if (json_is_array(given))
		return json_is_array(is) && same_items(given, is);
	if (json_as_string(given, &s))
		return json_as_string(is, &t) && span_eq(s, t);
	if (json_as_bool(given, &a))
		return json_as_bool(is, &b) && a == b;
	return json_as_whole(given, &n) && json_as_whole(is, &m) && n == m;
}

static void
compare(const struct same *s, const struct json *is, struct buf *differing)
{
	const struct json *v, *own;
	struct span key, name;
	void *pos = NULL;

	while (json_next(s->patch, &pos, &key, &v)) {
		void *at = NULL;
		bool same = false;

		if (!same_is_content(key))
			continue;
		while (is != NULL && !same && json_next(is, &at, &name, &own))
			same = span_eq(name, key) && same_value(v, own);
		if (same)
			continue;
		if (differing->len > 0)
			buf_add_c(differing, ' ');
		/* no name that there is has a blank */
		buf_add_span(differing, span_find(key, ' ') == key.len && key.len < 100 ? key :
		    SPAN_LIT("?"));
	}
}

/* ---- reading ---- */

static void
on_loaded(void *arg, enum status st, const struct email_object *o)
{
	struct same *s = arg;
	struct buf text = { 0 }, differing = { 0 };
	struct json_doc *doc = NULL;
	struct json_writer w;
	struct span names;

	if (st == ST_OK) {
		json_writer_init(&w, &text);
		email_put(o, &w, s->c->arena);
		(void)json_parse(buf_span(&text), SIZE_MAX, &doc);
	}
	compare(s, doc != NULL ? json_root(doc) : NULL, &differing);
	names = arena_span(s->c->arena, buf_span(&differing));
	json_free(&doc);
	buf_fini(&text);
	buf_fini(&differing);
	s->done(s->arg, names);
}

/* None of the properties is put by us. */
static void
put_own(void *arg, struct json_writer *w, enum email_property p)
{
	(void)arg;
	(void)p;
	json_null(w);
}

static bool
is_known(struct arena *a, struct span key)
{
	struct buf text = { 0 };
	struct json_doc *doc = NULL;
	struct email_want want = { .n = 0 };
	const char *argument;
	struct json_writer w;
	struct span why;
	bool known;

	json_writer_init(&w, &text);
	json_begin_array(&w);
	json_string(&w, key);
	json_end_array(&w);
	known = json_parse(buf_span(&text), SIZE_MAX, &doc) == ST_OK &&
	    email_want_read(a, json_root(doc), NULL, true, &want, &argument, &why);
	json_free(&doc);
	buf_fini(&text);
	return known;
}

/* The names of the properties to read, and of all that parts have. */
static void
put_names(const struct same *s, struct json_writer *w)
{
	const struct json *v;
	struct span key;
	void *pos = NULL;

	json_begin_array(w);
	json_begin_array(w);
	while (json_next(s->patch, &pos, &key, &v)) {
		if (same_is_content(key) && is_known(s->c->arena, key))
			json_string(w, key);
	}
	json_end_array(w);
	json_begin_array(w);
	for (unsigned p = PART_ID; p < PART_NAMED; p++)
		json_str(w, part_property_name((enum part_property)p));
	json_end_array(w);
	json_end_array(w);
}

static bool
read_want(struct same *s)
{
	struct buf text = { 0 };
	const struct json *root;
	const char *argument;
	struct json_writer w;
	struct span why;
	bool good;

	json_writer_init(&w, &text);
	put_names(s, &w);
	good = json_parse(buf_span(&text), SIZE_MAX, &s->names) == ST_OK;
	root = good ? json_root(s->names) : NULL;
	good = good && email_want_read(s->c->arena, json_item(root, 0), json_item(root, 1), true,
	    &s->want, &argument, &why);
	s->want.all_values = true;
	if (good)
		email_want_needs(&s->want);
	buf_fini(&text);
	return good;
}

struct same *
same_start(struct jmap_call *c, uint64_t email, const struct json *patch, same_fn done, void *arg)
{
	const struct blob_id id = { .kind = BLOB_EMAIL, .number = email };
	struct same *s = mem_zalloc(sizeof(*s));

	s->c = c;
	s->patch = patch;
	s->done = done;
	s->arg = arg;
	/* More properties than can be asked for are not the Email's. */
	if (!read_want(s))
		s->want.n = 0;
	s->load = email_load_start(c, &id, &s->want, c->host->limits->max_size_answer, put_own, s,
	    on_loaded, s);
	return s;
}

void
same_free(struct same **sp)
{
	struct same *s = *sp;

	if (s == NULL)
		return;
	email_load_free(&s->load);
	json_free(&s->names);
	mem_free(sp);
}
