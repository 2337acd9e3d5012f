/* LANGUAGE (RFC 5255 §3.2).  Our texts are English: "en" and "i-default" (RFC 2277 §4.5)
 * say the same, so a choice leaves nothing to remember.  Namespaces have no translation. */
#include "imapd/session.h"

static const char *const languages[] = { "en", "i-default" };
#define LANGUAGES (sizeof(languages) / sizeof(languages[0]))

/* Lookup (RFC 4647 §3.4): subtags fall off the range's end until a tag is left. */
static const char *
lookup(struct span range)
{
	if (span_caseeq_str(range, "default") || span_eq_str(range, "*"))
		return "i-default";
	for (size_t i = 0; i < LANGUAGES; i++) {
		size_t n = span_str(languages[i]).len;

		if (span_has_caseprefix(range, languages[i]) &&
		    (range.len == n || range.p[n] == '-'))
			return languages[i];
	}
	return NULL;
}

/* language-cmd = "LANGUAGE" *(SP lang-range-quoted) */
static void
cmd_language(struct imap_cmd *cmd)
{
	struct buf *out = imap_out(cmd->session);
	const char *chosen = NULL;
	size_t n = 0;

	while (imap_args_try(&cmd->args, ' ')) {
		struct span range = imap_args_astring(&cmd->args);

		n++;
		if (chosen == NULL && imap_args_good(&cmd->args))
			chosen = lookup(range);
	}
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
	} else if (n > 0 && chosen == NULL) {
		imap_cmd_end(cmd, "NO [CANNOT] Only English is spoken here");
	} else {
		if (n == 0)
			buf_add_str(out, "* LANGUAGE (en i-default)\r\n");
		else
			buf_addf(out, "* LANGUAGE (%s)\r\n", chosen);
		imap_cmd_done(cmd, ST_OK);
	}
}

const struct imap_command imap_cmds_language[] = {
	/* name			allowed in	flags	cap		run */
	{ "LANGUAGE",		IMAP_IN_ANY,	0,	CAP_LANGUAGE,	cmd_language },
	{ 0 }
};
