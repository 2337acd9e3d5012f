#include "sieve/conf.h"

#include "common/util/mem.h"

static void
take_limits(struct sieve_limits *l, const struct conf_sieve *s)
{
	*l = sieve_limits_default;
	l->script_bytes = (uint32_t)s->max_script_bytes;
	l->steps = s->max_steps;
	l->memory_bytes = (uint32_t)s->max_memory_bytes;
	l->actions = s->max_actions;
	l->redirects = s->max_redirects > 0 ? s->max_redirects : SIEVE_LIMIT_NONE;
	l->outgoing = s->max_outgoing > 0 ? s->max_outgoing : SIEVE_LIMIT_NONE;
	l->includes = s->max_includes;
	l->nested_includes = s->max_nested_includes;
	l->variables = s->max_variables;
	l->variable_bytes = (uint32_t)s->max_variable_bytes;
}

/* NULL-terminated; the strings are the configuration's. */
static const char **
names(const struct conf_strings *s)
{
	const char **v = mem_array(s->n + 1, sizeof(*v));

	for (size_t i = 0; i < s->n; i++)
		v[i] = s->v[i];
	return v;
}

void
sieve_conf_init(struct sieve_conf *c, const struct mansio_conf *conf, unsigned offers)
{
	*c = (struct sieve_conf){ .options.offers = offers != 0 ? offers :
		(unsigned)SIEVE_CONF_OFFERS };
	take_limits(&c->limits, &conf->sieve);
	c->settings.address_separators = conf->lmtp.recipient_delimiter;
	c->settings.vacation_min_s = conf->sieve.vacation_min_time_s;
	c->settings.vacation_default_s = conf->sieve.vacation_default_time_s;
	c->settings.vacation_max_s = conf->sieve.vacation_max_time_s;
	c->settings.vacation_subject = conf->sieve.vacation_subject;
	c->settings.vacation_template = conf->sieve.vacation_template;
	c->settings.vacation_any_recipient = !conf->sieve.vacation_check_recipient;
	c->settings.vacation_from_recipient = conf->sieve.vacation_from_recipient;
	c->settings.vacation_to_header = conf->sieve.vacation_to_header;
	_Static_assert((int)SIEVE_NOTIFY_FROM_USER == 4, "in the order of the setting's words");
	c->settings.notify_sender = (enum sieve_notify_sender)conf->sieve.notify_sender;
	c->settings.duplicate_default_s = conf->sieve.duplicate_default_time_s;
	c->settings.duplicate_max_s = conf->sieve.duplicate_max_time_s;
	c->protected_headers = names(&conf->sieve.protected_headers);
	c->settings.protected_headers = c->protected_headers;
	c->spam_texts = names(&conf->sieve.spam_texts);
	c->settings.spam = (struct sieve_verdict){ conf->sieve.spam_header,
	    (enum sieve_verdict_kind)conf->sieve.spam_kind, conf->sieve.spam_max,
	    (const char *const *)c->spam_texts };
	c->virus_texts = names(&conf->sieve.virus_texts);
	c->settings.virus = (struct sieve_verdict){ conf->sieve.virus_header, SIEVE_VERDICT_TEXT,
	    NULL, (const char *const *)c->virus_texts };
	c->off = names(&conf->sieve.disabled_extensions);
	c->options.off = c->off;
	c->options.limits = &c->limits;
	c->options.settings = &c->settings;
}

void
sieve_conf_fini(struct sieve_conf *c)
{
	mem_free(&c->off);
	mem_free(&c->protected_headers);
	mem_free(&c->spam_texts);
	mem_free(&c->virus_texts);
}
