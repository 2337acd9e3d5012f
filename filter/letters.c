/* filter/letters.c
 * The messages that scripts send by themselves, and reports of a delivery, on their way into a plan. */
#include <string.h>

#include "common/crypto/encode.h"
#include "common/crypto/random.h"
#include "common/mime/charset.h"
#include "common/util/clock.h"
#include "common/util/mem.h"
#include "filter/loops.h"
#include "filter/plan_priv.h"
#include "sieve/compose.h"

static uint8_t
queue_kind_of(const struct sieve_action *a)
{
	switch (a->kind) {
	case SIEVE_VACATION:
		return QUEUE_VACATION;
	case SIEVE_REJECT:
		return QUEUE_REJECT;
	default:
		return QUEUE_NOTIFY;
	}
}

static void
queue_letter(struct plan *p, const struct sieve_action *a, const struct sieve_letter *l,
    uint8_t body)
{
	struct store_envelope env = { .from = l->from };
	struct buf rcpts = { 0 };

	for (size_t i = 0; i < l->n_to && i < STORE_QUEUE_RCPTS_MAX; i++) {
		const struct store_queue_rcpt to = { .address = l->to[i],
		    .notify = QUEUE_NOTIFY_NEVER };

		put_store_queue_rcpt(&rcpts, &to);
	}
	for (size_t i = 0; i < l->text.len && !env.utf8; i++)
		env.utf8 = (unsigned char)l->text.p[i] > 127;
	env.eight_bit = env.utf8;
	env.rcpts = buf_span(&rcpts);
	plan_queue(p, queue_kind_of(a), body, &env);
	buf_fini(&rcpts);
}

static bool
compose(struct plan *p, const struct sieve_action *a, uint8_t *body)
{
	struct sieve_sender sender = { .host = span_str(p->of.conf->global.hostname) };
	struct arena mem = { 0 };
	struct sieve_letter l;
	unsigned char random[12];
	struct buf unique = { 0 };
	bool ok;

	random_bytes(random, sizeof(random));
	hex_encode(span((const char *)random, sizeof(random)), &unique);
	sender.unique = buf_span(&unique);
	ok = sieve_compose(a, p->env, &sender, &mem, &l);
	if (ok) {
		*body = plan_our_body(p, l.text);
		queue_letter(p, a, &l, *body);
	}
	arena_fini(&mem);
	buf_fini(&unique);
	return ok;
}

bool
plan_letter(struct plan *p, const struct sieve_action *a, uint8_t *body)
{
	const char *why = loops_send(p->of.conf);

	for (size_t i = 0; i < p->n_letters; i++)
		if (p->letters[i].of == a) {
			*body = p->letters[i].body;
			return true;
		}
	if (why == NULL && (p->n_letters == STORE_DELIVER_QUEUE || !compose(p, a, body)))
		why = "there is nobody to send it to";
	if (why != NULL) {
		LOG(p->of.log, INFO, "sieve.no-answer", KV_STR("user", p->of.user),
		    KV_UINT("line", a->line), KV_STR("why", why));
		return false;
	}
	p->letters[p->n_letters++] = (struct plan_letter){ a, *body };
	return true;
}

static void
put_report(struct plan *p, unsigned action)
{
	const struct dsn_about about = { p->of.conf->global.hostname, span_str(p->of.from),
	    span_str(p->of.address), kept_header(p->of.kept), p->of.utf8, clock_wall_s() };
	const struct store_queue_rcpt to = { .address = about.from, .notify = QUEUE_NOTIFY_NEVER };
	struct store_envelope env = { .from = SPAN_LIT("") };
	struct buf raw = { 0 }, rcpts = { 0 };

	dsn_report(p->of.dsn, &about, action, &raw);
	env.utf8 = env.eight_bit = !mime_is_ascii(buf_span(&raw));
	put_store_queue_rcpt(&rcpts, &to);
	env.rcpts = buf_span(&rcpts);
	plan_queue(p, QUEUE_REPORT, plan_our_body(p, buf_span(&raw)), &env);
	buf_fini(&raw);
	buf_fini(&rcpts);
}

void
plan_reports(struct plan *p)
{
	unsigned due;
	const char *why;

	if (p->of.dsn == NULL || p->of.from[0] == '\0' || p->refusal != NULL)
		return;
	due = dsn_due(p->of.dsn, &p->fate, clock_wall_ms());
	why = due != 0 ? loops_send(p->of.conf) : NULL;
	if (why != NULL) {
		LOG(p->of.log, WARN, "lmtp.no-report", KV_STR("user", p->of.user), KV_STR("why", why));
		return;
	}
	for (unsigned bit = 1; bit <= due; bit <<= 1)
		if ((due & bit) != 0)
			put_report(p, bit);
}
