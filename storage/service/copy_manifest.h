/* storage/service/copy_manifest.h
 * What says of a hot copy that it is whole: the file "manifest" in its folder.  Text, one thing
 * a line:
 *
 *	mansio-copy 1
 *	shard NUMBER
 *	incarnation NUMBER
 *	position LSN TICK-LSN SEGMENT OFFSET
 *	stamp MILLISECONDS		of the last operation in it
 *	made MILLISECONDS
 *	segment NUMBER BYTES PIECES	what it refers to there; rising
 *	file NAME BYTES SHA-256
 *	end CRC-32C			of all lines before, 8 hex digits
 *
 * Numbers are decimal. */
#ifndef STORAGE_SERVICE_COPY_MANIFEST_H
#define STORAGE_SERVICE_COPY_MANIFEST_H

#include "common/crypto/digest.h"
#include "storage/journal/journal.h"
#include "storage/service/live.h"

#define COPY_MANIFEST_NAME	"manifest"
#define COPY_MANIFEST_MAX	(64u << 20)
#define COPY_FILE_NAME_MAX	63

struct copy_file {
	char		name[COPY_FILE_NAME_MAX + 1];	/* letters, digits, ".-_"; no leading dot */
	uint64_t	bytes;
	unsigned char	sha256[SHA256_LEN];
};

struct copy_manifest {
	uint32_t		shard;
	uint64_t		incarnation;
	struct journal_pos	pos;
	int64_t			stamp_ms, made_ms;
	struct live		live;		/* sorted */
	struct copy_file	*files;
	size_t			n_files, room_files;
};

void copy_manifest_fini(struct copy_manifest *m);
void copy_manifest_file(struct copy_manifest *m, const struct copy_file *f);
uint64_t copy_manifest_bytes(const struct copy_manifest *m);

void copy_manifest_put(struct buf *b, const struct copy_manifest *m);
/* ST_CORRUPT: not what copy_manifest_put() wrote; ST_UNSUPPORTED: of another version.  m is
 * zeroed before and empty then. */
enum status copy_manifest_get(struct span text, struct copy_manifest *m);
/* May a file have this name? */
bool copy_file_name_good(struct span name);

#endif
