#include "outd/letter.h"

#include <stdio.h>
#include <string.h>

#include "common/proto/smtp.h"
#include "common/proto/smtp_client.h"
#include "common/util/mem.h"

static bool
is_8bit(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}

static struct span
kept(struct letter *l, size_t *at, struct span s)
{
	struct span mine = span(l->bytes.data + *at, s.len);

	*at += s.len;
	return mine;
}

static void
copy(struct letter *l, const struct out_submit *m)
{
	size_t at = 0;

	l->m = *m;
	buf_add_span(&l->bytes, m->from);
	buf_add_span(&l->bytes, m->recipients);
	buf_add_span(&l->bytes, m->envid);
	l->m.from = kept(l, &at, m->from);
	l->m.recipients = kept(l, &at, m->recipients);
	l->m.envid = kept(l, &at, m->envid);
	l->m.sha256 = SPAN_NONE;
}

bool
letter_init(struct letter *l, const struct out_submit *m)
{
	struct out_recipient to;
	struct reader r;

	copy(l, m);
	reader_init(&r, l->m.recipients.p, l->m.recipients.len);
	while (l->n_rcpts < OUT_SUBMIT_RECIPIENTS_MAX && get_out_recipient(&r, &to)) {
		l->rcpts = mem_realloc_array(l->rcpts, l->n_rcpts + 1, sizeof(*l->rcpts));
		l->rcpts[l->n_rcpts++] = (struct letter_rcpt){ .to = to };
		if (!smtp_address_valid(to.address, true) ||
		    (to.orcpt.len > 0 && !smtp_orcpt_valid(to.orcpt)))
			return false;
		l->m.utf8 |= is_8bit(to.address);
	}
	l->m.utf8 |= is_8bit(l->m.from);
	return reader_done(&r) && l->n_rcpts > 0 && smtp_xtext_valid(l->m.envid) &&
	    (l->m.from.len == 0 || smtp_address_valid(l->m.from, true));
}

void
letter_fini(struct letter *l)
{
	buf_fini(&l->bytes);
	mem_free(&l->rcpts);
}

void
letter_settle(struct letter_rcpt *r, enum out_how how, const char *why)
{
	if (r->how != 0)
		return;
	r->how = (uint8_t)how;
	snprintf(r->why, sizeof(r->why), "%s", why);
}

enum out_how
letter_how(const struct letter *l)
{
	enum out_how how = OUT_REFUSED;

	for (size_t i = 0; i < l->n_rcpts; i++) {
		if (l->rcpts[i].how == OUT_SENT)
			return OUT_SENT;
		if (l->rcpts[i].how == OUT_LATER)
			how = OUT_LATER;
	}
	return how;
}

void
letter_end(struct letter *l, enum out_how how, bool unsent, const char *why)
{
	l->carrier = NULL;
	l->vehicle = NULL;
	for (size_t i = 0; i < l->n_rcpts; i++)
		letter_settle(&l->rcpts[i], how, why);
	l->done(l, letter_how(l), unsent, why);
}
