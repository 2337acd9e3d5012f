/* ctl/import.h
 * Converts a configuration of the old IMAP server ("key: value" lines) into ours. */
#ifndef CTL_IMPORT_H
#define CTL_IMPORT_H

#include "common/conf/conf.h"

/* false: err names file and line of every mistake. */
bool ctl_import(const char *path, struct buf *out, struct conf_errors *err);
/* The same for a text. */
bool ctl_import_text(struct span text, const char *name, struct buf *out,
    struct conf_errors *err);

#endif
