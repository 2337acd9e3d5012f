#include "filter/loops.h"

#define TRACE "X-Sieve-Redirected-From"

void
loops_trace(const char *user, struct buf *out)
{
	buf_addf(out, TRACE ": %s\r\n", user);
}

static unsigned
count(struct sieve_header *h, struct span name, struct span value)
{
	unsigned n = 0;

	for (struct sieve_field *f = sieve_header_find(h, name, sieve_name_hash(name)); f != NULL;
	    f = f->same)
		if (value.p == NULL || span_caseeq(sieve_field_text(h, f), value))
			n++;
	return n;
}

const char *
loops_send(const struct mansio_conf *conf)
{
	return conf_sends(conf) ? NULL : "nothing is configured that sends mail";
}

const char *
loops_redirect(const struct mansio_conf *conf, struct sieve_message *m, bool whole,
    struct span user, struct span to)
{
	struct sieve_header *h = sieve_message_header(m);
	unsigned own = conf->lmtp.add_delivered_to ? 1 : 0;

	if (span_caseeq(user, to))
		return "it is the recipient's own address";
	if (count(h, SPAN_LIT(TRACE), user) > 0)
		return "it was redirected from here before";
	if (!whole && count(h, SPAN_LIT("Delivered-To"), user) > own)
		return "it was delivered here before";
	if (count(h, SPAN_LIT("Received"), SPAN_NONE) > conf->sieve.max_hops)
		return "it has come a long way already";
	return loops_send(conf);
}
