/* authd/admin.h
 * What admind may ask with AUTH_ADMIN: a command, arguments as one JSON object, answered by
 * a status and one JSON object.  A status other than ST_OK comes with {"error":"one line"}:
 *
 *   ST_SYNTAX        arguments that are no JSON object, miss a member, or hold a bad address,
 *                    domain, label or password; an unknown member is an error too
 *   ST_UNSUPPORTED   no such command
 *   ST_NOT_FOUND     no such account, domain, alias or app password
 *   ST_EXISTS        the address, domain or label is taken (a deleted account keeps its
 *                    address until its undelete time is over)
 *   ST_CONFLICT      it is in use: a domain with addresses, an alias of itself; or others
 *                    changed the same records again and again meanwhile
 *   ST_LIMIT         too many hashes wait, too many app passwords
 *   ST_UNAVAILABLE   the directory is away; whether a change happened is not known
 *
 *   command              arguments (? optional)                  result
 *   account-add          address password? cheap? description?   id address shard
 *                        shard? quota_bytes? quota_messages? quota_mailboxes? shared?
 *                        (makes the domain when it is missing; without password nobody can
 *                        log in by the internal directory; cheap: a hash that costs little,
 *                        for tests with many accounts; shared: of nobody, without password)
 *   account-delete       address                                 id address shard
 *                        (restorable; its tickets are void)
 *   account-undelete     address                                 id address shard
 *   account-password     address password cheap?                 id  (its tickets are void)
 *   ticket               address                                 id address shard ticket (hex)
 *                        (a login of admind's own, with the rights of the account's owner,
 *                        to be ended by logout)
 *   account-set          address disabled? description? quota_bytes?
 *                        quota_messages? quota_mailboxes?        id  (disabled: tickets void)
 *   account-referral     address url? stays?                     id referral
 *                        (its mail is kept on another server, "imap://HOST/"; none: here;
 *                        stays: logins go on, else its tickets are void)
 *   domain-referral      domain url? stays?                      domain referral
 *                        (the same for its accounts that have no referral of their own)
 *   account-show         address                                 an account, see below,
 *                        with "password": true when it has one, "aliases", "app_passwords",
 *                        "domain_limits": {quota_bytes quota_messages quota_mailboxes}
 *   account-list         domain? after? limit? deleted?          accounts: [...], more
 *                        (by id; deleted: those too; more: the next `after`, or null)
 *   domain-add           domain plus?                            domain
 *   domain-set           domain plus?                            domain
 *   domain-quota         domain quota_bytes? quota_messages?     domain quota_bytes quota_messages
 *                        quota_mailboxes?                        quota_mailboxes
 *                        (limits of its accounts that have none of their own; who asks brings
 *                        them to the shards)
 *   domain-delete        domain                                  domain
 *   domain-list                                                  domains: [{domain alias_of
 *                                                                catch_all plus created quota_bytes
 *                                                                quota_messages quota_mailboxes}]
 *   domain-alias         alias domain                            domain
 *                        (mail and logins for @alias go to @domain; removed by domain-delete)
 *   catch-all            domain address                          domain  (address "": none)
 *   alias-add            alias address                           alias address
 *   alias-delete         alias                                   alias
 *   alias-list           address? domain?                        aliases: [{alias address}]
 *   app-password-add     address label protocols?                password label
 *                        (protocols: "imap" "pop3" "jmap" "sieve" "submit"; none: all)
 *   app-password-list    address                                 app_passwords: [{label
 *                                                                protocols created used}]
 *   app-password-revoke  address label                           label  (tickets of the
 *                                                                logins by it are void)
 *   group-add            group description?                      group
 *   group-delete         group                                   group  (one without members)
 *   group-member         group address remove?                   group address
 *                        (out of it: the account's tickets are void; into it: what it gives
 *                        comes with the next ticket)
 *   group-list                                                   groups: [{group description
 *                                                                created}]
 *   group-show           group                                   group description created
 *                                                                members: [{address id}] complete
 *   who                  user?                                   logins: [{user service peer
 *                                                                conn since program slot account}]
 *   kick                 user? account? conn? peer?              kicked  (all that are given
 *                                                                must match; one is needed)
 *   flush-cache                                                  flushed
 *   outward                                                      outward: [{what url tried ok
 *                                                                result? since age? keys? asked?}]
 *                                                                (what outd fetched for us last)
 *   stats                                                        counters, see stats in admin.c
 *
 * An account in a result: id (16 hex digits: as a string), address, description, shard,
 * disabled, created, deleted, quota_bytes, quota_messages, quota_mailboxes, shared, referral,
 * referral_stays.  Times are
 * seconds since 1970, 0 for never. */
#ifndef AUTHD_ADMIN_H
#define AUTHD_ADMIN_H

#include "common/ipc/ipc.h"
#include "common/util/span.h"

struct authd;

/* Runs one command; answers once, now or later.  The answer for a peer that went away
 * meanwhile is dropped (peer_id is what authd_peer_by_id() knows it by). */
void admin_run(struct authd *a, uint64_t peer_id, const struct ipc_head *head, struct span command,
    struct span args);

#endif
