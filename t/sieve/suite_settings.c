/* Settings that tests change, by the names that the public tests use for them. */
#include <stddef.h>
#include <string.h>

#include "common/util/mem.h"
#include "t/sieve/suite.h"

#define URN "urn:ietf:params:sieve"

enum kind { LIMIT, SECONDS, YES, NO, TEXT };
struct setting {
	const char	*name;
	enum kind	kind;
	size_t		at;		/* in struct sieve_limits or struct sieve_settings */
	const char	*unset;
};
#define OF_LIMIT(name, member) { name, LIMIT, offsetof(struct sieve_limits, member), "" }
#define OF(name, kind, member, unset) { name, kind, offsetof(struct sieve_settings, member), unset }

static const struct setting settings[] = {
	OF_LIMIT("sieve_max_actions", actions),
	OF_LIMIT("sieve_max_redirects", redirects),
	OF_LIMIT("sieve_include_max_includes", includes),
	OF_LIMIT("sieve_include_max_nesting_depth", nested_includes),
	OF_LIMIT("sieve_variables_max_variable_size", variable_bytes),
	OF_LIMIT("sieve_variables_max_value_size", variable_bytes),
	OF_LIMIT("sieve_editheader_max_header_size", header_bytes),
	OF_LIMIT("sieve_notify_max_notifications", outgoing),
	OF("sieve_spamtest_status_header", TEXT, spam.header, ""),
	OF("sieve_spamtest_score_max_value", TEXT, spam.max, ""),
	OF("sieve_virustest_status_header", TEXT, virus.header, ""),
	OF("recipient_delimiter", TEXT, address_separators, "+"),
	OF("sieve_vacation_min_period", SECONDS, vacation_min_s, "0"),
	OF("sieve_vacation_max_period", SECONDS, vacation_max_s, "0"),
	OF("sieve_vacation_default_period", SECONDS, vacation_default_s, "0"),
	OF("sieve_vacation_default_subject", TEXT, vacation_subject, ""),
	OF("sieve_vacation_default_subject_template", TEXT, vacation_template, ""),
	OF("sieve_vacation_use_original_recipient", YES, vacation_original_recipient, "no"),
	OF("sieve_vacation_check_recipient", NO, vacation_any_recipient, "yes"),
	OF("sieve_vacation_send_from_recipient", YES, vacation_from_recipient, "no"),
	OF("sieve_vacation_to_header_ignore_envelope", YES, vacation_to_header, "no"),
};

void
suite_settings_init(void)
{
	suite.limits = sieve_limits_default;
	suite.settings.notify_sender = SIEVE_NOTIFY_FROM_POSTMASTER;
}

void
suite_item(const char *name, struct span value)
{
	suite.env.items = suite.items;
	if (suite.env.n_items < SUITE_ITEMS)
		suite.items[suite.env.n_items++] = (struct sieve_item){ name, value };
}

/* "sieve_environment/NAME" */
static void
set_item(struct span name, struct span value)
{
	struct buf b = { 0 };

	buf_add_str(&b, "vnd.dovecot.config.");
	buf_add_span(&b, span_sub(name, strlen("sieve_environment/"), name.len));
	suite_item(arena_strndup(&suite.arena, b.data, b.len), arena_span(&suite.arena, value));
	buf_fini(&b);
}

static uint32_t
number(struct span s, bool seconds)
{
	struct span digits = s;
	uint32_t v = 0, factor = 1;

	while (digits.len > 0 && !ascii_isdigit((unsigned char)digits.p[digits.len - 1]))
		digits.len--;
	if (digits.len < s.len) {
		switch (ascii_lower(s.p[digits.len])) {
		case 'k': factor = 1024; break;
		case 'm': factor = seconds ? 60 : 1 << 20; break;
		case 'h': factor = 3600; break;
		case 'd': factor = 86400; break;
		case 'w': factor = 604800; break;
		default: break;
		}
	}
	return span_u32(digits, &v) ? v * factor : 0;
}

static bool
is_yes(struct span s)
{
	return span_caseeq_str(s, "yes") || span_caseeq_str(s, "true") || span_eq_str(s, "1");
}

static void
put(const struct setting *s, struct span value)
{
	char *limits = (char *)&suite.limits, *of = (char *)&suite.settings;
	uint32_t v;

	switch (s->kind) {
	case LIMIT:
		v = number(value, false);
		if (span_eq_str(value, "0"))
			v = SIEVE_LIMIT_NONE;
		memcpy(limits + s->at, &v, sizeof(v));
		break;
	case SECONDS:
		v = number(value, true);
		memcpy(of + s->at, &v, sizeof(v));
		break;
	case YES:
	case NO:
		of[s->at] = is_yes(value) == (s->kind == YES);
		break;
	case TEXT: {
		const char *text = value.len > 0 ?
		    arena_strndup(&suite.arena, value.p, value.len) : NULL;

		memcpy(of + s->at, &text, sizeof(text));
		break;
	}
	}
}

static void
set_notify_sender(struct span v)
{
	static const char *const names[] = { "", "postmaster", "sender", "recipient",
	    "user_email" };

	suite.settings.notify_sender = SIEVE_NOTIFY_FROM_POSTMASTER;
	for (unsigned i = 1; i < ARRAY_LEN(names); i++)
		if (span_eq_str(v, names[i]))
			suite.settings.notify_sender = (enum sieve_notify_sender)i;
}

/* ".../NAME/..." of a list: it is there from then on. */
static void
set_list(struct span name, struct span value)
{
	struct span rest = span_sub(name, strlen("sieve_extlists_list/"), name.len);
	struct span id = span_cut(&rest, '/');
	struct buf whole = { 0 };
	struct list *l = suite.world.lists;

	if (id.len > 0 && id.p[0] == ':')
		buf_add_str(&whole, URN);
	buf_add_span(&whole, id);
	while (l != NULL && !span_eq(l->name, buf_span(&whole)))
		l = l->next;
	if (l == NULL) {
		l = arena_zalloc(&suite.arena, sizeof(*l));
		l->name = arena_span(&suite.arena, buf_span(&whole));
		l->next = suite.world.lists;
		suite.world.lists = l;
	}
	if (span_eq_str(rest, "dict/file/path"))
		l->path = arena_strndup(&suite.arena, value.p, value.len);
	buf_fini(&whole);
}

/* Names, parted by blanks; what is forbidden of each is both adding and deleting. */
static void
set_protected(struct span names)
{
	const char **v = arena_array(&suite.arena, names.len + 1, sizeof(*v));
	size_t n = 0;

	while (names.len > 0) {
		struct span name = span_cut(&names, ' ');

		if (name.len > 0)
			v[n++] = arena_strndup(&suite.arena, name.p, name.len);
	}
	suite.settings.protected_headers = v;
}

#define NAMES_MAX 20u
struct names {
	const char	*v[NAMES_MAX + 1];
	size_t		n;
};
static struct names spam_texts, virus_texts;

/* "N text" for ".../N", in place of the one before. */
static void
set_text(struct names *of, struct span name, struct span value)
{
	struct span number = span_sub(name, strlen("sieve_spamtest_text_value/"), name.len);
	struct buf b = { 0 };
	size_t i = 0;

	buf_add_span(&b, number);
	buf_add_c(&b, ' ');
	while (i < of->n && strncmp(of->v[i], b.data, b.len) != 0)
		i++;
	buf_add_span(&b, value);
	if (i < NAMES_MAX)
		of->v[i] = arena_strndup(&suite.arena, b.data, b.len);
	if (i == of->n && i < NAMES_MAX)
		of->n++;
	buf_fini(&b);
}

static void
set_kind(struct sieve_verdict *of, struct span value)
{
	of->kind = span_eq_str(value, "text") ? SIEVE_VERDICT_TEXT :
	    span_eq_str(value, "strlen") ? SIEVE_VERDICT_LENGTH : SIEVE_VERDICT_SCORE;
}

static void
set_verdict(struct span name, struct span value)
{
	suite.settings.spam.texts = spam_texts.v;
	suite.settings.virus.texts = virus_texts.v;
	if (span_has_prefix(name, "sieve_spamtest_text_value/"))
		set_text(&spam_texts, name, value);
	else if (span_has_prefix(name, "sieve_virustest_text_value/"))
		set_text(&virus_texts, span_sub(name, 1, name.len), value);
	else if (span_eq_str(name, "sieve_spamtest_score_max_header"))
		suite.settings.spam.max = arena_strndup(&suite.arena, value.p, value.len);
	else if (span_eq_str(name, "sieve_spamtest_status_type"))
		set_kind(&suite.settings.spam, value);
	else if (span_eq_str(name, "sieve_virustest_status_type"))
		set_kind(&suite.settings.virus, value);
}

void
suite_set(struct span name, struct span value)
{
	value = span_trim(value);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (span_eq_str(name, settings[i].name))
			put(&settings[i], value);
	if (span_eq_str(name, "sieve_user_email")) {
		suite.env.addresses[0] = arena_span(&suite.arena, value);
		suite.env.n_addresses = value.len > 0;
	} else if (span_eq_str(name, "sieve_redirect_envelope_from")) {
		suite.redirect_from = arena_span(&suite.arena, value);
	} else if (span_eq_str(name, "sieve_notify_mailto_envelope_from")) {
		set_notify_sender(value);
	} else if (span_has_prefix(name, "sieve_extlists_list/")) {
		set_list(name, value);
	} else if (span_has_prefix(name, "sieve_environment/")) {
		set_item(name, value);
	} else if (span_eq_str(name, "sieve_editheader_header")) {
		set_protected(value);
	} else if (span_eq_str(name, "marks")) {
		suite.world.keep_marks = is_yes(value);
	} else {
		set_verdict(name, value);
	}
}

void
suite_unset(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (span_eq_str(name, settings[i].name))
			put(&settings[i], span_str(settings[i].unset));
	if (span_eq_str(name, "sieve_spamtest_score_max_header") && suite.settings.spam.max != NULL &&
	    !ascii_isdigit((unsigned char)suite.settings.spam.max[0]))
		suite.settings.spam.max = NULL;
	if (span_eq_str(name, "sieve_user_email"))
		suite.env.n_addresses = 0;
	else if (span_eq_str(name, "sieve_redirect_envelope_from"))
		suite.redirect_from = SPAN_NONE;
}

/* The testing script runs under the same ones, only longer. */
void
suite_reload(struct sieve_run *r)
{
	suite.outer_limits = suite.limits;
	suite.outer_limits.steps = 100000000;
	suite.outer_limits.memory_bytes = 1u << 30;
	suite.outer_limits.script_bytes = 4u << 20;
	suite.outer_limits.string_bytes = 1u << 20;
	suite.outer_limits.nodes = 200000;
	suite.outer_limits.includes = 10000;
	suite.outer_limits.variables = 1000;
	suite.outer = suite.env;
	suite.outer.limits = &suite.outer_limits;
	if (r != NULL)
		sieve_set_env(r, &suite.outer);
}
