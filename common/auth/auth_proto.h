/* common/auth/auth_proto.h
 * What the other processes ask of authd, over common/ipc.  Workers hold one socket
 * each, of which the master told authd program, slot and generation.
 *
 * A SASL exchange: start -> (challenge -> step)* -> granted, or a status:
 * ST_DENIED (wrong user or password, or no right), ST_UNAVAILABLE (back end away),
 * ST_LIMIT (too many attempts; later), ST_SYNTAX (not base SASL grammar),
 * ST_UNSUPPORTED (mechanism not offered here), ST_CANCELLED; each with a `failure`
 * message.  Exchanges are numbered by the channel field of the frame, chosen by the
 * worker, one exchange a channel at a time.  authd delays answers by itself to slow
 * down guessing. */
#ifndef COMMON_AUTH_AUTH_PROTO_H
#define COMMON_AUTH_AUTH_PROTO_H

#include "common/auth/ticket.h"
#include "common/ipc/message.h"

#define AUTH_PROTO_MAJOR 1
#define AUTH_PROTO_MINOR 0
#define AUTH_DATA_MAX 12288		/* bytes of a decoded SASL message */
#define AUTH_NAME_MAX 320

enum {
	AUTH_PEER_WORKER = 1,		/* a worker that serves logins (imapd, ...) */
	AUTH_PEER_DELIVER = 2,		/* lmtpd */
	AUTH_PEER_STORED = 4,
	AUTH_PEER_ADMIN = 8		/* admind */
};

enum auth_no {
	AUTH_START = 1, AUTH_CHALLENGE = 2, AUTH_STEP = 3, AUTH_CANCEL = 4, AUTH_GRANTED = 5,
	AUTH_FAILURE = 6, AUTH_MECHANISMS = 7, AUTH_MECHANISMS_ARE = 8,
	AUTH_RENEW = 10, AUTH_RENEWED = 11, AUTH_LOGOUT = 12, AUTH_REVOKED = 13,
	AUTH_RCPT = 20, AUTH_RCPT_IS = 21,
	AUTH_REVOCATIONS = 30, AUTH_REVOCATIONS_ARE = 31, AUTH_TICKET_VOID = 32,
	AUTH_ADMIN = 40, AUTH_ADMIN_IS = 41,
	AUTH_KNOWN_VOIDS = 60, AUTH_VOID_BEFORE = 61, AUTH_CHANGED = 62,
	AUTH_WHO = 100, AUTH_WHO_IS = 101
};

enum {
	AUTH_TLS = 1,			/* the connection is encrypted */
	AUTH_CLEAR_OK = 2,		/* clear text is configured to be fine on this listener */
	AUTH_IR = 4,			/* initial response is present (may be empty) */
	AUTH_LOGIN_CMD = 8		/* a protocol's own LOGIN/USER+PASS sent as PLAIN */
};
enum auth_service { AUTH_IMAP = 1, AUTH_POP3 = 2, AUTH_JMAP = 4, AUTH_SIEVE = 8, AUTH_SUBMIT = 16 };

/* start -> challenge, granted, or a status with failure. */
struct auth_start {
	struct span	mechanism;	/* upper case */
	struct span	initial;	/* decoded; secret */
	uint8_t		flags;
	uint8_t		service;	/* enum auth_service */
	struct span	conn;		/* connection id for the log */
	struct span	peer;		/* client address as text, no port */
	struct span	binding;	/* tls-exporter channel binding data; empty: none */
	struct span	identities;	/* EXTERNAL: names in the client's good certificate, as
					 * tls_peer_names() gives them */
};
struct auth_challenge { struct span data; };
struct auth_step { struct span data; };		/* secret */
struct auth_granted {
	struct span	ticket;
	struct span	user;		/* canonical address, for log and display */
	uint64_t	account;
	uint32_t	shard;
	int64_t		expires_s;
	struct span	data;		/* SASL data that goes with success; may be empty */
	struct span	referral;	/* IMAP: where his own mailboxes are; empty: here */
};
#define AUTH_URL_MAX 1000
enum auth_reason {
	AUTH_WHY_CREDENTIALS = 1, AUTH_WHY_EXPIRED = 2, AUTH_WHY_DISABLED = 3, AUTH_WHY_CLEARTEXT = 4,
	AUTH_WHY_THROTTLED = 5, AUTH_WHY_BACKEND = 6, AUTH_WHY_PROTOCOL = 7, AUTH_WHY_AUTHZ = 8,
	AUTH_WHY_REFERRED = 9		/* proven, but the account is kept elsewhere: data is an IMAP URL */
};
struct auth_failure { uint8_t reason; struct span data; };	/* data: SASL error data, may be empty */

/* mechanisms -> mechanisms_are: "PLAIN SCRAM-SHA-256", for a connection of these flags. */
struct auth_mechanisms { uint8_t flags; };
struct auth_mechanisms_are { struct span names; };	/* EXTERNAL: show it only who may use it */
#define AUTH_IDENTITIES_MAX 2048

/* changed (note to workers): other settings are in force: ask for mechanisms again.  To who was
 * given spares: recipients may be others now: give none of them away. */

/* renew -> renewed: before it expires; the old one stays valid until it does. */
struct auth_renew { struct span ticket; };
struct auth_renewed { struct span ticket; int64_t expires_s; };
/* logout (note): the login is over; its tickets are void. */
struct auth_logout { struct span ticket; };
/* revoked (note to the worker): kick, ban, password change: end this login's connection. */
struct auth_revoked { uint64_t account; struct span id; };	/* TICKET_ID_LEN bytes */

/* rcpt -> rcpt_is: resolves a recipient and gives a ticket to deliver one message to it.
 * ST_NOT_FOUND: no such user.  spares: tickets of the same kind for that many messages more, for
 * who gets many of them; they are good for as long, and until `changed`. */
#define AUTH_SPARES_MAX 16
struct auth_rcpt {
	struct span	address;
	struct span	conn;
	bool		probe;		/* no ticket */
	uint8_t		spares;
};
struct auth_rcpt_is {
	struct span	ticket;
	struct span	user;		/* canonical address */
	struct span	detail;		/* of user+detail; may be empty */
	uint64_t	account;
	uint32_t	shard;
	struct span	spares;		/* TICKET_LEN each */
};

/* After a restart of either, stored and authd tell each other which tickets are void, so that
 * whoever of them lived on keeps them so.  Lists come in pages (common/auth/voids.h).
 *
 * known_voids (notes, first): what stored knows; `last` ends them: it knows what was made void
 * of all tickets of epochs from `epoch_from` on (0: of none, it is new).
 * revocations (asked until more is false) -> revocations_are: what authd knows, likewise. */
struct auth_known_voids { struct span ids; int64_t before_s; uint64_t epoch_from; bool last; };
struct auth_revocations { uint64_t after; };	/* 0; then `last` of the page before */
struct auth_revocations_are {
	struct span	ids;
	int64_t		before_s;	/* void is what expires no later, too */
	uint64_t	epoch_from, last;
	bool		more;
};
/* ticket_void (note to stored): id; empty: see account: all its tickets. */
struct auth_ticket_void { struct span id; uint64_t account; int64_t expires_s; };
/* void_before (note to stored): authd had to forget some: see before_s. */
struct auth_void_before { int64_t before_s; };

/* admind's requests: a command with arguments as JSON text, answered as JSON text; the
 * commands are listed in authd/admin.h. */
struct auth_admin { struct span command, args; };
struct auth_admin_is { struct span result; };

/* who -> who_is: accounts by address (as for a login), groups by AUTH_WHO_GROUP and their name,
 * both by id.  names: put_span() each; ids: u64 each; ticket: of the login that wants to know
 * (admind needs none).  found: for each of them in turn u64 id (0: none of that name or id), u32
 * shard (with AUTH_WHO_SHARED for an account that belongs to nobody), put_span() of the address.
 * How many one login (but one that submits for others) and one worker may ask about in a time is
 * bounded, so that the directory cannot be read out: ST_LIMIT; ST_DENIED: no such ticket. */
#define AUTH_WHO_GROUP "group:"
#define AUTH_WHO_SHARED 0x80000000u
struct auth_who { struct span names, ids, ticket; };
struct auth_who_is { struct span found; };

extern const struct ipc_protocol auth_protocol;

#endif
