/* MESSAGELIMIT and SAVELIMIT. */
#include "imapd/limits.h"

uint64_t
imap_message_limit(const struct imap_session *s)
{
	return imap_cap_on(s, CAP_MESSAGELIMIT) && s->srv->conf->message_limit > 0 ?
	    s->srv->conf->message_limit : UINT64_MAX;
}

uint64_t
imap_save_limit(const struct imap_session *s)
{
	uint64_t all = imap_message_limit(s), save = s->srv->conf->save_limit;

	return imap_cap_on(s, CAP_SAVELIMIT) && save > 0 && save < all ? save : all;
}

void
imap_limit_uids(struct imap_cmd *cmd, struct uidset *uids)
{
	uint64_t limit = imap_message_limit(cmd->session), n = uidset_count(uids);

	if (n <= limit)
		return;
	cmd->limit = (uint32_t)limit;
	cmd->lowest_uid = uidset_at(uids, n - limit);
	if (cmd->lowest_uid > 1)
		uidset_remove_range(uids, 1, cmd->lowest_uid - 1);
}

bool
imap_limit_refuse(struct imap_cmd *cmd, uint64_t n, uint64_t limit, const struct uidset *uids)
{
	if (n <= limit)
		return false;
	buf_clear(&cmd->result);
	buf_addf(&cmd->result, "NO [MESSAGELIMIT %llu", (unsigned long long)limit);
	if (uids != NULL)
		buf_addf(&cmd->result, " %u", uidset_at(uids, n - limit));
	buf_add_str(&cmd->result, "] Too many messages, take fewer at once");
	imap_cmd_end_result(cmd);
	return true;
}

void
imap_limit_tell(struct imap_cmd *cmd)
{
	struct buf *out = imap_out(cmd->session), code = { 0 };
	struct span result = buf_span(&cmd->result);

	if (cmd->limit == 0)
		return;
	buf_addf(&code, "[MESSAGELIMIT %u %u] ", cmd->limit, cmd->lowest_uid);
	if (span_has_caseprefix(result, "OK [") ||
	    span_has_caseprefix(result, "NO [EXPUNGEISSUED]")) {
		/* RFC 9738 §3.1: the tagged line has its code already. */
		buf_add_str(out, "* NO ");
		buf_add_span(out, buf_span(&code));
		buf_add_str(out, "Done for the highest uids alone\r\n");
	} else if (span_has_caseprefix(result, "OK ")) {
		buf_add_span(&code, span_sub(result, 3, result.len));
		buf_cut(&cmd->result, 3);
		buf_add_span(&cmd->result, buf_span(&code));
	}
	buf_fini(&code);
}
