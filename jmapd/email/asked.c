#include "jmapd/email/asked.h"

#include "common/mail/object_id.h"
#include "common/util/bytes.h"
#include "storage/api/store_types.h"

/* RFC 8621 §4.1.1: those of IMAP's that have a name of their own here, and those that are not
 * shown: nobody sets them. */
static const struct { const char *name; unsigned flag; } system_names[] = {
	{ "$seen", FLAG_SEEN }, { "$answered", FLAG_ANSWERED }, { "$flagged", FLAG_FLAGGED },
	{ "$draft", FLAG_DRAFT }, { "$recent", 0 }, { "$deleted", 0 }
};

void
asked_keywords_fini(struct asked_keywords *k)
{
	buf_fini(&k->text);
	k->n = 0;
}

enum asked
asked_keyword(struct asked_keywords *k, struct arena *a, struct span name, struct flags *f)
{
	char *lower;
	unsigned i;

	for (size_t s = 0; s < sizeof(system_names) / sizeof(system_names[0]); s++)
		if (span_caseeq_str(name, system_names[s].name)) {
			*f = flags_or(*f, flags_system(system_names[s].flag));
			return system_names[s].flag != 0 ? ASKED_OK : ASKED_BAD;
		}
	if (!keyword_valid(name))
		return ASKED_BAD;
	for (i = 0; i < k->n && !span_caseeq(k->names[i], name); i++)
		;
	if (i == KEYWORD_MAX)
		return ASKED_TOO_MANY;
	if (i == k->n) {
		lower = arena_strndup(a, name.p, name.len);
		for (size_t j = 0; j < name.len; j++)
			lower[j] = ascii_lower(lower[j]);
		k->names[k->n++] = span(lower, name.len);
		put_store_keyword(&k->text, k->names[i]);
	}
	flags_set_keyword(f, i);
	return ASKED_OK;
}

/* A set of RFC 8620: an object whose values are all true. */
static bool
is_set(const struct json *map)
{
	const struct json *v;
	struct span key;
	void *pos = NULL;
	bool on;

	if (!json_is_object(map))
		return false;
	while (json_next(map, &pos, &key, &v))
		if (!json_as_bool(v, &on) || !on)
			return false;
	return true;
}

enum asked
asked_keywords(struct asked_keywords *k, struct arena *a, const struct json *map, struct flags *f)
{
	enum asked all = ASKED_OK, one;
	const struct json *v;
	struct span key;
	void *pos = NULL;

	if (map == NULL)
		return ASKED_OK;
	if (!is_set(map))
		return ASKED_BAD;
	while (json_next(map, &pos, &key, &v)) {
		one = asked_keyword(k, a, key, f);
		if (one != ASKED_OK && all != ASKED_BAD)
			all = one;
	}
	return all;
}

enum asked
asked_mailbox(struct jmap_call *c, struct span id, struct buf *out)
{
	uint64_t number;

	id = jmap_call_resolve(c, id);
	if (id.p == NULL || !object_id_parse(id, OBJECT_MAILBOX, &number))
		return ASKED_BAD;
	for (size_t i = 0; i < out->len; i += 8)
		if (get_be64(out->data + i) == number)
			return ASKED_OK;
	if (out->len / 8 == JMAP_MAILBOXES_MAX)
		return ASKED_TOO_MANY;
	put_u64(out, number);
	return ASKED_OK;
}

enum asked
asked_mailboxes(struct jmap_call *c, const struct json *map, struct buf *out)
{
	enum asked one;
	const struct json *v;
	struct span key;
	void *pos = NULL;

	if (!is_set(map))
		return ASKED_BAD;
	while (json_next(map, &pos, &key, &v)) {
		one = asked_mailbox(c, key, out);
		if (one != ASKED_OK)
			return one;
	}
	return out->len > 0 ? ASKED_OK : ASKED_BAD;
}
