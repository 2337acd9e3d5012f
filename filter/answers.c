#include "filter/answers.h"

#include <string.h>

#include "common/mail/mailbox_name.h"
#include "common/mail/object_id.h"
#include "common/proto/smtp.h"
#include "common/util/list.h"
#include "common/util/mem.h"

#define VALUE_MAX	65536u		/* of an annotation */

/* A question to the store or to authd, and what it said. */
struct answer {
	struct list		in;
	struct filter_answers	*all;
	enum sieve_ask		ask;
	struct buf		name, where;
	struct store_call	*call;
	struct auth_lookup	*lookup;
	bool			known, yes;
	struct buf		text;
	struct cached_script	*script;
};

struct filter_answers {
	struct store			*store;
	struct filter_cache		*cache;
	const struct filter_globals	*globals;
	const struct sieve_options	*options;
	filter_answered_fn		answered;
	void				*arg;
	struct filter_directory		directory;
	struct list			answers;
	bool				listed;		/* the mailboxes are known */
	struct buf			mailboxes;	/* put_store_mailbox()... */
	struct store_call		*list, *keys;
	unsigned			waiting;
	enum status			st;
	struct arena			mem;
};

struct filter_answers *
filter_answers_new(struct store *store, struct filter_cache *cache, filter_answered_fn answered,
    void *arg)
{
	struct filter_answers *a = mem_zalloc(sizeof(*a));

	a->store = store;
	a->cache = cache;
	a->answered = answered;
	a->arg = arg;
	list_init(&a->answers);
	return a;
}

static void
answer_free(struct answer *w)
{
	list_remove(&w->in);
	store_cancel(&w->call);
	auth_lookup_cancel(&w->lookup);
	buf_fini(&w->name);
	buf_fini(&w->where);
	buf_fini(&w->text);
	filter_cache_give_back(&w->script);
	mem_free(&w);
}

void
filter_answers_free(struct filter_answers **ap)
{
	struct filter_answers *a = *ap;
	struct list *n, *tmp;

	*ap = NULL;
	if (a == NULL)
		return;
	store_cancel(&a->list);
	store_cancel(&a->keys);
	list_each(n, tmp, &a->answers)
		answer_free(list_entry(n, struct answer, in));
	buf_fini(&a->mailboxes);
	arena_fini(&a->mem);
	mem_free(&a);
}

void
filter_answers_rules(struct filter_answers *a, const struct filter_globals *globals,
    const struct sieve_options *options)
{
	a->globals = globals;
	a->options = options;
}

void
filter_answers_directory(struct filter_answers *a, const struct filter_directory *d)
{
	a->directory = *d;
}

static bool
is_key(enum sieve_ask ask)
{
	return ask == SIEVE_ASK_DUPLICATE || ask == SIEVE_ASK_VACATION;
}

static bool
is_of_mailboxes(enum sieve_ask ask)
{
	return ask == SIEVE_ASK_MAILBOX || ask == SIEVE_ASK_MAILBOX_ID ||
	    ask == SIEVE_ASK_SPECIAL_USE;
}

void
filter_answers_forget_keys(struct filter_answers *a)
{
	struct list *n, *tmp;

	list_each(n, tmp, &a->answers)
		if (is_key(list_entry(n, struct answer, in)->ask))
			answer_free(list_entry(n, struct answer, in));
}

/* Mailboxes ------------------------------------------------------------------- */

static bool
find_path(struct filter_answers *a, struct span name, struct store_mailbox *m)
{
	struct buf path = { 0 };
	struct reader r;
	bool found = false;

	if (!mailbox_name_from_utf8(name, &path))
		return false;
	reader_init(&r, a->mailboxes.data, a->mailboxes.len);
	while (!found && get_store_mailbox(&r, m))
		found = m->id != 0 && span_eq(m->path, buf_span(&path));
	buf_fini(&path);
	return found;
}

static bool
find_id(struct filter_answers *a, struct span name, struct store_mailbox *m)
{
	struct reader r;
	uint64_t id;

	if (!object_id_parse(name, OBJECT_MAILBOX, &id))
		return false;
	reader_init(&r, a->mailboxes.data, a->mailboxes.len);
	while (get_store_mailbox(&r, m))
		if (m->id == id && id != 0)
			return true;
	return false;
}

/* p NULL: any mailbox that has it. */
static bool
find_role(struct filter_answers *a, struct span name, struct span in, struct store_mailbox *m)
{
	enum mailbox_role role;
	struct reader r;

	if (!mailbox_role_parse(name, &role) || role == MAILBOX_ROLE_NONE)
		return false;
	if (in.p != NULL)
		return find_path(a, in, m) && m->role == role;
	reader_init(&r, a->mailboxes.data, a->mailboxes.len);
	while (get_store_mailbox(&r, m))
		if (m->id != 0 && m->role == role)
			return true;
	return false;
}

static void
reply_mailbox(struct filter_answers *a, const struct sieve_question *q, struct sieve_reply *reply)
{
	struct store_mailbox m;
	struct buf id = { 0 };

	switch (q->ask) {
	case SIEVE_ASK_MAILBOX:
		reply->yes = find_path(a, q->name, &m);
		if (reply->yes)
			object_id_put(&id, OBJECT_MAILBOX, m.id);
		reply->text = arena_span(&a->mem, buf_span(&id));
		break;
	case SIEVE_ASK_MAILBOX_ID:
		reply->yes = find_id(a, q->name, &m);
		reply->text = reply->yes ? m.path : SPAN_NONE;
		break;
	default:
		reply->yes = find_role(a, q->name, q->in, &m);
		reply->text = reply->yes ? m.path : SPAN_NONE;
	}
	buf_fini(&id);
}

/* Replies --------------------------------------------------------------------- */

static struct answer *
find_answer(struct filter_answers *a, const struct sieve_question *q)
{
	struct list *n, *tmp;

	list_each(n, tmp, &a->answers) {
		struct answer *w = list_entry(n, struct answer, in);

		if (w->ask == q->ask && span_eq(buf_span(&w->name), q->name) &&
		    span_eq(buf_span(&w->where), q->in))
			return w;
	}
	return NULL;
}

static void
reply_script(struct filter_answers *a, const struct answer *w, struct sieve_reply *reply)
{
	struct buf why = { 0 };
	const char *error;
	uint32_t line;

	if (w->script == NULL)
		return;
	reply->script = cached_script(w->script);
	if (reply->script != NULL)
		return;
	error = cached_script_error(w->script, &line);
	buf_addf(&why, "line %u: %s", line, error);
	reply->text = arena_span(&a->mem, buf_span(&why));
	buf_fini(&why);
}

enum sieve_answer
filter_answers_reply(void *arg, const struct sieve_question *q, struct sieve_reply *reply)
{
	struct filter_answers *a = arg;
	struct answer *w;

	switch (q->ask) {
	case SIEVE_ASK_LIST:
		reply->yes = filter_globals_has_list(a->globals, q->name);
		return SIEVE_KNOWN;
	case SIEVE_ASK_MEMBER:
		reply->yes = filter_globals_member(a->globals, q->in, q->name);
		return SIEVE_KNOWN;
	case SIEVE_ASK_GLOBAL_SCRIPT:
		reply->script = filter_globals_script(a->globals, q->name);
		reply->yes = reply->script != NULL;
		return SIEVE_KNOWN;
	default:
		break;
	}
	if (is_of_mailboxes(q->ask)) {
		if (!a->listed)
			return SIEVE_NOT_KNOWN;
		reply_mailbox(a, q, reply);
		return SIEVE_KNOWN;
	}
	w = find_answer(a, q);
	if (w == NULL || !w->known)
		return SIEVE_NOT_KNOWN;
	reply->yes = w->yes;
	reply->text = buf_span(&w->text);
	if (q->ask == SIEVE_ASK_PERSONAL_SCRIPT)
		reply_script(a, w, reply);
	return SIEVE_KNOWN;
}

/* Questions to the store ------------------------------------------------------ */

static void
one_answered(struct filter_answers *a, enum status st)
{
	if (st != ST_OK && a->st == ST_OK)
		a->st = st;
	if (--a->waiting == 0)
		a->answered(a->arg, a->st);
}

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct filter_answers *a = arg;

	if (st == ST_OK && msg != NULL)
		buf_add_span(&a->mailboxes, ((const struct store_mailboxes *)msg)->list);
	if (more)
		return;
	a->list = NULL;
	a->listed = st == ST_OK;
	one_answered(a, st);
}

static void
ask_list(struct filter_answers *a)
{
	struct store_list rq = { .path = SPAN_NONE };

	if (a->listed || a->list != NULL)
		return;
	buf_clear(&a->mailboxes);
	a->waiting++;
	a->list = store_do_list(a->store, &rq, on_list, a);
}

/* All keys that are not known go in one question. */
static void
on_keys(void *arg, enum status st, bool more, const void *msg)
{
	struct filter_answers *a = arg;
	const struct store_sieve_keys_are *are = msg;
	struct list *n, *tmp;
	size_t i = 0;

	a->keys = NULL;
	list_each(n, tmp, &a->answers) {
		struct answer *w = list_entry(n, struct answer, in);

		if (!is_key(w->ask) || w->known || st != ST_OK || i >= are->known.len)
			continue;
		w->yes = are->known.p[i++] != 0;
		w->known = true;
	}
	one_answered(a, st);
}

static void
ask_keys(struct filter_answers *a)
{
	struct store_sieve_keys rq;
	struct buf keys = { 0 };
	struct list *n, *tmp;
	size_t count = 0;

	list_each(n, tmp, &a->answers) {
		struct answer *w = list_entry(n, struct answer, in);
		struct store_sieve_key k = { .key = buf_span(&w->name),
		    .kind = w->ask == SIEVE_ASK_DUPLICATE ? SIEVE_KEY_DUPLICATE : SIEVE_KEY_VACATION };

		if (is_key(w->ask) && !w->known && count++ < STORE_SIEVE_KEYS_ASKED)
			put_store_sieve_key(&keys, &k);
	}
	if (count > 0) {
		rq.keys = buf_span(&keys);
		a->waiting++;
		a->keys = store_do_sieve_keys(a->store, &rq, on_keys, a);
	}
	buf_fini(&keys);
}

static void
on_annotation(void *arg, enum status st, bool more, const void *msg)
{
	struct answer *w = arg;
	const struct store_metadata_is *is = msg;
	struct store_metadata e;
	struct reader r;

	if (st == ST_OK && is != NULL) {
		reader_init(&r, is->entries.p, is->entries.len);
		while (get_store_metadata(&r, &e))
			if (e.given && span_eq(e.name, buf_span(&w->name))) {
				w->yes = true;
				buf_clear(&w->text);
				buf_add_span(&w->text, e.value);
			}
	}
	if (more)
		return;
	w->call = NULL;
	w->known = st == ST_OK || st == ST_NOT_FOUND;
	one_answered(w->all, w->known ? ST_OK : st);
}

static void
ask_annotation(struct filter_answers *a, struct answer *w)
{
	struct store_metadata_get rq = { .max_size = VALUE_MAX };
	struct store_mailbox m;
	struct buf names = { 0 };

	if (w->ask == SIEVE_ASK_MAILBOX_ANNOTATION) {
		if (!a->listed) {
			ask_list(a);
			return;		/* in the next round */
		}
		if (!find_path(a, buf_span(&w->where), &m)) {
			w->known = true;
			return;
		}
		rq.mailbox = m.id;
	}
	put_span(&names, buf_span(&w->name));
	rq.names = buf_span(&names);
	a->waiting++;
	w->call = store_do_metadata_get(a->store, &rq, on_annotation, w);
	buf_fini(&names);
}

static void
on_script(void *arg, enum status st, bool more, const void *msg)
{
	struct answer *w = arg;
	const struct store_script_is *is = msg;
	struct store_script s;
	struct reader r;

	w->call = NULL;
	if (st == ST_OK) {
		reader_init(&r, is->script.p, is->script.len);
		if (!get_store_script(&r, &s) || s.sha256.len != 32) {
			one_answered(w->all, ST_CORRUPT);
			return;
		}
		w->yes = true;
		w->script = filter_cache_get(w->all->cache, (const unsigned char *)s.sha256.p);
		if (w->script == NULL)
			w->script = filter_cache_add(w->all->cache, (const unsigned char *)s.sha256.p,
			    is->text, w->all->options);
	}
	w->known = st == ST_OK || st == ST_NOT_FOUND;
	one_answered(w->all, w->known ? ST_OK : st);
}

static void
ask_script(struct filter_answers *a, struct answer *w)
{
	struct store_script_get rq = { .name = buf_span(&w->name) };

	a->waiting++;
	w->call = store_do_script(a->store, &rq, on_script, w);
}

/* Aliases, domains of another name, +detail: whatever leads to the account. */
static void
on_rcpt(void *arg, enum status st, const struct auth_rcpt_is *is)
{
	struct answer *w = arg;

	w->lookup = NULL;
	w->known = st != ST_UNAVAILABLE && st != ST_CANCELLED;
	w->yes = st == ST_OK && is->account == w->all->directory.account;
	one_answered(w->all, w->known ? ST_OK : st);
}

static void
ask_own(struct filter_answers *a, struct answer *w)
{
	const struct auth_rcpt rq = { .address = buf_span(&w->name),
	    .conn = span_str(a->directory.conn), .probe = true };

	if (w->name.len > SMTP_PATH_MAX || a->directory.auth == NULL) {
		w->known = true;
		return;
	}
	a->waiting++;
	w->lookup = auth_rcpt(a->directory.auth, &rq, on_rcpt, w);
}

static void
ask_one(struct filter_answers *a, const struct sieve_question *q)
{
	struct answer *w = find_answer(a, q);

	if (is_of_mailboxes(q->ask)) {
		ask_list(a);
		return;
	}
	if (w == NULL) {
		w = mem_zalloc(sizeof(*w));
		w->all = a;
		w->ask = q->ask;
		buf_add_span(&w->name, q->name);
		buf_add_span(&w->where, q->in);
		list_push_back(&a->answers, &w->in);
	}
	if (w->known || w->call != NULL || w->lookup != NULL)
		return;
	if (q->ask == SIEVE_ASK_PERSONAL_SCRIPT)
		ask_script(a, w);
	else if (q->ask == SIEVE_ASK_OWN)
		ask_own(a, w);
	else if (!is_key(q->ask))
		ask_annotation(a, w);
}

bool
filter_answers_ask(struct filter_answers *a, const struct sieve_question *v, size_t n)
{
	a->st = ST_OK;
	for (size_t i = 0; i < n; i++)
		ask_one(a, &v[i]);
	ask_keys(a);
	return a->waiting > 0;
}
