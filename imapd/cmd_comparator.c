/* COMPARATOR (RFC 5255 §4.7): what SEARCH, SORT and THREAD compare text by. */
#include "imapd/session.h"

static const char *const names[] = {
	[SEARCH_UNICODE_CASEMAP] = "i;unicode-casemap",	/* the default */
	[SEARCH_ASCII_CASEMAP] = "i;ascii-casemap",
	[SEARCH_OCTET] = "i;octet"
};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* "*" stands for any run (RFC 4790 §3.2). */
static bool
matches(struct span pattern, struct span name)
{
	size_t star = SIZE_MAX, mark = 0, p = 0, n = 0;

	while (n < name.len) {
		if (p < pattern.len && pattern.p[p] == '*') {
			star = p++;
			mark = n;
		} else if (p < pattern.len && ascii_lower(pattern.p[p]) == name.p[n]) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.p[p] == '*')
		p++;
	return p == pattern.len;
}

static bool
is_meant(struct span arg, size_t i)
{
	return span_caseeq_str(arg, "default") ? i == SEARCH_UNICODE_CASEMAP :
	    matches(arg, span_str(names[i]));
}

static void
cmd_comparator(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	bool matched[NAMES] = { false }, any = false;
	enum search_collation chosen = s->collation;
	size_t n = 0;

	while (imap_args_try(&cmd->args, ' ')) {
		struct span arg = imap_args_astring(&cmd->args);

		for (size_t i = 0; i < NAMES && imap_args_good(&cmd->args); i++) {
			if (!is_meant(arg, i))
				continue;
			if (!any)
				chosen = (enum search_collation)i;
			any = true;
			n += !matched[i];
			matched[i] = true;
		}
		if (!any && imap_args_at_end(&cmd->args) && imap_args_good(&cmd->args)) {
			imap_cmd_end(cmd, "NO [BADCOMPARATOR] No such comparator");
			return;
		}
	}
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	s->collation = chosen;
	buf_addf(imap_out(s), "* COMPARATOR %s", names[chosen]);
	for (size_t i = 0, told = 0; i < NAMES && n > 1; i++) {
		if (matched[i])
			buf_addf(imap_out(s), "%s%s", told++ == 0 ? " (" : " ", names[i]);
	}
	buf_add_str(imap_out(s), n > 1 ? ")\r\n" : "\r\n");
	imap_cmd_done(cmd, ST_OK);
}

const struct imap_command imap_cmds_comparator[] = {
	/* name			allowed in	flags */
	{ "COMPARATOR",		IMAP_IN_LOGIN,	0, CAP_I18NLEVEL_2, cmd_comparator },
	{ 0 }
};
