/* imapd/capability.h
 * What this server announces, and the switch of each extension's code.
 *
 * One entry for each capability; who adds an extension adds its entry, its row in
 * doc/imap.md and the test named there in the same commit.  imap_cap_on() is asked
 * wherever an extension changes what is understood or answered; a command whose table
 * entry names a capability that is off is an unknown command.  What the setting
 * disabled-capabilities names is off for connections that come after it: neither
 * announced nor understood. */
#ifndef IMAPD_CAPABILITY_H
#define IMAPD_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/conf/settings.h"
#include "common/util/buf.h"
#include "common/util/span.h"

struct imap_session;

enum imap_cap {
	CAP_NONE,		/* of a command: part of the base protocol */
	CAP_REV2,
	CAP_UTF8,
	CAP_STARTTLS,
	CAP_SASL_IR,
	CAP_LITERAL_PLUS,
	CAP_LITERAL_MINUS,
	CAP_ID,
	CAP_ENABLE,
	CAP_LOGIN_REFERRALS,
	CAP_IDLE,
	CAP_COMPRESS_DEFLATE,
	CAP_UNAUTHENTICATE,
	CAP_LANGUAGE,
	CAP_NAMESPACE,
	CAP_CHILDREN,
	CAP_SPECIAL_USE,
	CAP_CREATE_SPECIAL_USE,
	CAP_UNSELECT,
	CAP_UIDPLUS,
	CAP_MOVE,
	CAP_MULTIAPPEND,
	CAP_BINARY,
	CAP_CONDSTORE,
	CAP_QRESYNC,
	CAP_UIDONLY,
	CAP_NOTIFY,
	CAP_UIDBATCHES,
	CAP_REPLACE,
	CAP_CATENATE,
	CAP_URL_PARTIAL,
	CAP_URLAUTH,
	CAP_URLAUTH_BINARY,
	CAP_ESEARCH,
	CAP_FILTERS,
	CAP_METADATA,
	CAP_METADATA_SERVER,
	CAP_QUOTA,
	CAP_QUOTA_STORAGE,
	CAP_QUOTA_MESSAGE,
	CAP_QUOTA_MAILBOX,
	CAP_ACL,
	CAP_RIGHTS,
	CAP_QUOTASET,
	CAP_SEARCHRES,
	CAP_WITHIN,
	CAP_SORT,
	CAP_SORT_DISPLAY,
	CAP_ESORT,
	CAP_CONTEXT_SEARCH,
	CAP_CONTEXT_SORT,
	CAP_THREAD_ORDEREDSUBJECT,
	CAP_THREAD_REFERENCES,
	CAP_PARTIAL,
	CAP_SEARCH_FUZZY,
	CAP_MULTISEARCH,
	CAP_I18NLEVEL_1,
	CAP_I18NLEVEL_2,
	CAP_LIST_EXTENDED,
	CAP_LIST_STATUS,
	CAP_LIST_MYRIGHTS,
	CAP_LIST_METADATA,
	CAP_XLIST,
	CAP_STATUS_SIZE,
	CAP_OBJECTID,
	CAP_APPENDLIMIT,
	CAP_SAVEDATE,
	CAP_PREVIEW,
	CAP_INPROGRESS,
	CAP_MESSAGELIMIT,
	CAP_SAVELIMIT,
	CAP_ANNOTATE,
	CAP_JMAPACCESS,
	CAP_IMAPSIEVE,
	CAP_MAX
};

/* One bit for each capability. */
struct imap_caps {
	uint64_t	bits[2];
};
_Static_assert(CAP_MAX <= 128, "struct imap_caps has a bit for each");

static inline bool
imap_caps_has(const struct imap_caps *c, enum imap_cap cap)
{
	return (c->bits[cap >> 6] >> (cap & 63)) & 1;
}

/* Those whose code is switched on; session.h has imap_cap_on() to ask a session.  jmap: where JMAP
 * is reached, "": not.  sieve: scripts for events can be managed here. */
void imap_caps_init(struct imap_caps *c, const struct conf_imap *conf, const char *jmap, bool sieve);
/* The setting disables this word, of whatever kind ("AUTH=PLAIN"). */
bool imap_cap_disabled(const struct conf_imap *conf, struct span word);
/* The capabilities that matter in the session's state, blank between. */
void imap_capabilities(const struct imap_session *s, struct buf *out);
/* Logs names in the setting that are no capabilities. */
void imap_caps_check(const struct conf_imap *conf);

#endif
