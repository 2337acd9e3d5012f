/* ctl/backup.h
 * Backups of the whole server in a folder: see "Backups" in doc/storage.md. */
#ifndef CTL_BACKUP_H
#define CTL_BACKUP_H

#include "common/json/json.h"
#include "ctl/ctl.h"

#define BACKUP_FORMAT "mansio-backup"

/* A manifest, read and judged.  Zeroed: none. */
struct backup {
	unsigned	number;
	struct buf	text;
	struct json_doc	*doc;
};
void backup_fini(struct backup *b);
/* The numbers of those in dir, rising; the array is the caller's.  false: said why. */
bool backup_numbers(int dir, unsigned **list, size_t *n);
/* number 0: the newest.  CTL_FAILED: said why; with the newest asked for and none there *b stays
 * zeroed and nothing is said when none_is_fine. */
int backup_load(int dir, unsigned number, bool none_is_fine, struct backup *b);
/* Writes the manifest and its sum so that it is there whole or not at all. */
int backup_store(int dir, unsigned number, const struct buf *text);

/* Opens the folder; with `make` it may be missing.  Locked while it is open. -1: said why. */
int backup_open_dir(const char *path, bool make, bool write);

struct backup_opts {
	const char	*dir;
	bool		full;
	uint64_t	rate;		/* bytes a second; 0: as fast as it goes */
};
int backup_make(struct ctl *ctl, const struct backup_opts *o);

/* Puts a shard of a backup together in the folder `to`, which is made: the journal, and the hot
 * copy as `copy_as` ("db", "copies/1").  Hashes are compared on the way; false: said what is
 * wrong. */
bool backup_put_shard(int dir, const struct json *shard, const char *to, const char *copy_as);

struct restore_opts {
	const char	*dir, *to;	/* to: the state folder, or the account that gets the mail */
	unsigned	number;
	const char	*account, *mailbox, *scratch;
};
int backup_verify(struct ctl *ctl, const struct restore_opts *o);
int backup_restore(struct ctl *ctl, const struct restore_opts *o);
int backup_restore_account(struct ctl *ctl, const struct restore_opts *o);
int backup_list(struct ctl *ctl, const char *dir);
int backup_prune(struct ctl *ctl, const char *dir, unsigned keep);

/* Path of a program of ours: beside mansioctl's own, or where it was configured. */
void backup_program(const char *beside, const char *configured, struct buf *out);
/* Removes a folder with all that is in it. */
void backup_remove_tree(const char *path);

#endif
