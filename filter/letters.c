/* filter/letters.c
 * The messages that scripts send by themselves, on their way into a plan. */
#include <string.h>

#include "common/crypto/encode.h"
#include "common/crypto/random.h"
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
