#include "jmapd/core/set.h"

#include <stdarg.h>
#include <stdlib.h>

#include "common/json/pointer.h"
#include "common/util/mem.h"

static void
list_init_text(struct json_writer *w, struct buf *text, bool object)
{
	json_writer_init(w, text);
	if (object)
		json_begin_object(w);
	else
		json_begin_array(w);
}

/* The ids to destroy, each once. */
static void
read_destroy(struct jmap_call *c, struct jmap_set *s)
{
	const struct json *list = jmap_arg_array(c, "destroy");

	if (json_count(list) > c->host->limits->max_objects_in_set) {
		s->destroy_count = json_count(list);
		return;
	}
	s->destroy = arena_array(c->arena, json_count(list) + 1, sizeof(*s->destroy));
	jmap_ids_once(c, "destroy", list, s->destroy, &s->destroy_count);
}

static void
objects_within(struct jmap_call *c, const char *arg, const struct json *map)
{
	const struct json *v;
	struct span key;
	void *pos = NULL;

	while (json_next(map, &pos, &key, &v))
		if (!json_is_object(v))
			jmap_arg_bad(c, arg, "every member must be an object");
}

bool
jmap_set_args(struct jmap_call *c, struct jmap_set *s)
{
	const uint64_t max = c->host->limits->max_objects_in_set;

	*s = (struct jmap_set){ .if_in_state = jmap_arg_string(c, "ifInState") };
	s->create = jmap_arg_object(c, "create");
	s->update = jmap_arg_object(c, "update");
	s->create_count = json_members(s->create);
	s->update_count = json_members(s->update);
	read_destroy(c, s);
	if (s->create_count + s->update_count + s->destroy_count > max) {
		jmap_call_error(c, "requestTooLarge", "more than maxObjectsInSet, which is %llu",
		    (unsigned long long)max);
		return false;
	}
	objects_within(c, "create", s->create);
	objects_within(c, "update", s->update);
	jmap_set_begin(s);
	return true;
}

void
jmap_set_begin(struct jmap_set *s)
{
	for (int i = 0; i < 3; i++) {
		list_init_text(&s->lists[i].done, &s->lists[i].done_text, i != JMAP_DESTROY);
		list_init_text(&s->lists[i].failed, &s->lists[i].failed_text, true);
	}
}

void
jmap_set_fini(struct jmap_set *s)
{
	for (int i = 0; i < 3; i++) {
		buf_fini(&s->lists[i].done_text);
		buf_fini(&s->lists[i].failed_text);
	}
}

struct json_writer *
jmap_set_created(struct jmap_set *s, struct span creation_id)
{
	json_key_span(&s->lists[JMAP_CREATE].done, creation_id);
	return &s->lists[JMAP_CREATE].done;
}

struct json_writer *
jmap_set_updated(struct jmap_set *s, struct span id)
{
	json_key_span(&s->lists[JMAP_UPDATE].done, id);
	return &s->lists[JMAP_UPDATE].done;
}

void
jmap_set_destroyed(struct jmap_set *s, struct span id)
{
	json_string(&s->lists[JMAP_DESTROY].done, id);
}

struct json_writer *
jmap_set_failed_more(struct jmap_set *s, enum jmap_set_part part, struct span id,
    const char *type, const char *description)
{
	struct json_writer *w = &s->lists[part].failed;

	json_key_span(w, id);
	json_begin_object(w);
	json_kv_str(w, "type", type);
	json_kv_str(w, "description", description);
	return w;
}

void
jmap_set_failed(struct jmap_set *s, enum jmap_set_part part, struct span id, const char *type,
    const char *properties, const char *fmt, ...)
{
	struct span names = span_str(properties);
	struct json_writer *w;
	struct buf why = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&why, fmt, ap);
	va_end(ap);
	w = jmap_set_failed_more(s, part, id, type, buf_cstr(&why));
	if (properties != NULL) {
		json_key(w, "properties");
		json_begin_array(w);
		while (names.len > 0)
			json_string(w, span_cut(&names, ' '));
		json_end_array(w);
	}
	json_end_object(w);
	buf_fini(&why);
}

void
jmap_set_failed_status(struct jmap_set *s, enum jmap_set_part part, struct span id, enum status st)
{
	static const struct {
		enum status	st;
		const char	*type, *why;
	} table[] = {
		{ ST_NOT_FOUND, "notFound", "it is not there (any more)" },
		{ ST_EXISTS, "alreadyExists", "it is there already" },
		{ ST_DENIED, "forbidden", "this is not allowed" },
		{ ST_OVER_QUOTA, "overQuota", "the account's quota is used up" },
		{ ST_NO_SPACE, "overQuota", "the server's disk is full" },
		{ ST_LIMIT, "rateLimit", "a limit of the server is met" },
		{ ST_CONFLICT, "serverUnavailable", "it changed at the same time, try again" },
		{ ST_UNAVAILABLE, "serverUnavailable",
		    "the store does not answer at the moment, try again" },
		{ ST_EXPIRED, "serverUnavailable", "the login has expired" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].st == st) {
			jmap_set_failed(s, part, id, table[i].type, NULL, "%s", table[i].why);
			return;
		}
	}
	jmap_set_failed(s, part, id, "serverFail", NULL, "%s", status_name(st));
}

void
jmap_set_put_list(struct jmap_call *c, const char *name, struct json_writer *w, bool object)
{
	bool any = w->out->len > 1;

	if (object)
		json_end_object(w);
	else
		json_end_array(w);
	json_key(c->out, name);
	if (any)
		json_raw(c->out, buf_span(w->out));
	else
		json_null(c->out);
}

static void
put_state(struct jmap_call *c, const char *name, struct span state)
{
	json_key(c->out, name);
	if (state.p != NULL)
		json_string(c->out, state);
	else
		json_null(c->out);
}

void
jmap_set_end(struct jmap_call *c, struct jmap_set *s, struct span old, struct span now)
{
	static const char *const done[] = { "created", "updated", "destroyed" };
	static const char *const failed[] = { "notCreated", "notUpdated", "notDestroyed" };

	json_begin_object(c->out);
	if (c->account != NULL) {
		json_kv_string(c->out, "accountId", c->account->id);
		put_state(c, "oldState", old);
		put_state(c, "newState", now);
	}
	for (int i = 0; i < 3; i++)
		jmap_set_put_list(c, done[i], &s->lists[i].done, i != JMAP_DESTROY);
	for (int i = 0; i < 3; i++)
		jmap_set_put_list(c, failed[i], &s->lists[i].failed, true);
	json_end_object(c->out);
	jmap_call_done(c);
}

/* ---- patches ---- */

bool
jmap_path_step(struct span path, struct arena *arena, struct span *step, struct span *rest)
{
	struct buf text = { 0 };
	bool ok = true;

	*rest = path;
	*step = span_cut(rest, '/');
	if (span_find(*step, '~') == step->len)
		return true;
	ok = json_pointer_unescape(*step, &text);
	*step = arena_span(arena, buf_span(&text));
	buf_fini(&text);
	return ok;
}

/* Paths sort so that one which is the beginning of another stands right before the first of
 * those: "/" is the lowest. */
static int
path_cmp(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;

	for (size_t i = 0; i < n; i++) {
		int p = x->p[i] == '/' ? 0 : (unsigned char)x->p[i] + 1;
		int q = y->p[i] == '/' ? 0 : (unsigned char)y->p[i] + 1;

		if (p != q)
			return p - q;
	}
	return (x->len > y->len) - (x->len < y->len);
}

static bool
begins(struct span a, struct span b)
{
	return a.len < b.len && b.p[a.len] == '/' && span_eq(a, span_sub(b, 0, a.len));
}

bool
jmap_patch_check(const struct json *patch, struct arena *arena, const char **why)
{
	struct span *paths = arena_array(arena, json_members(patch) + 1, sizeof(*paths));
	const struct json *v;
	struct span key, step, rest;
	void *pos = NULL;
	size_t n = 0;

	while (json_next(patch, &pos, &key, &v)) {
		paths[n++] = rest = key;
		do {
			if (!jmap_path_step(rest, arena, &step, &rest)) {
				*why = "a path has a ~ that is neither ~0 nor ~1";
				return false;
			}
		} while (rest.p != NULL);
	}
	qsort(paths, n, sizeof(*paths), path_cmp);
	for (size_t i = 1; i < n; i++) {
		if (begins(paths[i - 1], paths[i])) {
			*why = "a path is the beginning of another one";
			return false;
		}
	}
	return true;
}
