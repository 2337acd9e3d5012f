/* Any bytes as a script: what the compiler takes can be printed and run, and what it does not take it
 * gives a reason for. */
#include <assert.h>

#include "sieve/sieve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char message[] =
    "From: \"A B\" <a+tag@example.com>, group: c@example.org, d@example.net;\r\n"
    "To: =?utf-8?q?=C3=BC?= <e@example.org>\r\n"
    "Subject: =?iso-8859-1?q?a_b=E4?= c d\r\n"
    "Date: Tue, 14 Nov 2023 23:13:15 +0100\r\n"
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    "--x\r\nContent-Type: text/plain\r\n\r\none\r\n"
    "--x\r\nContent-Type: text/html\r\n\r\n<b>two</b>\r\n--x--\r\n";

/* Scripts that include themselves, and other answers of the world. */
static enum sieve_answer
answer(void *arg, const struct sieve_question *q, struct sieve_reply *reply)
{
	reply->yes = q->name.len % 2 == 0;
	reply->text = SPAN_LIT("text");
	if (q->ask == SIEVE_ASK_PERSONAL_SCRIPT)
		reply->script = arg;
	return q->name.len % 7 == 3 ? SIEVE_CANNOT : q->name.len % 5 == 4 ? SIEVE_NOT_KNOWN :
	    SIEVE_KNOWN;
}

static void
check_event(const struct sieve_result *r)
{
	for (size_t i = 0; i < r->n_actions; i++)
		assert(r->actions[i]->kind != SIEVE_REJECT && r->actions[i]->kind != SIEVE_VACATION);
	assert(r->flagged || r->n_flags == 0);
}

static void
run(struct sieve_script *s, bool event)
{
	static const struct span flags[] = { SPAN_LIT("\\Seen"), SPAN_LIT("Work") };
	static const struct sieve_limits limits = { .steps = 2000, .memory_bytes = 1 << 20 };
	struct sieve_env env = { .event = event, .flags = flags, .n_flags = 2, .ask = answer, .ask_arg = s, .limits = &limits,
	    .envelope = { .from = SPAN_LIT("a@example.com"), .to = SPAN_LIT("b@example.com") },
	    .addresses = { SPAN_LIT("b@example.com") }, .n_addresses = 1, .now = 1700000000 };
	const struct sieve_script *two[] = { s, s };
	struct sieve_message *m = sieve_message_memory(SPAN_LIT(message));
	struct sieve_result r = { 0 };

	switch (sieve_run(two, 2, m, &env, &r)) {
	case SIEVE_DONE:
		assert(r.error == NULL);
		break;
	case SIEVE_ASKS:
		assert(r.n_questions > 0 && r.n_actions == 0);
		break;
	case SIEVE_FAILED:
		assert(r.error != NULL && r.n_actions > 0);
		break;
	}
	if (event)
		check_event(&r);
	sieve_result_fini(&r);
	sieve_message_free(&m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct sieve_limits limits = { .string_bytes = 4096, .nodes = 500 };
	struct sieve_options o = { .limits = &limits,
	    .offers = SIEVE_OFFER_DELIVERY | SIEVE_OFFER_IMAP };
	struct sieve_problems p = { 0 };
	struct sieve_script *s = sieve_compile(span(data, len), &o, &p);
	struct buf b = { 0 };

	assert((s == NULL) == (p.errors > 0));
	for (size_t i = 0; i < p.n; i++)
		assert(p.v[i].line > 0 && p.v[i].column > 0 && p.v[i].text[0] != '\0');
	sieve_problems_print(&p, "x", &b);
	if (s != NULL) {
		sieve_script_print(s, &b);
		run(s, false);
		run(s, true);
	}
	buf_fini(&b);
	sieve_problems_fini(&p);
	sieve_script_free(&s);
	return 0;
}
