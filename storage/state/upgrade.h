/* storage/state/upgrade.h
 * How records change from one release to the next while the store is in use.
 *
 * A record's version byte counts the forms that the payloads of its table have had.  Old
 * forms are readable for ever: rec_..._get() asks rec_version() which one it has before it.
 * Written is the newest form alone, so a record that changes is renewed with it, and
 * state_upgrade() renews the others, piece by piece, with a cursor that lies in the
 * database: a kill costs one piece, and everybody is served meanwhile.
 *
 * To change what a table's records hold (also a field added last):
 *
 *	1. raise the table's number in rec_versions[] (schema.c) and write that form;
 *	2. let rec_..._get() read this form and, by rec_version(), those before it;
 *	3. add a line to schema_changes[] (upgrade.c), under the schema of the release to
 *	   come; SCHEMA_VERSION is raised once for each release that has such lines;
 *	4. a field that hash.c covers must not come out different for an old record.
 *
 * A new table needs no version of its own, but a new schema: an older program would not
 * keep it.  The database says how far it is (struct rec_schema); one that is newer than the
 * program is refused, and rebuilt from the journal only when somebody moves it away.
 *
 * t/data/shards/ has a shard made by each schema; test_upgrade opens, upgrades and rebuilds
 * every one and compares the roots. */
#ifndef STORAGE_STATE_UPGRADE_H
#define STORAGE_STATE_UPGRADE_H

#include "storage/state/state.h"

#define SCHEMA_VERSION 2

struct state_schema {
	uint16_t	written;	/* no record is of a later schema */
	uint16_t	complete;	/* every record is at least of this one */
	uint64_t	renewed;	/* records, since the state was opened */
};
void state_schema(const struct state *s, struct state_schema *out);

/* Renews old records, in one transaction, after reading about `bytes` of rows.  *more:
 * there is more to do.  By the thread that applies, outside its transactions.  A record
 * that is damaged is passed over: who reads it finds it so. */
enum status state_upgrade(struct state *s, size_t bytes, bool *more);

#endif
