#include "common/json/put.h"

static void
put_object(struct json_writer *w, const struct json *v)
{
	const struct json *member;
	struct span key;
	void *pos = NULL;

	json_begin_object(w);
	while (json_next(v, &pos, &key, &member)) {
		json_key_span(w, key);
		json_put(w, member);
	}
	json_end_object(w);
}

static void
put_array(struct json_writer *w, const struct json *v)
{
	json_begin_array(w);
	for (size_t i = 0; i < json_count(v); i++)
		json_put(w, json_item(v, i));
	json_end_array(w);
}

/* Recursion is bounded by JSON_DEPTH_MAX. */
void
json_put(struct json_writer *w, const struct json *v)
{
	struct span s;
	bool b;

	if (json_is_object(v))
		put_object(w, v);
	else if (json_is_array(v))
		put_array(w, v);
	else if (json_as_string(v, &s))
		json_string(w, s);
	else if (json_as_bool(v, &b))
		json_bool(w, b);
	else if (json_number_text(v, &s))
		json_raw(w, s);
	else
		json_null(w);
}
