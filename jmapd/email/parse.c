/* Email/parse (RFC 8621 §4.9): blobs one after the other. */
#include "common/util/mem.h"
#include "common/util/table.h"
#include "jmapd/core/set.h"
#include "jmapd/email/load.h"
#include "jmapd/email/methods.h"

struct parse {
	struct jmap_call	*c;
	struct email_want	want;
	struct span		*ids;
	size_t			n, at;
	struct email_load	*load;
	struct arena		work;
	struct buf		parsed, bad, missing;	/* members of the answer */
	struct json_writer	parsed_w, bad_w, missing_w;
};

static void
ended(struct jmap_call *c)
{
	struct parse *p = c->state;

	email_load_free(&p->load);
	arena_fini(&p->work);
	buf_fini(&p->parsed);
	buf_fini(&p->bad);
	buf_fini(&p->missing);
	mem_free(&c->state);
}

/* What no message has that is in no mailbox. */
static void
put_own(void *arg, struct json_writer *w, enum email_property p)
{
	if (p == EMAIL_SIZE)
		json_uint(w, ((struct email_object *)arg)->structure.size);
	else
		json_null(w);
}

static void
finish(struct parse *p)
{
	struct jmap_call *c = p->c;

	json_begin_object(c->out);
	json_kv_string(c->out, "accountId", c->account->id);
	jmap_set_put_list(c, "parsed", &p->parsed_w, true);
	jmap_set_put_list(c, "notParsable", &p->bad_w, false);
	jmap_set_put_list(c, "notFound", &p->missing_w, false);
	json_end_object(c->out);
	jmap_call_done(c);
}

static void next(struct parse *p);

static void
on_loaded(void *arg, enum status st, const struct email_object *o)
{
	struct parse *p = arg;
	struct span id = p->ids[p->at];

	if (st == ST_OK) {
		struct email_object with = *o;

		/* Its structure stays o's: this is only to tell its size. */
		with.arg = (void *)(uintptr_t)o;
		json_key_span(&p->parsed_w, id);
		email_put(&with, &p->parsed_w, &p->work);
		arena_reset(&p->work);
	} else if (st == ST_NOT_FOUND)
		json_string(&p->missing_w, id);
	else if (st == ST_SYNTAX)
		json_string(&p->bad_w, id);
	email_load_free(&p->load);
	p->at++;
	if (st == ST_LIMIT || p->parsed.len > p->c->host->limits->max_size_answer)
		jmap_call_too_large(p->c);
	else if (st != ST_OK && st != ST_NOT_FOUND && st != ST_SYNTAX)
		jmap_call_status(p->c, st, "reading a blob");
	else
		next(p);
}

static void
next(struct parse *p)
{
	uint64_t max = p->c->host->limits->max_size_answer;
	struct blob_id id;

	for (; p->at < p->n; p->at++) {
		if (!blob_id_parse(p->ids[p->at], &id)) {
			json_string(&p->missing_w, p->ids[p->at]);
			continue;
		}
		p->load = email_load_start(p->c, &id, &p->want,
		    max > p->parsed.len ? (size_t)(max - p->parsed.len) : 0, put_own, NULL, on_loaded,
		    p);
		return;
	}
	finish(p);
}

/* Each once, "#name" resolved; false: the call is over. */
static bool
read_ids(struct parse *p)
{
	struct jmap_call *c = p->c;
	const struct json *list = jmap_arg_array(c, "blobIds");
	uint64_t max = c->host->limits->max_objects_in_get;
	struct table seen = { 0 };
	struct span id;

	if (list == NULL)
		jmap_arg_bad(c, "blobIds", "is missing");
	if (json_count(list) > max) {
		jmap_call_error(c, "requestTooLarge", "blobIds: more than maxObjectsInGet, which is %llu",
		    (unsigned long long)max);
		return false;
	}
	p->ids = arena_array(c->arena, json_count(list) + 1, sizeof(*p->ids));
	for (size_t i = 0; i < json_count(list); i++) {
		if (!json_as_string(json_item(list, i), &id)) {
			jmap_arg_bad(c, "blobIds", "must be an array of ids");
			break;
		}
		if (jmap_call_resolve(c, id).p != NULL)
			id = jmap_call_resolve(c, id);
		if (table_put(&seen, id, p) == NULL)
			p->ids[p->n++] = id;
	}
	table_fini(&seen, NULL, NULL);
	return true;
}

void
email_parse(struct jmap_call *c)
{
	struct parse *p = mem_zalloc(sizeof(*p));

	p->c = c;
	c->state = p;
	c->ended = ended;
	email_want_args(c, &p->want, true);
	if (!read_ids(p) || !jmap_args_end(c))
		return;
	json_writer_init(&p->parsed_w, &p->parsed);
	json_writer_init(&p->bad_w, &p->bad);
	json_writer_init(&p->missing_w, &p->missing);
	json_begin_object(&p->parsed_w);
	json_begin_array(&p->bad_w);
	json_begin_array(&p->missing_w);
	next(p);
}
