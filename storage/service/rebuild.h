/* storage/service/rebuild.h
 * How a shard's folder becomes a shard that serves.
 *
 * The applied state that is there is brought forward by the journal behind its position.  When
 * it is damaged, or gone, it is set aside and made anew: from the newest hot copy that is whole
 * and the journal behind it, else from an older one, else from the whole journal, if that goes
 * back to its start.
 *
 * A journal that is damaged where it is needed is not gone past without a word: the shard
 * refuses, with one line "store.refused" that names the damage.  The admin's word is a file
 * SHARD/accept-loss: then the journal is cut there, what stood behind is gone, and every mailbox
 * gets a new UIDVALIDITY (OP_INCARNATE), so that no client is fooled.  The same happens, without
 * a cut, for a file SHARD/incarnate: who brings back an older state of the folder writes
 * it.  Both files go when it was done; while it is owed, nothing is served. */
#ifndef STORAGE_SERVICE_REBUILD_H
#define STORAGE_SERVICE_REBUILD_H

#include "storage/service/service.h"

#define REBUILD_ACCEPT_LOSS	"accept-loss"
#define REBUILD_INCARNATE	"incarnate"

/* Opens journal and state of svc->dir; not ST_OK: a line was logged, all is closed again. */
enum status rebuild_open(struct service *svc);
void rebuild_close(struct service *svc);

#endif
