#include "common/mail/state_change.h"

#include "common/mail/type_state.h"

static const char *const names[PUSH_TYPE_N] = {
	[PUSH_TYPE_EMAIL] = "Email", [PUSH_TYPE_MAILBOX] = "Mailbox", [PUSH_TYPE_THREAD] = "Thread",
	[PUSH_TYPE_DELIVERY] = "EmailDelivery", [PUSH_TYPE_QUOTA] = "Quota"
};

const char *
push_type_name(enum push_type t)
{
	return names[t];
}

unsigned
push_type_bit(struct span name)
{
	for (unsigned t = 0; t < PUSH_TYPE_N; t++)
		if (span_eq_str(name, names[t]))
			return 1u << t;
	return 0;
}

void
state_change_put(struct json_writer *w, struct span account, const uint64_t states[PUSH_TYPE_N],
    uint64_t incarnation, struct span quota, unsigned types)
{
	struct buf text = { 0 };

	json_kv_str(w, "@type", "StateChange");
	json_key(w, "changed");
	json_begin_object(w);
	json_key_span(w, account);
	json_begin_object(w);
	for (unsigned t = 0; t < PUSH_TYPE_N; t++) {
		if ((types & 1u << t) == 0)
			continue;
		buf_clear(&text);
		type_state_put((struct type_state){ .modseq = states[t], .incarnation = incarnation },
		    &text);
		json_kv_string(w, names[t], t == PUSH_TYPE_QUOTA ? quota : buf_span(&text));
	}
	json_end_object(w);
	json_end_object(w);
	buf_fini(&text);
}
