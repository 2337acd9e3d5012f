/* t/unit/authd/fake_store.h
 * A directory in memory that speaks the store protocol, as the system shard's stored. */
#ifndef T_UNIT_AUTHD_FAKE_STORE_H
#define T_UNIT_AUTHD_FAKE_STORE_H

#include "common/ipc/ipc.h"
#include "common/util/buf.h"

#define FAKE_RECORDS 4096

struct fake_record { struct buf key, value; uint64_t version; };
struct fake_store {
	struct loop		*loop;
	struct ipc		*ipc;
	struct fake_record	r[FAKE_RECORDS];
	size_t			n;
	uint64_t		modseq;
	bool			watched;
	int			reads, writes, conflicts;	/* conflicts: so many to play */
};

/* One end of a socket pair becomes the store's; returns the other. */
int fake_store_connect(struct fake_store *s);
void fake_store_cut(struct fake_store *s);
void fake_store_fini(struct fake_store *s);
/* Somebody else changes a record. */
void fake_store_put(struct fake_store *s, struct span key, struct span value);

#endif
