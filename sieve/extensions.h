/* sieve/extensions.h
 * The entries that the files sieve/ext_*.c define. */
#ifndef SIEVE_EXTENSIONS_H
#define SIEVE_EXTENSIONS_H

#include "sieve/ext.h"

extern const struct sieve_ext sieve_ext_base;
extern const struct sieve_ext sieve_ext_comparator_octet, sieve_ext_comparator_casemap,
    sieve_ext_comparator_numeric, sieve_ext_comparator_unicode;
extern const struct sieve_ext sieve_ext_envelope;
extern const struct sieve_ext sieve_ext_fileinto;
extern const struct sieve_ext sieve_ext_copy;
extern const struct sieve_ext sieve_ext_relational;
extern const struct sieve_ext sieve_ext_variables;
extern const struct sieve_ext sieve_ext_ihave;
extern const struct sieve_ext sieve_ext_include;
extern const struct sieve_ext sieve_ext_imap4flags, sieve_ext_imapsieve;
extern const struct sieve_ext sieve_ext_mailbox, sieve_ext_special_use, sieve_ext_mailboxid;
extern const struct sieve_ext sieve_ext_fcc;
extern const struct sieve_ext sieve_ext_vacation, sieve_ext_vacation_seconds;
extern const struct sieve_ext sieve_ext_reject, sieve_ext_ereject;
extern const struct sieve_ext sieve_ext_duplicate;
extern const struct sieve_ext sieve_ext_enotify;
extern const struct sieve_ext sieve_ext_mboxmetadata, sieve_ext_servermetadata;
extern const struct sieve_ext sieve_ext_redirect_dsn, sieve_ext_redirect_deliverby,
    sieve_ext_envelope_dsn, sieve_ext_envelope_deliverby;
extern const struct sieve_ext sieve_ext_extlists;

/* ext_mailbox.c: a constant name of a mailbox is one; errors are told. */
bool sieve_c_mailbox(struct sieve_compile *c, const struct sieve_string *s);
/* During a run; false: it fails. */
bool sieve_mailbox_ok(struct sieve_run *r, const struct sieve_node *n, struct span name);

/* ext_fcc.c.  Check function of tags of fileinto on actions that send: they belong to ":fcc". */
void sieve_c_fcc_tag(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t);
/* The copy of what an action (that was added) sends, if n asks for one. */
enum sieve_step sieve_fcc(struct sieve_run *r, const struct sieve_node *n,
    const struct sieve_action *of);

/* ext_imap4flags.c: the internal variable, from outside. */
void sieve_flags_set(struct sieve_run *r, const char *const *names, size_t n);
/* Of an event: it begins with the flags that the message has; what became of them. */
void sieve_flags_begin(struct sieve_run *r);
void sieve_flags_end(struct sieve_run *r);

/* ext_imapsieve.c.  Of an event: may this script be run? */
enum sieve_step sieve_event_check(struct sieve_run *r, const struct sieve_script *s,
    const struct sieve_node *n);
/* An item of an event, which is empty in a delivery (RFC 6785 4). */
bool sieve_event_item(struct span name);

/* ext_vacation.c: Auto-Submitted says something else than "no" (RFC 3834 5). */
bool sieve_auto_submitted(struct sieve_header *h);

extern const struct sieve_ext sieve_ext_body;
extern const struct sieve_ext sieve_ext_date, sieve_ext_index;
extern const struct sieve_ext sieve_ext_editheader, sieve_ext_enclose, sieve_ext_replace;
extern const struct sieve_ext sieve_ext_encoded_character;
extern const struct sieve_ext sieve_ext_environment;
extern const struct sieve_ext sieve_ext_extracttext, sieve_ext_foreverypart, sieve_ext_mime;
extern const struct sieve_ext sieve_ext_regex;
extern const struct sieve_ext sieve_ext_spamtest, sieve_ext_spamtestplus, sieve_ext_virustest;
extern const struct sieve_ext sieve_ext_subaddress;

#endif
