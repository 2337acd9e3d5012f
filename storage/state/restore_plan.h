/* storage/state/restore_plan.h
 * What the files of a plan of restoring share. */
#ifndef STORAGE_STATE_RESTORE_PLAN_H
#define STORAGE_STATE_RESTORE_PLAN_H

#include "common/util/arena.h"
#include "storage/state/restore.h"
#include "storage/state/state_priv.h"

/* A membership that changed since. */
struct row {
	uint32_t	uid;
	bool		then, now, used;	/* used: stands for one of then */
	uint64_t	message, log_modseq, modseq;
	struct flags	was, is;
	struct row	*same;			/* of the same message */
};

struct folder {
	uint64_t	id;
	bool		then, now;
	uint64_t	parent, then_parent;	/* parent: as the operations planned so far leave it */
	struct span	name, then_name, then_path;
	struct folder	*into;			/* where what was in it then belongs */
	struct row	**rows;			/* by uid */
	size_t		n_rows, room;
	struct table	by_uid, made;		/* made: by message, what is new and there */
};

struct plan {
	struct state			*s;
	const struct state_restore	*q;
	struct restore_plan		*out;
	struct rec_account		acct;
	uint64_t			then;	/* modseq */
	struct arena			arena;
	struct folder			**folders;
	size_t				n, room;
	size_t				n_rows;
	struct table			by_id, by_name;	/* by_name: parent and name, of those there */
	struct table			there;	/* messages that were there then */
	/* The operation being put together. */
	struct buf			steps;
	struct uidset			uids;
	struct store_restore_line	line;
	uint8_t				kind;
};

/* restore_plan.c */
void restore_put_part(struct plan *p, struct op *op, const struct store_restore_line *line);
void restore_end_steps(struct plan *p);
/* uid: as the line names it. */
void restore_put_step(struct plan *p, uint8_t does, struct span path, struct span to,
    const struct op_restore_step *step, uint32_t uid);

/* restore_folders.c */
struct folder *restore_folder(const struct plan *p, uint64_t id);
/* As the operations planned so far leave it. */
struct span restore_path_now(struct plan *p, const struct folder *f);
/* Is it about this folder at all? */
bool restore_has(const struct plan *p, const struct folder *f);
enum status restore_load_folders(struct plan *p);
/* Backwards from the last change to the first one, which counts. */
enum status restore_folders_then(struct plan *p);
enum status restore_place_folders(struct plan *p);
/* Folders made since; the deepest first. */
void restore_folders_away(struct plan *p);

/* restore_rows.c */
enum status restore_rows(struct plan *p);

/* restore_rest.c: the first change since of each path's subscription, and of each mailbox's ACL */
enum status restore_rest(struct plan *p);

#endif
