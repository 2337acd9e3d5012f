/* What scripts may say here, as the capabilities tell it. */
#include "sieved/session.h"

#include "common/util/mem.h"
#include "sieve/conf.h"

static bool
has_word(struct span list, const char *word)
{
	while (list.len > 0)
		if (span_eq_str(span_cut(&list, ' '), word))
			return true;
	return false;
}

/* RFC 6134 §2.8: the schemes of the names that lists have here; "tag" is that of names that
 * an admin chooses (RFC 4151). */
static void
put_schemes(const struct conf_strings *lists, struct buf *out)
{
	buf_add_str(out, "tag");
	for (size_t i = 0; i < lists->n; i++) {
		struct span name = span_str(lists->v[i]);
		struct span scheme = span_sub(name, 0, span_find(name, ':'));
		char *word = span_dup(scheme);

		if (scheme.len < name.len && span_find(scheme, ' ') == scheme.len &&
		    !has_word(buf_span(out), word)) {
			buf_add_c(out, ' ');
			buf_add_span(out, scheme);
		}
		mem_free(&word);
	}
}

unsigned
sieved_offers(const struct mansio_conf *conf)
{
	return conf->sieve.imap_events ? SIEVE_CONF_OFFERS : SIEVE_OFFER_DELIVERY;
}

void
sieved_language_set(struct sieved_language *l, const struct mansio_conf *conf)
{
	struct sieve_conf c;

	sieved_language_fini(l);
	sieve_conf_init(&c, conf, sieved_offers(conf));
	sieve_capabilities(&c.options, &l->sieve);
	buf_add_u64(&l->redirects, conf->sieve.max_redirects);
	if (has_word(buf_span(&l->sieve), "enotify"))
		buf_add_str(&l->notify, "mailto");
	if (has_word(buf_span(&l->sieve), "extlists"))
		put_schemes(&conf->sieve.lists, &l->lists);
	sieve_conf_fini(&c);
}

void
sieved_language_fini(struct sieved_language *l)
{
	buf_fini(&l->sieve);
	buf_fini(&l->redirects);
	buf_fini(&l->notify);
	buf_fini(&l->lists);
}
