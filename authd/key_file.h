/* authd/key_file.h
 * Keys that prove tokens, in a file; read again when it changed. */
#ifndef AUTHD_KEY_FILE_H
#define AUTHD_KEY_FILE_H

#include "authd/jwt.h"

struct key_file;
struct key_file *key_file_new(const char *path);
void key_file_free(struct key_file **f);
/* Borrowed until the next call.  NULL: none that can be used, or ever was. */
const struct jwk_set *key_file_keys(struct key_file *f);

#endif
