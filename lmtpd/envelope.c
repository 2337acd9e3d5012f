#include "lmtpd/envelope.h"

#include "common/proto/smtp.h"

/* What was put into b, for the arena. */
static struct span
keep(struct arena *arena, struct buf *b)
{
	struct span s = arena_span(arena, span(b->len > 0 ? b->data : "", b->len));

	buf_fini(b);
	return s;
}

static struct span
decoded(struct arena *arena, struct span xtext)
{
	struct buf b = { 0 };

	(void)smtp_xtext_decode(xtext, &b);
	return keep(arena, &b);
}

/* "rfc822;user@example.org", and its address where it is one. */
static void
view_orcpt(struct span orcpt, struct arena *arena, struct sieve_envelope *e)
{
	struct buf b = { 0 };
	struct span address, type;

	smtp_orcpt_decode(orcpt, &b);
	e->orcpt = address = keep(arena, &b);
	type = span_cut(&address, ';');
	if ((span_caseeq_str(type, "rfc822") || span_caseeq_str(type, "utf-8")) &&
	    smtp_address_valid(address, true))
		e->orig_to = address;
}

static void
view_by(const struct dsn *d, struct arena *arena, struct sieve_envelope *e)
{
	struct buf b = { 0 };

	buf_addf(&b, "%lld;%c%s", (long long)(d->by_ms / 1000 - d->arrived_s),
	    (d->by & QUEUE_BY_RETURN) != 0 ? 'R' : 'N', (d->by & QUEUE_BY_TRACE) != 0 ? "T" : "");
	e->by = keep(arena, &b);
	e->by_time = d->by_ms / 1000;
}

static void
view_dsn(const struct dsn *d, struct arena *arena, struct sieve_envelope *e)
{
	struct buf b = { 0 };

	if (d->envid.len > 0)
		e->envid = decoded(arena, d->envid);
	if (d->ret != QUEUE_RET_NONE)
		e->ret = d->ret == QUEUE_RET_FULL ? SPAN_LIT("FULL") : SPAN_LIT("HDRS");
	if (d->notify != 0) {
		smtp_notify_put(&b, d->notify);
		e->notify = keep(arena, &b);
	}
	if (d->orcpt.len > 0)
		view_orcpt(d->orcpt, arena, e);
	if (d->by != 0)
		view_by(d, arena, e);
}

void
envelope_view(const struct envelope_said *said, struct arena *arena, struct sieve_envelope *e)
{
	*e = (struct sieve_envelope){ .from = span_str(said->from), .to = span_str(said->to) };
	if (said->auth != NULL)		/* "<>": somebody unknown (RFC 4954 §5) */
		e->auth = span_eq_str(span_str(said->auth), "<>") ? SPAN_LIT("") :
		    decoded(arena, span_str(said->auth));
	if (said->dsn != NULL)
		view_dsn(said->dsn, arena, e);
}
