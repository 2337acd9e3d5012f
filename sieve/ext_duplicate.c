/* duplicate (RFC 7352): has a message like this one come before?  What is seen is noted by the store,
 * together with the delivery, as a condition of the result. */
#include <string.h>

#include "common/crypto/digest.h"
#include "sieve/ext.h"
#include "sieve/extensions.h"

#define DAY_S 86400u

/* The keys asked for in this run: a test means the same one every time (RFC 7352 3). */
struct seen {
	unsigned char	key[SHA256_LEN];
	struct seen	*next;
};
struct state {
	struct seen	*first;
};

static void
check_header(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	(void)n;
	sieve_c_field_name(c, &t->value.s.v[0]);
}

enum { HANDLE, HEADER, UNIQUEID, SECONDS, LAST };
static const struct sieve_tag tags[] = {
	[HANDLE] = { .name = "handle", .on = "duplicate", .value = 's' },
	[HEADER] = { .name = "header", .on = "duplicate", .value = 's', .group = 1,
	    .check = check_header },
	[UNIQUEID] = { .name = "uniqueid", .on = "duplicate", .value = 's', .group = 1 },
	[SECONDS] = { .name = "seconds", .on = "duplicate", .value = 'n' },
	[LAST] = { .name = "last", .on = "duplicate" },
	{ 0 }
};

static struct span
tag_string(struct sieve_run *r, const struct sieve_node *n, int which)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[which]);

	return t != NULL ? sieve_string(r, &t->value.s.v[0]) : SPAN_NONE;
}

/* p NULL: the message has none. */
static struct span
unique_id(struct sieve_run *r, const struct sieve_node *n)
{
	struct span id = tag_string(r, n, UNIQUEID), name = tag_string(r, n, HEADER);
	struct sieve_header *h = sieve_message_header(sieve_message(r));
	struct sieve_field *f;

	if (id.p != NULL)
		return id.len > 0 ? id : SPAN_NONE;
	if (name.p == NULL)
		name = SPAN_LIT("message-id");
	f = sieve_header_find(h, name, sieve_name_hash(name));
	if (f == NULL)
		return SPAN_NONE;
	id = sieve_field_text(h, f);
	return id.len > 0 ? id : SPAN_NONE;
}

static void
add_part(struct digest *d, struct span s)
{
	uint64_t len = s.len;
	unsigned char n[8];

	for (unsigned i = 0; i < 8; i++)
		n[i] = (unsigned char)(len >> 8 * i);
	digest_add(d, n, sizeof(n));
	digest_add(d, s.p != NULL ? s.p : "", s.len);
}

/* All forms of the id are one space (RFC 7352 3.1), handles part it. */
static void
make_key(struct span handle, struct span id, unsigned char key[SHA256_LEN])
{
	struct digest *d = digest_new(DIGEST_SHA256);

	add_part(d, SPAN_LIT("sieve duplicate"));
	add_part(d, handle);
	add_part(d, id);
	digest_done(d, key);
	digest_free(&d);
}

static bool
first_time(struct sieve_run *r, const unsigned char *key)
{
	struct state *st = sieve_run_state(r, &sieve_ext_duplicate, sizeof(*st));
	struct seen *s;

	for (s = st->first; s != NULL; s = s->next)
		if (memcmp(s->key, key, SHA256_LEN) == 0)
			return false;
	s = sieve_alloc(r, sizeof(*s));
	memcpy(s->key, key, SHA256_LEN);
	s->next = st->first;
	st->first = s;
	return true;
}

static uint32_t
seconds(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_settings *s = sieve_settings(r);
	const struct sieve_tagged *t = sieve_tag(n, &tags[SECONDS]);
	uint64_t max = s->duplicate_max_s != 0 ? s->duplicate_max_s : 90 * DAY_S;
	uint64_t v = s->duplicate_default_s != 0 ? s->duplicate_default_s : 7 * DAY_S;

	if (t != NULL)
		v = t->value.number;
	return (uint32_t)(v > max ? max : v > 0 ? v : 1);
}

static enum sieve_step
duplicate(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	struct sieve_condition c = { .ask = SIEVE_ASK_DUPLICATE };
	struct span id = unique_id(r, n);
	struct sieve_reply reply;
	enum sieve_step step;

	*yes = false;
	if (id.p == NULL)
		return SIEVE_NEXT;
	make_key(tag_string(r, n, HANDLE), id, c.key);
	step = sieve_ask(r, n, SIEVE_ASK_DUPLICATE, SPAN_NONE, span(c.key, sizeof(c.key)), &reply);
	if (step != SIEVE_NEXT)
		return step;
	*yes = c.present = reply.yes;
	if (!c.present || sieve_tag(n, &tags[LAST]) != NULL)
		c.remember_s = seconds(r, n);
	if (first_time(r, c.key))
		sieve_condition(r, &c);
	return SIEVE_NEXT;
}

static const struct sieve_word words[] = {
	{ .kind = SIEVE_TEST, .name = "duplicate", .args = "", .test = duplicate },
	{ 0 }
};

const struct sieve_ext sieve_ext_duplicate = {
	.name = "duplicate", .needs = SIEVE_OFFER_MARKS, .words = words, .tags = tags
};
