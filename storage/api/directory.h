/* storage/api/directory.h
 * The records of the directory (system shard): what authd and admind read and
 * write.  Keys are text, values are flat with a version byte.
 *
 *   next/account            u64: next account id (by compare and set, in blocks)
 *   account/ID              struct dir_account       (ID: 16 hex digits)
 *   name/ADDRESS            struct dir_name          an address or login name, folded
 *   domain/NAME             struct dir_domain
 *   referral/NAME           struct dir_referral      of the domain's accounts without one
 *   verifier/ID             struct dir_verifier      password hash and SCRAM keys: secret
 *   app/ID/LABEL            struct dir_app           app password: secret
 *   group/NAME              struct dir_group         ids are of the same row as accounts'
 *   groupid/ID              the group's name
 *   member/GROUP/ACCOUNT    that it is one; the account's record tells its groups again
 *
 * Addresses are kept folded: domain in lower case (A-labels decoded to NFC U-labels),
 * local part NFC and in lower case. */
#ifndef STORAGE_API_DIRECTORY_H
#define STORAGE_API_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

#define DIR_ADDRESS_MAX 320	/* bytes */
#define DIR_KEY_MAX 400
#define DIR_VALUE_MAX 8192

struct dir_account {
	uint64_t	id;
	struct span	address;	/* canonical */
	struct span	description;
	uint32_t	shard;
	bool		disabled;	/* no login; mail is still taken */
	int64_t		created_s;
	int64_t		deleted_s;	/* 0: not deleted; else restorable until the undelete time is over */
	uint64_t	quota_bytes, quota_messages, quota_mailboxes;	/* 0: the configured default */
	struct span	groups;		/* ids, big-endian, rising */
	bool		shared;		/* belongs to nobody: no login, for whom its ACLs name */
	struct span	referral;	/* its mail is kept elsewhere: an IMAP URL (RFC 2221) */
	bool		referral_stays;	/* what others share is here: logins go on */
};
#define DIR_GROUPS_MAX 16	/* of an account; as TICKET_GROUPS_MAX */
#define DIR_REFERRAL_MAX 1000

struct dir_group {
	uint64_t	id;
	struct span	name, description;
	int64_t		created_s;
};

enum dir_name_kind { DIR_NAME_ACCOUNT = 1, DIR_NAME_ALIAS = 2 };
struct dir_name {
	uint8_t		kind;
	uint64_t	account;	/* where mail and, for kind account, logins go */
};

struct dir_domain {
	struct span	name;
	struct span	alias_of;	/* empty: a domain of its own */
	struct span	catch_all;	/* address; empty: none */
	bool		plus;		/* user+detail goes to user */
	int64_t		created_s;
	/* of its accounts without their own; 0: the configured default */
	uint64_t	quota_bytes, quota_messages, quota_mailboxes;
};

struct dir_referral {
	struct span	url;		/* without the user: "imap://host/" */
	bool		stays;
};

/* scram: salt, iterations, stored key, server key of each hash. */
struct dir_scram {
	struct span	salt, stored_key, server_key;	/* empty: none */
	uint32_t	iterations;
};
struct dir_verifier {
	struct span	hash;		/* {SCHEME}text or a crypt(3) string; empty: none */
	struct dir_scram sha1, sha256;
	int64_t		changed_s;
};
struct dir_app {
	struct span	label;
	struct span	hash;
	uint32_t	protocols;	/* bits; 0: all */
	int64_t		created_s, used_s;
};

void dir_account_encode(const struct dir_account *a, struct buf *out);
bool dir_account_decode(struct dir_account *a, struct span value);
void dir_name_encode(const struct dir_name *n, struct buf *out);
bool dir_name_decode(struct dir_name *n, struct span value);
void dir_domain_encode(const struct dir_domain *d, struct buf *out);
bool dir_domain_decode(struct dir_domain *d, struct span value);
void dir_referral_encode(const struct dir_referral *f, struct buf *out);
bool dir_referral_decode(struct dir_referral *f, struct span value);
void dir_verifier_encode(const struct dir_verifier *v, struct buf *out);
bool dir_verifier_decode(struct dir_verifier *v, struct span value);
void dir_app_encode(const struct dir_app *a, struct buf *out);
bool dir_app_decode(struct dir_app *a, struct span value);

void dir_group_encode(const struct dir_group *g, struct buf *out);
bool dir_group_decode(struct dir_group *g, struct span value);

/* Keys. */
void dir_key_account(struct buf *out, uint64_t id);
void dir_key_name(struct buf *out, struct span folded_address);
void dir_key_domain(struct buf *out, struct span folded_domain);
void dir_key_referral(struct buf *out, struct span folded_domain);
void dir_key_verifier(struct buf *out, uint64_t id);
void dir_key_app(struct buf *out, uint64_t id, struct span label);

void dir_key_group(struct buf *out, struct span folded_name);
void dir_key_group_id(struct buf *out, uint64_t id);
/* account 0: what all members' keys begin with. */
void dir_key_member(struct buf *out, uint64_t group, uint64_t account);

/* Folds a group's name: up to 63 bytes of letters, digits and what addresses may hold but '/'.
 * false: it is none. */
bool dir_fold_group(struct span in, struct buf *out);
/* Folds an address or bare login name as kept in keys; false when it is none (no NUL,
 * control or blank, length limits, valid UTF-8, at most one unquoted '@'). */
bool dir_fold_address(struct span in, struct buf *out);

#endif
