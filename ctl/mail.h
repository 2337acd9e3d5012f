/* ctl/mail.h
 * An account's mail as the store service has it, asked through admind (account-open): one
 * question at a time, waited for. */
#ifndef CTL_MAIL_H
#define CTL_MAIL_H

#include "ctl/client.h"
#include "storage/api/store_proto.h"

struct ctl_mail;

/* NULL: said why; *rc is the exit code. */
struct ctl_mail *ctl_mail_open(struct ctl *ctl, const char *address, int *rc);
/* A shard as a backup reads it (backup-open): STORE_BACKUP_BEGIN and _READ. */
struct ctl_mail *ctl_mail_open_shard(struct ctl *ctl, const char *shard, int *rc);
void ctl_mail_close(struct ctl_mail **m);
const char *ctl_mail_address(const struct ctl_mail *m);
/* Commands of admind's own on the same connection. */
struct ctl_client *ctl_mail_client(struct ctl_mail *m);

/* msg: the struct of the answer, borrowed; called for each part, never for a status alone. */
typedef void (*ctl_mail_fn)(void *arg, const void *msg);
/* no: STORE_..., rq: its struct.  Returns how it ended; ST_UNAVAILABLE also when the server is
 * gone, which was said then. */
enum status ctl_mail_ask(struct ctl_mail *m, uint16_t no, const void *rq, ctl_mail_fn fn,
    void *arg);
/* Bodies are being staged: the account is not opened anew until that ends. */
void ctl_mail_keep(struct ctl_mail *m, bool keep);

#endif
