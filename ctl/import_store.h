/* ctl/import_store.h
 * What an import brings into an account: folders and messages as the helper made them, in
 * batches; what is there already is passed over; uids and UIDVALIDITY are kept where nobody can be
 * misled by them. */
#ifndef CTL_IMPORT_STORE_H
#define CTL_IMPORT_STORE_H

#include "ctl/export.h"
#include "ctl/mail.h"

struct import_store;

struct import_store *import_store_new(struct ctl *ctl, const struct import_opts *o,
    struct ctl_mail *mail);
/* The folder that follows; what was brought into the one before is made sure of. */
void import_folder(struct import_store *s, const struct transfer_folder *f);
bool import_has_folder(const struct import_store *s);
/* A message: its stored body in pieces, then the rest of it; or it is given up.  from: where it
 * comes from, for what is said of it. */
void import_begin(struct import_store *s);
void import_stored(struct import_store *s, struct span stored);
void import_message(struct import_store *s, const struct transfer_message *m,
    struct store_append_item *it, const char *from);
void import_drop(struct import_store *s, const char *from, const char *why);
/* false: something failed that ends the import; it was said. */
bool import_going(const struct import_store *s);
/* The last folder is made sure of, the report printed; the exit code.  complete: the source was
 * read to its end; else mailboxes keep their own UIDVALIDITY until an import comes that far. */
int import_store_finish(struct import_store *s, bool complete);
void import_store_free(struct import_store **s);

#endif
