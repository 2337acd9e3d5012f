/* What a script did with a message, for people and as JSON. */
#include "ctl/sieve_priv.h"

#include "common/util/mem.h"

#define SHOWN_MAX 200		/* bytes of a value */

/* In one line, and not too long. */
static void
put_text(struct buf *out, struct span s)
{
	buf_add_c(out, '"');
	for (size_t i = 0; i < s.len && i < SHOWN_MAX; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\r')
			continue;
		if (c == '\n')
			buf_add_str(out, "\\n");
		else
			buf_add_c(out, c < ' ' || c == 0x7f ? '?' : (char)c);
	}
	buf_add_str(out, s.len > SHOWN_MAX ? "\"..." : "\"");
}

/* ---- the trace ---- */

static const char *
traced(const struct sieve_trace *t)
{
	switch (t->outcome) {
	case SIEVE_TRACE_TRUE: return "true";
	case SIEVE_TRACE_FALSE: return "false";
	case SIEVE_TRACE_FAILED: return "failed";
	default: return "done";
	}
}

void
sieve_show_trace(struct buf *out, const struct sieve_trace *t)
{
	buf_addf(out, "%s%sline %u, column %u: ", t->script, t->script[0] != '\0' ? ": " : "",
	    (unsigned)t->line, (unsigned)t->column);
	for (unsigned i = 0; i < t->depth && i < 32; i++)
		buf_add_str(out, "  ");
	buf_addf(out, "%s: %s", t->word, traced(t));
	if (t->value.p != NULL) {
		buf_add_str(out, ", ");
		put_text(out, t->value);
	}
	if (t->key.p != NULL) {
		buf_add_str(out, " by ");
		put_text(out, t->key);
	}
	buf_add_c(out, '\n');
}

void
sieve_json_trace(struct json_writer *w, const struct sieve_trace *t)
{
	json_begin_object(w);
	json_kv_str(w, "script", t->script);
	json_kv_uint(w, "line", t->line);
	json_kv_uint(w, "column", t->column);
	json_kv_uint(w, "depth", t->depth);
	json_kv_str(w, "word", t->word);
	json_kv_bool(w, "test", t->test);
	json_kv_str(w, "outcome", traced(t));
	if (t->value.p != NULL)
		json_kv_string(w, "value", t->value);
	if (t->key.p != NULL)
		json_kv_string(w, "key", t->key);
	json_end_object(w);
}

/* ---- actions ---- */

static void
show_flags(struct buf *out, const struct span *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_add_str(out, i == 0 ? ", flags " : " ");
		buf_add_span(out, v[i]);
	}
}

static void
show_store(struct buf *out, const struct sieve_store *s)
{
	buf_add_str(out, s->fcc_of != NULL ? "store a copy of what is sent into " :
	    s->keep ? "keep in " : "store into ");
	if (s->mailbox_id.p != NULL) {
		buf_add_str(out, "the mailbox with the id ");
		put_text(out, s->mailbox_id);
		buf_add_str(out, ", else ");
	}
	if (s->special_use.p != NULL) {
		buf_add_str(out, "the mailbox for ");
		put_text(out, s->special_use);
		buf_add_str(out, ", else ");
	}
	put_text(out, s->mailbox);
	show_flags(out, s->flags, s->n_flags);
	if (s->create)
		buf_add_str(out, ", made if it is missing");
	if (s->implicit)
		buf_add_str(out, " (nothing else was said)");
}

static void
show_redirect(struct buf *out, const struct sieve_redirect *r)
{
	buf_add_str(out, "redirect to ");
	put_text(out, r->address);
	if (r->notify.p != NULL) {
		buf_add_str(out, ", notify ");
		put_text(out, r->notify);
	}
	if (r->ret.p != NULL) {
		buf_add_str(out, ", return ");
		put_text(out, r->ret);
	}
	if (r->by_mode.p != NULL) {
		buf_addf(out, ", by %lld ", (long long)r->by_time);
		put_text(out, r->by_mode);
	}
}

static void
show_vacation(struct buf *out, const struct sieve_vacation *v)
{
	buf_add_str(out, "answer to ");
	put_text(out, v->to);
	if (v->from.p != NULL) {
		buf_add_str(out, ", from ");
		put_text(out, v->from);
	}
	buf_add_str(out, ", subject ");
	put_text(out, v->subject);
	buf_add_str(out, v->mime ? ", entity " : ", text ");
	put_text(out, v->text);
}

static void
show_notify(struct buf *out, const struct sieve_notify *n)
{
	buf_add_str(out, "notify ");
	put_text(out, n->method);
	buf_add_str(out, ", importance ");
	buf_add_span(out, n->importance);
	if (n->message.p != NULL) {
		buf_add_str(out, ", message ");
		put_text(out, n->message);
	}
}

static void
show_action(struct buf *out, const struct sieve_action *a)
{
	switch (a->kind) {
	case SIEVE_STORE:
		show_store(out, &a->store);
		break;
	case SIEVE_REDIRECT:
		show_redirect(out, &a->redirect);
		break;
	case SIEVE_REJECT:
		buf_add_str(out, a->reject.ereject ? "refuse: " : "reject: ");
		put_text(out, a->reject.reason);
		break;
	case SIEVE_VACATION:
		show_vacation(out, &a->vacation);
		break;
	case SIEVE_NOTIFY:
		show_notify(out, &a->notify);
		break;
	}
	if (a->message != sieve_message_root(a->message))
		buf_add_str(out, " (edited)");
	if (a->line > 0)
		buf_addf(out, "  [line %u]", (unsigned)a->line);
	buf_add_c(out, '\n');
}

/* What becomes of the message that an event is about. */
static void
show_original(struct buf *out, const struct sieve_result *r)
{
	buf_add_str(out, sieve_result_keeps(r) ? "the message stays" : "the message is marked \\Deleted");
	if (r->flagged && r->n_flags == 0)
		buf_add_str(out, ", no flags");
	show_flags(out, r->flags, r->n_flags);
	buf_add_c(out, '\n');
}

void
sieve_show_result(struct buf *out, enum sieve_outcome outcome, const struct sieve_result *r)
{
	if (outcome == SIEVE_FAILED)
		buf_addf(out, "the script failed: %s%sline %u, column %u: %s\n",
		    r->error_script != NULL ? r->error_script : "",
		    r->error_script != NULL && r->error_script[0] != '\0' ? ": " : "",
		    (unsigned)r->error_line, (unsigned)r->error_column, r->error);
	for (size_t i = 0; i < r->n_warnings; i++)
		buf_addf(out, "warning: %s%sline %u: %s\n", r->warnings[i].script,
		    r->warnings[i].script[0] != '\0' ? ": " : "", (unsigned)r->warnings[i].line,
		    r->warnings[i].text);
	for (size_t i = 0; i < r->n_actions; i++)
		if (!r->event || !r->actions[i]->store.keep || r->actions[i]->kind != SIEVE_STORE)
			show_action(out, r->actions[i]);
	if (r->event)
		show_original(out, r);
	else if (r->n_actions == 0)
		buf_add_str(out, "discard\n");
}

/* ---- JSON ---- */

static void
json_span(struct json_writer *w, const char *key, struct span s)
{
	if (s.p != NULL)
		json_kv_string(w, key, s);
}

static void
json_store(struct json_writer *w, const struct sieve_store *s)
{
	json_kv_string(w, "mailbox", s->mailbox);
	json_span(w, "mailboxId", s->mailbox_id);
	json_span(w, "specialUse", s->special_use);
	json_kv_bool(w, "create", s->create);
	json_kv_bool(w, "implicit", s->implicit);
	json_kv_bool(w, "fcc", s->fcc_of != NULL);
	json_key(w, "flags");
	json_begin_array(w);
	for (size_t i = 0; i < s->n_flags; i++)
		json_string(w, s->flags[i]);
	json_end_array(w);
}

static const char *
action_name(const struct sieve_action *a)
{
	switch (a->kind) {
	case SIEVE_STORE: return a->store.keep ? "keep" : "fileinto";
	case SIEVE_REDIRECT: return "redirect";
	case SIEVE_REJECT: return a->reject.ereject ? "ereject" : "reject";
	case SIEVE_VACATION: return "vacation";
	default: return "notify";
	}
}

static void
json_action(struct json_writer *w, const struct sieve_action *a)
{
	json_begin_object(w);
	json_kv_str(w, "action", action_name(a));
	json_kv_uint(w, "line", a->line);
	json_kv_bool(w, "edited", a->message != sieve_message_root(a->message));
	switch (a->kind) {
	case SIEVE_STORE:
		json_store(w, &a->store);
		break;
	case SIEVE_REDIRECT:
		json_kv_string(w, "address", a->redirect.address);
		json_span(w, "notify", a->redirect.notify);
		json_span(w, "ret", a->redirect.ret);
		json_span(w, "byMode", a->redirect.by_mode);
		break;
	case SIEVE_REJECT:
		json_kv_string(w, "reason", a->reject.reason);
		break;
	case SIEVE_VACATION:
		json_kv_string(w, "to", a->vacation.to);
		json_span(w, "from", a->vacation.from);
		json_kv_string(w, "subject", a->vacation.subject);
		json_kv_string(w, "text", a->vacation.text);
		json_kv_bool(w, "mime", a->vacation.mime);
		break;
	case SIEVE_NOTIFY:
		json_kv_string(w, "method", a->notify.method);
		json_kv_string(w, "importance", a->notify.importance);
		json_span(w, "message", a->notify.message);
		break;
	}
	json_end_object(w);
}

void
sieve_json_result(struct json_writer *w, enum sieve_outcome outcome, const struct sieve_result *r)
{
	json_kv_bool(w, "ok", outcome != SIEVE_FAILED);
	if (outcome == SIEVE_FAILED) {
		json_kv_str(w, "error", r->error);
		json_kv_str(w, "script", r->error_script);
		json_kv_uint(w, "line", r->error_line);
		json_kv_uint(w, "column", r->error_column);
	}
	if (r->n_warnings > 0) {
		json_key(w, "warnings");
		json_begin_array(w);
		for (size_t i = 0; i < r->n_warnings; i++) {
			json_begin_object(w);
			json_kv_str(w, "script", r->warnings[i].script);
			json_kv_uint(w, "line", r->warnings[i].line);
			json_kv_str(w, "text", r->warnings[i].text);
			json_end_object(w);
		}
		json_end_array(w);
	}
	json_kv_uint(w, "steps", r->steps);
	json_key(w, "actions");
	json_begin_array(w);
	for (size_t i = 0; i < r->n_actions; i++)
		json_action(w, r->actions[i]);
	json_end_array(w);
	if (!r->event)
		return;
	json_kv_bool(w, "kept", sieve_result_keeps(r));
	if (!r->flagged)
		return;
	json_key(w, "flags");
	json_begin_array(w);
	for (size_t i = 0; i < r->n_flags; i++)
		json_string(w, r->flags[i]);
	json_end_array(w);
}

void
sieve_json_problems(struct json_writer *w, const struct sieve_problems *p)
{
	json_begin_array(w);
	for (size_t i = 0; i < p->n; i++) {
		json_begin_object(w);
		json_kv_bool(w, "warning", p->v[i].warning);
		json_kv_uint(w, "line", p->v[i].line);
		json_kv_uint(w, "column", p->v[i].column);
		json_kv_str(w, "text", p->v[i].text);
		json_end_object(w);
	}
	json_end_array(w);
}
