/* Email/import (RFC 8621 §4.8): one after the other. */
#include "common/util/mem.h"
#include "jmapd/email/making.h"
#include "jmapd/email/methods.h"
#include "jmapd/email/scripts.h"
#include "jmapd/email/states.h"

struct import {
	struct jmap_call	*c;
	struct jmap_set		set;
	struct email_states	states;
	const struct json	*emails;
	void			*pos;
	struct span		id;		/* of the one at hand */
	struct making		*making;
	struct mirror_call	*fresh;
	struct email_scripts	scripts;
};

static void
ended(struct jmap_call *c)
{
	struct import *im = c->state;

	mirror_cancel(&im->fresh);
	email_scripts_fini(&im->scripts);
	making_free(&im->making);
	jmap_set_fini(&im->set);
	mem_free(&c->state);
}

static void
answer(void *arg)
{
	struct import *im = arg;
	struct jmap_call *c = im->c;
	struct buf text = { 0 };

	json_begin_object(c->out);
	json_kv_string(c->out, "accountId", c->account->id);
	email_state_put(&im->states, im->states.before, &text);
	json_kv_string(c->out, "oldState", buf_span(&text));
	buf_clear(&text);
	email_state_put(&im->states, im->states.after, &text);
	json_kv_string(c->out, "newState", buf_span(&text));
	buf_fini(&text);
	jmap_set_put_list(c, "created", &im->set.lists[JMAP_CREATE].done, true);
	jmap_set_put_list(c, "notCreated", &im->set.lists[JMAP_CREATE].failed, true);
	json_end_object(c->out);
	jmap_call_done(c);
}

static void next(struct import *im);

static void
on_made(void *arg, enum status st, const struct added *a)
{
	struct import *im = arg;

	if (st == ST_CONFLICT && email_states_condition(&im->states) != 0) {
		email_state_mismatch(im->c);
		return;
	}
	if (st == ST_OK) {
		email_states_add(&im->states, a->old_email, a->email);
		email_scripts_made(&im->scripts, im->c, a->message);
	}
	making_report(im->making, &im->set, im->id);
	making_free(&im->making);
	next(im);
}

static void
next(struct import *im)
{
	const struct json *asked;

	if (json_next(im->emails, &im->pos, &im->id, &asked))
		im->making = making_import(im->c, asked, email_states_condition(&im->states), on_made,
		    im);
	else if (!email_scripts_run(&im->scripts, im->c, answer, im))
		answer(im);
}

static void
on_fresh(void *arg, enum status st)
{
	struct import *im = arg;

	im->fresh = NULL;
	if (st != ST_OK)
		jmap_call_status(im->c, st, "reading the account");
	else if (email_states_begin(&im->states, im->c, im->set.if_in_state))
		next(im);
}

void
email_import(struct jmap_call *c)
{
	struct import *im = mem_zalloc(sizeof(*im));
	struct jmap_set_list *list = &im->set.lists[JMAP_CREATE];
	const struct json *v;
	struct span key;
	void *pos = NULL;

	im->c = c;
	c->state = im;
	c->ended = ended;
	im->set.if_in_state = jmap_arg_string(c, "ifInState");
	im->emails = jmap_arg_object(c, "emails");
	if (im->emails == NULL)
		jmap_arg_bad(c, "emails", "is missing");
	while (json_next(im->emails, &pos, &key, &v))
		if (!json_is_object(v))
			jmap_arg_bad(c, "emails", "every member must be an object");
	if (json_members(im->emails) > c->host->limits->max_objects_in_set) {
		jmap_call_error(c, "requestTooLarge", "emails: more than maxObjectsInSet");
		return;
	}
	json_writer_init(&list->done, &list->done_text);
	json_writer_init(&list->failed, &list->failed_text);
	json_begin_object(&list->done);
	json_begin_object(&list->failed);
	if (jmap_args_end(c))
		im->fresh = mirror_fresh(jmap_call_mirror(c), on_fresh, im);
}
