#include "t/unit/sieve/edit_test.h"

#include <string.h>

#include "common/util/mem.h"
#include "t/unit/sieve/sieve_test.h"

const char *
message_text(struct sieve_message *m)
{
	static char text[65536];
	size_t n = (size_t)sieve_message_size(m);

	if (n >= sizeof(text) || !sieve_message_read(m, 0, text, n))
		return "unreadable";
	text[n] = '\0';
	return text;
}

const char *
edited(const char *script, const char *message)
{
	struct sieve_case c;
	const char *text;

	sieve_case_init(&c);
	c.env.user = SPAN_LIT("user@example.com");
	if (!sieve_case_add(&c, script))
		text = "not compiled";
	else if (sieve_case_run(&c, message), c.outcome != SIEVE_DONE || c.result.n_actions == 0)
		text = sieve_once(script, message);
	else
		text = message_text(c.result.actions[c.result.n_actions - 1]->message);
	sieve_case_fini(&c);
	return text;
}
