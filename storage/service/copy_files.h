/* storage/service/copy_files.h
 * The files of hot copies: plain folders, hashed, copied, removed.  Synced when a call says
 * ST_OK.  ST_NO_SPACE; ST_CORRUPT: not what the manifest says; ST_CANCELLED: stopped;
 * ST_UNAVAILABLE.  Failures are logged here. */
#ifndef STORAGE_SERVICE_COPY_FILES_H
#define STORAGE_SERVICE_COPY_FILES_H

#include "storage/service/copy_manifest.h"

/* Between two pieces of work; false: stop here, as a process that ends. */
typedef bool (*copy_step_fn)(void *arg);

/* Adds every file of the folder but the manifest, by name, and syncs it. */
enum status copy_files_hash(const char *dir, struct copy_manifest *m, copy_step_fn step,
    void *arg);
/* Writes the manifest into the folder. */
enum status copy_files_seal(const char *dir, const struct copy_manifest *m);
/* Reads and judges it.  ST_NOT_FOUND: there is none. */
enum status copy_files_manifest(const char *dir, struct copy_manifest *m);
/* Copies what the manifest lists into an empty folder, made here, comparing hashes.  to NULL: only
 * compares. */
enum status copy_files_copy(const char *from, const char *to, const struct copy_manifest *m,
    copy_step_fn step, void *arg);
/* The files of a folder, and the folder; nothing happens when there is none. */
void copy_files_remove(const char *dir);
/* What its files take on the disk; 0: there is none. */
uint64_t copy_files_bytes(const char *dir);
/* Is there any file in it? */
bool copy_files_any(const char *dir);
/* The folder's own entries; false: errno says why. */
bool copy_files_sync(const char *dir);
/* rename(), and the folder around it synced. */
enum status copy_files_rename(const char *dir, const char *from, const char *to);

#endif
