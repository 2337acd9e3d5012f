/* A mirror asks through its login's channel. */
#include "jmapd/mirror/source.h"

#include "jmapd/mirror/mirror.h"

static void *
ask_states(void *arg, store_done_fn fn, void *fn_arg)
{
	return store_do_states(arg, fn, fn_arg);
}

static void *
ask_emails(void *arg, const struct store_emails *rq, store_done_fn fn, void *fn_arg)
{
	return store_do_emails(arg, rq, fn, fn_arg);
}

static void *
ask_changes(void *arg, const struct store_email_changes *rq, store_done_fn fn, void *fn_arg)
{
	return store_do_email_changes(arg, rq, fn, fn_arg);
}

static void
cancel(void *arg, void **call)
{
	struct store_call *c = *call;

	(void)arg;
	*call = NULL;
	store_cancel(&c);
}

struct mirror *
mirror_new(struct mirror_pool *p, struct store *s)
{
	const struct mirror_source source = { s, ask_states, ask_emails, ask_changes, cancel };

	return mirror_new_from(p, &source);
}
