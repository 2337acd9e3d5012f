/* common/compress/dictionary.h
 * The dictionaries that come with the program, made by contrib/dictionary from public mail:
 * never from that of users, or a worker that was taken over could read of other
 * accounts in them.
 *
 * A frame names its dictionary by number.  What was shipped once stays for ever; new frames
 * are made with the latest. */
#ifndef COMMON_COMPRESS_DICTIONARY_H
#define COMMON_COMPRESS_DICTIONARY_H

#include "common/compress/zstd.h"

/* For messages, or pieces of them, of up to this many bytes: more of them is a dictionary themselves. */
#define DICTIONARY_MAIL_MAX (64u << 10)

/* What messages are packed with now.  It lives as long as the process, which pays for it when
 * it first packs (0.4 MiB) or unpacks (30 KiB). */
const struct zstd_dict *dictionary_mail(void);
/* The one a frame names; NULL: none, or none of ours. */
const struct zstd_dict *dictionary_of(struct span frame);

#endif
