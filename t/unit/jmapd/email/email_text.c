#include "t/unit/jmapd/email/email_text.h"

#include <assert.h>

#include "common/mime/digest.h"
#include "jmapd/email/object.h"

static void
put_null(void *arg, struct json_writer *w, enum email_property p)
{
	json_null(w);
}

static void
put_email(const struct email_want *w, struct span message, size_t piece, struct arena *a,
    struct buf *out)
{
	struct email_object o = { .want = w, .blob = { .kind = BLOB_EMAIL, .number = 1 },
	    .put_own = put_null };
	struct mime_digest *d = mime_digest_new(0);
	struct mime_digest_result r;
	struct json_writer writer;

	json_writer_init(&writer, out);
	mime_digest_feed(d, message.p, message.len);
	mime_digest_finish(d, &r);
	email_object_init(&o, 64 << 20);
	assert(email_open(&o, r.list, r.structure));
	if (email_plan(&o)) {
		if (piece == 0)
			piece = message.len;
		for (size_t i = 0; i < message.len; i += piece)
			pass_feed(&o.pass, span_sub(message, i, piece));
		pass_finish(&o.pass);
	}
	email_put(&o, &writer, a);
	email_close(&o);
	mime_digest_free(&d);
}

bool
email_text(struct span message, const struct email_text *t, struct buf *out)
{
	struct json_doc *props = NULL, *parts = NULL;
	struct email_want w = { .text_values = t->text, .html_values = t->html,
	    .all_values = t->all, .max_value_bytes = t->max };
	struct arena a = { 0 };
	const char *argument;
	struct span why;
	bool ok;

	if (t->properties != NULL)
		assert(json_parse(span_str(t->properties), 1 << 20, &props) == ST_OK);
	if (t->body_properties != NULL)
		assert(json_parse(span_str(t->body_properties), 1 << 20, &parts) == ST_OK);
	ok = email_want_read(&a, props != NULL ? json_root(props) : NULL,
	    parts != NULL ? json_root(parts) : NULL, true, &w, &argument, &why);
	email_want_needs(&w);
	if (ok)
		put_email(&w, message, t->piece, &a, out);
	else
		buf_addf(out, "%s: %.*s", argument, (int)why.len, why.p);
	json_free(&props);
	json_free(&parts);
	arena_fini(&a);
	return ok;
}
