/* What scripts send: the bytes before the first NUL are a URI that is notified, those before the second
 * one a text of the script (of a subject, a reason, a list of flags), and the rest is the message that is
 * answered.  Whatever they are, what is sent is a message of lines that fit, with the fields that are
 * asked for and each of them once: nothing of it begins a line of its own. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mime/field.h"
#include "sieve/compose.h"
#include "sieve/mailto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char script[] =
    "require [\"vacation\", \"vacation-seconds\", \"enotify\", \"variables\", \"environment\","
    "    \"imap4flags\", \"fcc\", \"mailbox\"];"
    "if environment :matches \"uri\" \"*\" { set \"uri\" \"${1}\"; }"
    "if environment :matches \"text\" \"*\" { set \"text\" \"${1}\"; }"
    "setflag \"${text}\"; addflag [\"a\", \"${text}\"]; removeflag \"b ${text}\";"
    "set :encodeurl \"u\" \"${text}\";"
    "notify :message \"${text}\" \"mailto:x@example.com?body=${u}\";"
    "vacation :fcc \"Sent\" :subject \"${text}\" :from \"${text}\" \"${text}\";"
    "if valid_notify_method \"${uri}\" { notify :from \"${text}\" \"${uri}\"; }";

static const char reject_script[] =
    "require [\"reject\", \"variables\", \"environment\"];"
    "if environment :matches \"text\" \"*\" { reject \"${1}\"; }";

static const struct sieve_script *
compiled(struct span text)
{
	static const struct sieve_options o;
	struct sieve_problems p = { 0 };
	struct sieve_script *s = sieve_compile(text, &o, &p);

	assert(s != NULL);
	sieve_problems_fini(&p);
	return s;
}

static enum sieve_answer
answer(void *arg, const struct sieve_question *q, struct sieve_reply *reply)
{
	(void)arg;
	(void)q;
	reply->yes = false;
	return SIEVE_KNOWN;
}

static size_t
count(struct span block, const char *name)
{
	struct mime_field f;
	size_t n = 0;

	while (mime_field_next(&block, &f))
		n += span_caseeq_str(f.name, name);
	return n;
}

static void
check_letter(const struct sieve_letter *l)
{
	struct span rest = l->text, block;
	size_t header = 0;
	const char *end;

	assert(l->n_to > 0 && rest.len > 2 && memcmp(rest.p + rest.len - 2, "\r\n", 2) == 0);
	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');

		assert(line.len > 0 && line.p[line.len - 1] == '\r' && line.len <= 999);
		assert(memchr(line.p, '\r', line.len - 1) == NULL);
	}
	end = memmem(l->text.p, l->text.len, "\r\n\r\n", 4);
	assert(end != NULL);
	header = (size_t)(end - l->text.p) + 2;
	block = span_sub(l->text, 0, header);
	assert(count(block, "date") == 1 && count(block, "message-id") == 1);
	assert(count(block, "auto-submitted") == 1 && count(block, "subject") == 1);
	assert(count(block, "mime-version") == 1 && count(block, "from") <= 1);
	assert(count(block, "bcc") == 0 && count(block, "received") == 0);
}

static void
run(const struct sieve_script *s, struct sieve_message *m, const struct sieve_env *env)
{
	static const struct sieve_sender sender = { SPAN_LIT("host.example.com"),
	    SPAN_LIT("unique") };
	struct sieve_result result = { 0 };
	struct sieve_letter letter;
	struct arena arena = { 0 };

	sieve_run(&s, 1, m, env, &result);
	for (size_t i = 0; i < result.n_actions; i++) {
		const struct sieve_action *a = result.actions[i];

		if (a->kind != SIEVE_STORE && a->kind != SIEVE_REDIRECT &&
		    sieve_compose(a, env, &sender, &arena, &letter))
			check_letter(&letter);
	}
	sieve_result_fini(&result);
	arena_fini(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct sieve_script *s, *r;
	struct span rest = span(data, len), uri = span_cut(&rest, '\0');
	struct span text = span_cut(&rest, '\0');
	struct sieve_item items[] = { { "uri", uri }, { "text", text } };
	static const struct sieve_settings settings = { .vacation_any_recipient = true };
	struct sieve_env env = { .envelope = { .from = SPAN_LIT("a@example.org"),
	    .to = SPAN_LIT("me@example.com") }, .items = items, .n_items = 2, .settings = &settings,
	    .ask = answer };
	struct sieve_message *m;
	struct sieve_mailto mailto;
	struct arena arena = { 0 };

	if (s == NULL) {
		s = compiled(SPAN_LIT(script));
		r = compiled(SPAN_LIT(reject_script));
	}
	if (rest.p == NULL)
		rest = span("", 0);
	sieve_mailto_parse(&arena, uri, &mailto);
	arena_fini(&arena);
	m = sieve_message_memory(rest);
	run(s, m, &env);
	run(r, m, &env);
	sieve_message_free(&m);
	return 0;
}
