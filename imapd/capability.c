/* The table of capabilities, and the answer made of it. */
#include "imapd/session.h"

static const struct {
	const char	*name;
	unsigned	states;		/* in which it is announced; 0: see put_login_words() */
} caps[CAP_MAX] = {
	[CAP_REV2] = { "IMAP4rev2", IMAP_IN_ANY },
	[CAP_UTF8] = { "UTF8=ACCEPT", IMAP_IN_LOGIN },
	[CAP_STARTTLS] = { "STARTTLS", 0 },
	[CAP_SASL_IR] = { "SASL-IR", IMAP_IN_START },
	[CAP_LITERAL_PLUS] = { "LITERAL+", IMAP_IN_ANY },
	[CAP_LITERAL_MINUS] = { "LITERAL-", IMAP_IN_ANY },
	[CAP_ID] = { "ID", IMAP_IN_ANY },
	[CAP_ENABLE] = { "ENABLE", IMAP_IN_ANY },
	[CAP_LOGIN_REFERRALS] = { "LOGIN-REFERRALS", IMAP_IN_START },
	[CAP_IDLE] = { "IDLE", IMAP_IN_LOGIN },
	[CAP_COMPRESS_DEFLATE] = { "COMPRESS=DEFLATE", IMAP_IN_LOGIN },
	[CAP_UNAUTHENTICATE] = { "UNAUTHENTICATE", IMAP_IN_LOGIN },
	[CAP_LANGUAGE] = { "LANGUAGE", IMAP_IN_ANY },
	[CAP_NAMESPACE] = { "NAMESPACE", IMAP_IN_LOGIN },
	[CAP_CHILDREN] = { "CHILDREN", IMAP_IN_LOGIN },
	[CAP_SPECIAL_USE] = { "SPECIAL-USE", IMAP_IN_LOGIN },
	[CAP_CREATE_SPECIAL_USE] = { "CREATE-SPECIAL-USE", IMAP_IN_LOGIN },
	[CAP_UNSELECT] = { "UNSELECT", IMAP_IN_LOGIN },
	[CAP_UIDPLUS] = { "UIDPLUS", IMAP_IN_LOGIN },
	[CAP_MOVE] = { "MOVE", IMAP_IN_LOGIN },
	[CAP_MULTIAPPEND] = { "MULTIAPPEND", IMAP_IN_LOGIN },
	[CAP_BINARY] = { "BINARY", IMAP_IN_LOGIN },
	[CAP_CONDSTORE] = { "CONDSTORE", IMAP_IN_LOGIN },
	[CAP_QRESYNC] = { "QRESYNC", IMAP_IN_LOGIN },
	[CAP_UIDONLY] = { "UIDONLY", IMAP_IN_LOGIN },
	[CAP_NOTIFY] = { "NOTIFY", IMAP_IN_LOGIN },
	[CAP_UIDBATCHES] = { "UIDBATCHES", IMAP_IN_LOGIN },
	[CAP_REPLACE] = { "REPLACE", IMAP_IN_LOGIN },
	[CAP_CATENATE] = { "CATENATE", IMAP_IN_LOGIN },
	[CAP_URL_PARTIAL] = { "URL-PARTIAL", IMAP_IN_LOGIN },
	[CAP_URLAUTH] = { "URLAUTH", IMAP_IN_LOGIN },
	[CAP_URLAUTH_BINARY] = { "URLAUTH=BINARY", IMAP_IN_LOGIN },
	[CAP_ESEARCH] = { "ESEARCH", IMAP_IN_LOGIN },
	[CAP_FILTERS] = { "FILTERS", IMAP_IN_LOGIN },
	[CAP_METADATA] = { "METADATA", IMAP_IN_LOGIN },
	[CAP_METADATA_SERVER] = { "METADATA-SERVER", IMAP_IN_LOGIN },
	[CAP_QUOTA] = { "QUOTA", IMAP_IN_LOGIN },
	[CAP_QUOTASET] = { "QUOTASET", IMAP_IN_LOGIN },
	[CAP_QUOTA_STORAGE] = { "QUOTA=RES-STORAGE", IMAP_IN_LOGIN },
	[CAP_QUOTA_MESSAGE] = { "QUOTA=RES-MESSAGE", IMAP_IN_LOGIN },
	[CAP_QUOTA_MAILBOX] = { "QUOTA=RES-MAILBOX", IMAP_IN_LOGIN },
	[CAP_ACL] = { "ACL", IMAP_IN_LOGIN },
	[CAP_RIGHTS] = { "RIGHTS=texkn", IMAP_IN_LOGIN },
	[CAP_SEARCHRES] = { "SEARCHRES", IMAP_IN_LOGIN },
	[CAP_WITHIN] = { "WITHIN", IMAP_IN_LOGIN },
	[CAP_SORT] = { "SORT", IMAP_IN_LOGIN },
	[CAP_SORT_DISPLAY] = { "SORT=DISPLAY", IMAP_IN_LOGIN },
	[CAP_ESORT] = { "ESORT", IMAP_IN_LOGIN },
	[CAP_CONTEXT_SEARCH] = { "CONTEXT=SEARCH", IMAP_IN_LOGIN },
	[CAP_CONTEXT_SORT] = { "CONTEXT=SORT", IMAP_IN_LOGIN },
	[CAP_THREAD_ORDEREDSUBJECT] = { "THREAD=ORDEREDSUBJECT", IMAP_IN_LOGIN },
	[CAP_THREAD_REFERENCES] = { "THREAD=REFERENCES", IMAP_IN_LOGIN },
	[CAP_PARTIAL] = { "PARTIAL", IMAP_IN_LOGIN },
	[CAP_SEARCH_FUZZY] = { "SEARCH=FUZZY", IMAP_IN_LOGIN },
	[CAP_MULTISEARCH] = { "MULTISEARCH", IMAP_IN_LOGIN },
	[CAP_I18NLEVEL_1] = { "I18NLEVEL=1", IMAP_IN_LOGIN },
	[CAP_I18NLEVEL_2] = { "I18NLEVEL=2", IMAP_IN_LOGIN },
	[CAP_LIST_EXTENDED] = { "LIST-EXTENDED", IMAP_IN_LOGIN },
	[CAP_LIST_STATUS] = { "LIST-STATUS", IMAP_IN_LOGIN },
	[CAP_LIST_MYRIGHTS] = { "LIST-MYRIGHTS", IMAP_IN_LOGIN },
	[CAP_LIST_METADATA] = { "LIST-METADATA", IMAP_IN_LOGIN },
	[CAP_XLIST] = { "XLIST", IMAP_IN_LOGIN },
	[CAP_STATUS_SIZE] = { "STATUS=SIZE", IMAP_IN_LOGIN },
	[CAP_OBJECTID] = { "OBJECTID", IMAP_IN_LOGIN },
	[CAP_SAVEDATE] = { "SAVEDATE", IMAP_IN_LOGIN },
	[CAP_PREVIEW] = { "PREVIEW", IMAP_IN_LOGIN },
	[CAP_INPROGRESS] = { "INPROGRESS", IMAP_IN_LOGIN },
	[CAP_MESSAGELIMIT] = { "MESSAGELIMIT", IMAP_IN_LOGIN },
	[CAP_SAVELIMIT] = { "SAVELIMIT", IMAP_IN_LOGIN },
	[CAP_ANNOTATE] = { "ANNOTATE-EXPERIMENT-1", IMAP_IN_LOGIN },
	[CAP_IMAPSIEVE] = { "IMAPSIEVE", IMAP_IN_LOGIN },
	[CAP_JMAPACCESS] = { "JMAPACCESS", IMAP_IN_LOGIN },
	[CAP_APPENDLIMIT] = { "APPENDLIMIT", IMAP_IN_LOGIN },
};

bool
imap_cap_disabled(const struct conf_imap *conf, struct span word)
{
	for (size_t i = 0; i < conf->disabled_capabilities.n; i++) {
		if (span_caseeq_str(word, conf->disabled_capabilities.v[i]))
			return true;
	}
	return false;
}

void
imap_caps_init(struct imap_caps *c, const struct conf_imap *conf, const char *jmap, bool sieve)
{
	*c = (struct imap_caps){ { 0 } };
	for (unsigned i = CAP_NONE + 1; i < CAP_MAX; i++) {
		if ((i == CAP_LITERAL_PLUS && !conf->literal_plus) ||
		    (i == CAP_LITERAL_MINUS && conf->literal_plus) ||
		    (i == CAP_LOGIN_REFERRALS && !conf->login_referrals) ||
		    (i == CAP_INPROGRESS && conf->progress_interval_s == 0) ||
		    (i == CAP_MESSAGELIMIT && conf->message_limit == 0) ||
		    (i == CAP_JMAPACCESS && *jmap == '\0') ||
		    (i == CAP_IMAPSIEVE && !sieve) ||
		    (i == CAP_SAVELIMIT && conf->save_limit == 0) ||
		    imap_cap_disabled(conf, span_str(caps[i].name)))
			continue;
		c->bits[i >> 6] |= UINT64_C(1) << (i & 63);
	}
}

void
imap_caps_check(const struct conf_imap *conf)
{
	for (size_t n = 0; n < conf->disabled_capabilities.n; n++) {
		struct span word = span_str(conf->disabled_capabilities.v[n]);
		bool known = span_has_caseprefix(word, "AUTH=");

		for (unsigned i = CAP_NONE + 1; i < CAP_MAX; i++)
			known |= span_caseeq_str(word, caps[i].name);
		if (!known)
			LOG(NULL, WARN, "imap.no-such-capability", KV_SPAN("name", word));
	}
}

static void
put_login_words(const struct imap_session *s, struct buf *out)
{
	struct span names = login_mechanisms_for(&s->srv->mechanisms, s->conn, s->clear_ok);

	if (imap_session_may_starttls(s))
		buf_add_str(out, " STARTTLS");
	if (!imap_session_may_login(s))
		buf_add_str(out, " LOGINDISABLED");
	while (names.len > 0) {
		struct span name = span_cut(&names, ' ');
		size_t at = out->len;

		buf_add_str(out, " AUTH=");
		buf_add_span(out, name);
		if (imap_cap_disabled(s->srv->conf, span(out->data + at + 1, out->len - at - 1)))
			buf_cut(out, at);
	}
}

void
imap_capabilities(const struct imap_session *s, struct buf *out)
{
	buf_add_str(out, "IMAP4rev1");
	for (unsigned i = CAP_NONE + 1; i < CAP_MAX; i++) {
		if ((caps[i].states & s->state) == 0 || !imap_cap_on(s, (enum imap_cap)i))
			continue;
		buf_add_c(out, ' ');
		buf_add_str(out, caps[i].name);
		if (i == CAP_APPENDLIMIT)	/* the same for all mailboxes (RFC 7889 §2) */
			buf_addf(out, "=%llu", (unsigned long long)s->srv->conf->max_append_bytes);
		else if (i == CAP_IMAPSIEVE)
			buf_addf(out, "=%s", buf_cstr(&s->srv->sieve_url));
		else if (i == CAP_MESSAGELIMIT)
			buf_addf(out, "=%u", s->srv->conf->message_limit);
		else if (i == CAP_SAVELIMIT)
			buf_addf(out, "=%u", s->srv->conf->save_limit);
	}
	if (s->state == IMAP_IN_START)
		put_login_words(s, out);
}
