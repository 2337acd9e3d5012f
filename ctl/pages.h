/* ctl/pages.h
 * Lists that the server answers in pages: asks until there is no more. */
#ifndef CTL_PAGES_H
#define CTL_PAGES_H

#include "ctl/output.h"

/* Puts the members of the command's arguments other than the page's. */
typedef void (*pages_args_fn)(struct json_writer *w, void *arg);

/* command answers {list: [...], "more": VALUE}; VALUE, when it is not null, becomes the argument
 * `next` of the next question.  Prints the table, or with --json one object with the whole
 * list.  none: what is said instead of an empty table. */
int ctl_pages(struct ctl *ctl, const char *command, const char *list, const char *next,
    const struct ctl_column *columns, const char *none, pages_args_fn args, void *arg);

#endif
