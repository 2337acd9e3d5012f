#include "sieve/compose.h"

#include <string.h>

#include "common/mime/charset.h"
#include "common/mime/field.h"
#include "common/mime/report.h"
#include "common/mime/thread.h"
#include "common/mime/write.h"
#include "sieve/mailto.h"

#define HEADER_MAX	65536u		/* of the message, in reject's report */
#define SUBJECT_CHARS	256u
#define NAME_MAX_QUOTED	200u		/* a longer one is folded, or encoded */
#define ID_MAX		900u		/* a longer one is left out */
#define IDS_KEPT	30u		/* of References: the first and the last ones */

struct letter {
	struct buf			text;
	const struct sieve_action	*action;
	const struct sieve_env		*env;
	const struct sieve_sender	*sender;
	struct arena			*arena;
	struct sieve_header		*header;	/* of the message that it is about */
};

/* --- header ---------------------------------------------------------------------------------- */

static struct sieve_field *
find(const struct letter *l, const char *name)
{
	struct span s = span_str(name);

	return sieve_header_find(l->header, s, sieve_name_hash(s));
}

/* Texts of scripts and messages in a field of one line. */
static struct span
clean(struct letter *l, struct span s)
{
	char *p = arena_alloc(l->arena, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		p[i] = (unsigned char)s.p[i] < 32 || s.p[i] == 127 ? ' ' : s.p[i];
	return span_trim(span(p, s.len));
}

static void
put_plain(struct letter *l, const char *name, struct span value)
{
	struct mime_line line;

	mime_line_begin(&line, &l->text, span_str(name));
	for (value = clean(l, value); value.len > 0;) {
		struct span word = span_cut(&value, ' ');

		if (word.len > 0)
			mime_line_word(&line, word);
	}
	mime_line_end(&line);
}

static void
put_text(struct letter *l, struct span name, struct span value)
{
	struct mime_line line;

	mime_line_begin(&line, &l->text, name);
	mime_line_text(&line, clean(l, value));
	mime_line_end(&line);
}

/* A subject is cut where nobody would read on. */
static void
put_subject_line(struct letter *l, struct span subject)
{
	struct span s = clean(l, subject);
	size_t i = 0, chars = 0;
	struct buf b = { 0 };

	while (i < s.len && (chars < SUBJECT_CHARS || ((unsigned char)s.p[i] & 0xc0) == 0x80))
		chars += ((unsigned char)s.p[i++] & 0xc0) != 0x80;
	if (i == s.len) {
		/* RFC 5230 4.3: what is ASCII is not encoded, also when it looks so already. */
		if (mime_is_ascii(s) && memmem(s.p, s.len, "=?", 2) != NULL)
			put_plain(l, "Subject", s);
		else
			put_text(l, SPAN_LIT("Subject"), s);
		return;
	}
	for (i--; i > 0 && ((unsigned char)s.p[i] & 0xc0) == 0x80; i--)
		;
	buf_add_span(&b, span_sub(s, 0, i));
	buf_add_str(&b, "\xe2\x80\xa6");	/* U+2026, an ellipsis */
	put_text(l, SPAN_LIT("Subject"), buf_span(&b));
	buf_fini(&b);
}

static void
put_date(struct letter *l)
{
	buf_add_str(&l->text, "Date: ");
	mime_date_put(&l->text, l->env->now, l->env->zone_min);
	buf_add_str(&l->text, "\r\n");
}

static void
put_message_id(struct letter *l)
{
	struct buf id = { 0 };

	buf_add_c(&id, '<');
	buf_add_span(&id, l->sender->unique);
	buf_add_c(&id, '@');
	buf_add_span(&id, l->sender->host);
	buf_add_c(&id, '>');
	put_plain(l, "Message-ID", buf_span(&id));
	buf_fini(&id);
}

/* "local@domain", the local part in quotes where it must be. */
static struct span
addr_spec(struct arena *arena, const struct mime_addr *a)
{
	struct buf out = { 0 };
	bool quote = a->local.len == 0;
	struct span s;

	for (size_t i = 0; i < a->local.len; i++) {
		char c = a->local.p[i];

		quote |= strchr(" ()<>[]:;@\\,\"", c) != NULL;
		quote |= c == '.' && (i == 0 || i + 1 == a->local.len || a->local.p[i - 1] == '.');
	}
	if (quote)
		buf_add_c(&out, '"');
	for (size_t i = 0; i < a->local.len; i++) {
		if (a->local.p[i] == '"' || a->local.p[i] == '\\')
			buf_add_c(&out, '\\');
		buf_add_c(&out, a->local.p[i]);
	}
	if (quote)
		buf_add_c(&out, '"');
	buf_add_c(&out, '@');
	buf_add_span(&out, a->domain);
	s = arena_span(arena, buf_span(&out));
	buf_fini(&out);
	return s;
}

/* A name in quotes keeps them: that is how its owner writes it. */
static void
put_name(struct letter *l, struct mime_line *line, const struct mime_addr *a)
{
	struct buf name = { 0 };

	if (a->quoted && mime_is_ascii(a->name) && a->name.len <= NAME_MAX_QUOTED) {
		buf_add_c(&name, '"');
		for (size_t i = 0; i < a->name.len; i++) {
			if (a->name.p[i] == '"' || a->name.p[i] == '\\')
				buf_add_c(&name, '\\');
			buf_add_c(&name, a->name.p[i]);
		}
		buf_add_c(&name, '"');
		mime_line_word(line, clean(l, buf_span(&name)));
	} else {
		if (a->quoted)
			buf_add_span(&name, a->name);
		else
			mime_words_decode(a->name, &name);
		mime_line_phrase(line, clean(l, buf_span(&name)));
	}
	buf_fini(&name);
}

static void
put_address(struct letter *l, struct mime_line *line, const struct mime_addr *a, bool more)
{
	struct buf word = { 0 };

	bool brackets = a->name.len > 0 || l->action->kind == SIEVE_VACATION;

	if (a->name.len > 0)
		put_name(l, line, a);
	if (brackets)
		buf_add_c(&word, '<');
	buf_add_span(&word, addr_spec(l->arena, a));
	if (brackets)
		buf_add_c(&word, '>');
	if (more)
		buf_add_c(&word, ',');
	mime_line_word(line, buf_span(&word));
	buf_fini(&word);
}

static void
put_addresses(struct letter *l, const char *field, const struct mime_addr *const *v, size_t n)
{
	struct mime_line line;

	mime_line_begin(&line, &l->text, span_str(field));
	for (size_t i = 0; i < n; i++)
		put_address(l, &line, v[i], i + 1 < n);
	mime_line_end(&line);
}

/* A list of addresses as text: those of it that are good.  Returns how many there were. */
static size_t
put_address_text(struct letter *l, const char *field, struct span text)
{
	const struct mime_addr *good[16];
	struct mime_addr *v = NULL;
	size_t n = mime_addresses(l->arena, text, &v), count = 0;

	for (size_t i = 0; i < n && count < 16; i++)
		if (sieve_address_ok(&v[i]))
			good[count++] = &v[i];
	if (count > 0)
		put_addresses(l, field, good, count);
	return count;
}

/* The ids of a field that can be written again.  v holds MIME_IDS_MAX. */
static size_t
read_ids(struct letter *l, const struct sieve_field *f, struct span *v)
{
	size_t n = f != NULL ? mime_message_ids(l->arena, f->value, v) : 0, kept = 0;

	for (size_t i = 0; i < n; i++) {
		bool good = v[i].len <= ID_MAX;

		for (size_t k = 0; k < v[i].len && good; k++)
			good = (unsigned char)(v[i].p[k] - 33) < 127 - 33 && v[i].p[k] != '<' &&
			    v[i].p[k] != '>';
		if (good)
			v[kept++] = v[i];
	}
	return kept;
}

static void
put_id(struct letter *l, const char *field, struct span id)
{
	struct buf word = { 0 };

	buf_addf(&word, "<%.*s>", (int)id.len, id.p);
	put_plain(l, field, buf_span(&word));
	buf_fini(&word);
}

/* In-Reply-To and References (RFC 5322 3.6.4). */
static void
put_references(struct letter *l, bool reply)
{
	struct span id[MIME_IDS_MAX], refs[MIME_IDS_MAX];
	struct sieve_field *f = find(l, "message-id"), *r = find(l, "references");
	size_t n = 0;
	struct mime_line line;
	struct buf word = { 0 };

	if (read_ids(l, f, id) == 0)
		return;
	if (r == NULL && (r = find(l, "in-reply-to")) != NULL && read_ids(l, r, refs) != 1)
		r = NULL;
	n = read_ids(l, r, refs);
	if (n > IDS_KEPT) {
		memmove(refs + 1, refs + n - (IDS_KEPT - 1), (IDS_KEPT - 1) * sizeof(refs[0]));
		n = IDS_KEPT;
	}
	buf_addf(&word, "<%.*s>", (int)id[0].len, id[0].p);
	if (reply)
		put_id(l, "In-Reply-To", id[0]);
	mime_line_begin(&line, &l->text, SPAN_LIT("References"));
	for (size_t i = 0; i < n; i++) {
		struct buf ref = { 0 };

		buf_addf(&ref, "<%.*s>", (int)refs[i].len, refs[i].p);
		mime_line_word(&line, buf_span(&ref));
		buf_fini(&ref);
	}
	mime_line_word(&line, buf_span(&word));
	mime_line_end(&line);
	buf_fini(&word);
}

/* --- body ------------------------------------------------------------------------------------ */

static void
put_mime(struct letter *l, struct span entity)
{
	buf_add_str(&l->text, "MIME-Version: 1.0\r\n");
	mime_put_lines(&l->text, entity);
}

/* --- vacation -------------------------------------------------------------------------------- */

/* The address as a field of the message has it, with its name; NULL: none has it. */
static const struct mime_addr *
known_as(struct letter *l, struct span address)
{
	static const char *const fields[] = { "sender", "resent-from", "reply-to", "from" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct sieve_field *f = find(l, fields[i]);
		const struct mime_addr *v;
		size_t n = f != NULL ? sieve_field_addrs(l->header, f, &v) : 0;

		for (size_t k = 0; k < n; k++)
			if (sieve_address_ok(&v[k]) &&
			    span_caseeq(addr_spec(l->arena, &v[k]), address))
				return &v[k];
	}
	return NULL;
}

static void
put_to(struct letter *l, struct span address)
{
	const struct mime_addr *a = known_as(l, address);

	if (a != NULL)
		put_addresses(l, "To", &a, 1);
	else if (put_address_text(l, "To", address) == 0)
		put_plain(l, "To", address);
}

static struct span
owner(const struct sieve_env *env)
{
	return env->n_addresses > 0 ? env->addresses[0] : env->envelope.to;
}

static bool
vacation(struct letter *l, struct sieve_letter *out)
{
	const struct sieve_vacation *v = &l->action->vacation;
	struct span *to = arena_alloc(l->arena, sizeof(*to));

	if (v->to.len == 0)
		return false;
	*to = v->to;
	out->to = to;
	out->n_to = 1;
	out->from = v->sender;
	put_date(l);
	put_message_id(l);
	if (v->from.len == 0 || put_address_text(l, "From", v->from) == 0)
		put_address_text(l, "From", owner(l->env));
	put_to(l, v->header_to.len > 0 ? v->header_to : v->to);
	put_subject_line(l, v->subject);
	put_references(l, true);
	buf_add_str(&l->text, "Auto-Submitted: auto-replied\r\nPrecedence: bulk\r\n");
	if (v->mime) {
		put_mime(l, v->text);
	} else {
		buf_add_str(&l->text, "MIME-Version: 1.0\r\n");
		mime_put_text(&l->text, "text/plain; charset=utf-8", v->text);
	}
	return true;
}

/* --- reject ---------------------------------------------------------------------------------- */

static void
put_report(struct letter *l, struct span recipient)
{
	struct span id[MIME_IDS_MAX], orcpt = l->env->envelope.orcpt;
	struct sieve_field *f = find(l, "message-id");

	buf_add_str(&l->text, "Content-Type: message/disposition-notification\r\n\r\nReporting-UA: ");
	buf_add_span(&l->text, l->sender->host);
	buf_add_str(&l->text, "; Mansio mail rules\r\n");
	if (orcpt.len > 0 && mime_is_ascii(orcpt) && span_find(orcpt, ';') < orcpt.len)
		put_plain(l, "Original-Recipient", orcpt);
	mime_put_recipient(&l->text, "Final-Recipient", clean(l, recipient));
	if (read_ids(l, f, id) > 0)
		put_id(l, "Original-Message-ID", id[0]);
	buf_add_str(&l->text, "Disposition: automatic-action/MDN-sent-automatically; deleted\r\n");
}

static void
put_reason(struct letter *l, struct span recipient)
{
	struct buf text = { 0 };

	buf_add_str(&text, "Your message to <");
	buf_add_span(&text, clean(l, recipient));
	buf_add_str(&text, "> was refused by the recipient's mail filtering program.\r\n"
	    "The reason given is as follows:\r\n\r\n");
	buf_add_span(&text, l->action->reject.reason);
	mime_put_text(&l->text, "text/plain; charset=utf-8", buf_span(&text));
	buf_fini(&text);
}

/* The message's header, as it came. */
static void
put_original(struct letter *l)
{
	struct span block = span_sub(sieve_header_block(l->header), 0, HEADER_MAX);

	mime_put_text(&l->text, "text/rfc822-headers; charset=utf-8", block);
}

static bool
reject(struct letter *l, struct sieve_letter *out)
{
	const struct sieve_envelope *e = &l->env->envelope;
	struct span recipient = e->to.len > 0 ? e->to : owner(l->env);
	struct span *to = arena_alloc(l->arena, sizeof(*to));
	struct mime_addr *who = NULL;
	struct buf boundary = { 0 };

	if (e->from.len == 0)
		return false;
	*to = e->from;
	out->to = to;
	out->n_to = 1;
	put_date(l);
	put_message_id(l);
	if (mime_addresses(l->arena, recipient, &who) == 1 && sieve_address_ok(who)) {
		who->name = SPAN_LIT("Mail filter (Postmaster)");
		who->quoted = true;
		put_addresses(l, "From", (const struct mime_addr *const *)&who, 1);
	} else {
		put_plain(l, "From", recipient);
	}
	put_to(l, e->from);
	put_text(l, SPAN_LIT("Subject"), SPAN_LIT("Your message was refused"));
	put_references(l, true);
	buf_addf(&boundary, "=_%.*s_report", (int)l->sender->unique.len, l->sender->unique.p);
	buf_addf(&l->text, "Auto-Submitted: auto-replied (rejected)\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=disposition-notification;\r\n"
	    " boundary=\"%s\"\r\n\r\n--%s\r\n", buf_cstr(&boundary), buf_cstr(&boundary));
	put_reason(l, recipient);
	buf_addf(&l->text, "\r\n--%s\r\n", buf_cstr(&boundary));
	put_report(l, recipient);
	buf_addf(&l->text, "\r\n--%s\r\n", buf_cstr(&boundary));
	put_original(l);
	buf_addf(&l->text, "\r\n--%s--\r\n", buf_cstr(&boundary));
	buf_fini(&boundary);
	return true;
}

/* --- notify ---------------------------------------------------------------------------------- */

static void
put_importance(struct letter *l, struct span importance)
{
	const char *number = "3 (Normal)", *word = "normal";

	if (span_eq_str(importance, "1")) {
		number = "1 (High)";
		word = "high";
	} else if (span_eq_str(importance, "3")) {
		number = "5 (Low)";
		word = "low";
	}
	buf_addf(&l->text, "X-Priority: %s\r\nImportance: %s\r\n", number, word);
}

static void
put_rcpts(struct letter *l, const struct sieve_mailto *m, bool cc)
{
	const struct mime_addr *v[SIEVE_MAILTO_RCPTS];
	size_t n = 0;

	for (size_t i = 0; i < m->n_rcpts; i++)
		if (m->cc[i] == cc)
			v[n++] = m->rcpts[i];
	if (n > 0)
		put_addresses(l, cc ? "Cc" : "To", v, n);
}

static struct span
field_text(struct letter *l, const char *name)
{
	struct sieve_field *f = find(l, name);

	return f != NULL ? sieve_field_text(l->header, f) : SPAN_NONE;
}

/* RFC 5436 2.7: URI fields begin with a capital letter. */
static void
put_uri_field(struct letter *l, const struct sieve_mailto_field *f)
{
	struct span name = arena_span(l->arena, f->name);
	char *p = arena_strndup(l->arena, name.p, name.len);

	p[0] = ascii_upper(p[0]);
	put_text(l, span(p, name.len), f->value);
}

static void
put_notified(struct letter *l, const struct sieve_mailto *m)
{
	struct buf text = { 0 };

	if (m->body.p == NULL) {
		struct span from = field_text(l, "from"), subject = field_text(l, "subject");

		buf_add_str(&text, "A message has arrived.\r\n\r\nFrom: ");
		buf_add_span(&text, clean(l, from));
		buf_add_str(&text, "\r\nSubject: ");
		buf_add_span(&text, clean(l, subject));
		buf_add_str(&text, "\r\n");
	}
	buf_add_str(&l->text, "MIME-Version: 1.0\r\n");
	mime_put_text(&l->text, "text/plain; charset=utf-8", m->body.p != NULL ? m->body : buf_span(&text));
	buf_fini(&text);
}

static void
put_subject(struct letter *l, const struct sieve_mailto *m)
{
	struct span subject = l->action->notify.message;

	if (subject.p == NULL)
		subject = m->subject;
	if (subject.p == NULL)
		subject = field_text(l, "subject");
	put_subject_line(l, subject);
}

/* RFC 5436 2.7: whoever gets a bounce. */
static struct span
notify_sender(struct letter *l)
{
	const struct sieve_notify *v = &l->action->notify;
	struct mime_addr *from = NULL;

	if (l->env->envelope.from.p != NULL && l->env->envelope.from.len == 0)
		return SPAN_LIT("");
	if (v->sender.p != NULL)
		return v->sender;
	if (v->from.len > 0 && mime_addresses(l->arena, v->from, &from) == 1 && sieve_address_ok(from))
		return addr_spec(l->arena, from);
	return owner(l->env);
}

static bool
notify(struct letter *l, struct sieve_letter *out)
{
	const struct sieve_notify *v = &l->action->notify;
	struct sieve_mailto *m = arena_zalloc(l->arena, sizeof(*m));
	struct mime_line line;
	struct span *to;

	if (sieve_mailto_parse(l->arena, v->method, m) != NULL)
		return false;
	to = arena_array(l->arena, m->n_rcpts, sizeof(*to));
	for (size_t i = 0; i < m->n_rcpts; i++)
		to[i] = addr_spec(l->arena, m->rcpts[i]);
	out->to = to;
	out->n_to = m->n_rcpts;
	out->from = notify_sender(l);
	mime_line_begin(&line, &l->text, SPAN_LIT("Auto-Submitted"));
	mime_line_word(&line, SPAN_LIT("auto-notified"));
	mime_line_param(&line, "owner-email", clean(l, owner(l->env)));
	mime_line_end(&line);
	put_date(l);
	put_message_id(l);
	buf_add_str(&l->text, "X-Sieve: Mansio\r\n");
	put_importance(l, v->importance);
	if (v->from.len == 0 || put_address_text(l, "From", v->from) == 0)
		put_address_text(l, "From", owner(l->env));
	put_rcpts(l, m, false);
	put_rcpts(l, m, true);
	put_subject(l, m);
	put_references(l, false);
	for (size_t i = 0; i < m->n_fields; i++)
		put_uri_field(l, &m->fields[i]);
	put_notified(l, m);
	return true;
}

/* --- */

bool
sieve_compose(const struct sieve_action *a, const struct sieve_env *env,
    const struct sieve_sender *s, struct arena *arena, struct sieve_letter *out)
{
	struct letter l = { .action = a, .env = env, .sender = s, .arena = arena };
	bool done = false;

	*out = (struct sieve_letter){ 0 };
	l.header = sieve_message_header(sieve_message_root(a->message));
	if (a->kind == SIEVE_VACATION)
		done = vacation(&l, out);
	else if (a->kind == SIEVE_REJECT)
		done = reject(&l, out);
	else if (a->kind == SIEVE_NOTIFY)
		done = notify(&l, out);
	if (done)
		out->text = arena_span(arena, buf_span(&l.text));
	buf_fini(&l.text);
	return done;
}
