/* A state over an engine in a temporary folder, and short ways to make operations.
 * Every operation is remembered as bytes, so that a second state can replay them. */
#ifndef T_STATEKIT_H
#define T_STATEKIT_H

#include "storage/state/state.h"

struct kit {
	char			dir[64];
	struct engine		*e;
	struct state		*s;
	struct state_result	r;
	uint64_t		account;
	int64_t			time_ms;
	uint64_t		seq;		/* of the next operation; 0: none */
	uint64_t		lsn;
	struct op_head		head;		/* limits and ticket of every operation */
	struct buf		log;		/* operations: span op, span locations */
	uint32_t		body;		/* where the next body lies */
	uint64_t		replace_mailbox;	/* of every append; uid 0: nothing */
	uint32_t		replace_uid;
	const char		*place;		/* of appends: the uids they had elsewhere */
	uint64_t		place_modseq;
	bool			stages;		/* copies and appends are parts, head.part tells which */
};

/* For <cmocka.h>, which goes before this header. */
#define IS(expr, st) assert_int_equal((expr), (st))
#define OK(expr) IS((expr), ST_OK)

/* The one of a test program.  For cmocka: with an account 7; the end of a test, see kit_end(). */
extern struct kit kit_one;
int kit_one_setup(void **state);
int kit_one_teardown(void **state);

void kit_open(struct kit *k);
void kit_close(struct kit *k);
/* kit_open() in two steps: the folder, which is k->dir from then on, and what lies there. */
void kit_folder(struct kit *k);
void kit_start(struct kit *k);
/* Closes; the folder stays. */
void kit_shut(struct kit *k);
void kit_reopen(struct kit *k);
/* Applies in a transaction of its own; returns the verdict. */
enum status kit_apply(struct kit *k, struct op *op);
/* All operations of another kit, `batch` to a transaction. */
void kit_replay(struct kit *k, const struct kit *from, unsigned batch);
struct op kit_op(struct kit *k, enum op_kind kind);

enum status kit_account(struct kit *k, uint64_t account);
enum status kit_create(struct kit *k, const char *path);
enum status kit_delete(struct kit *k, const char *path);
enum status kit_rename(struct kit *k, const char *from, const char *to);
enum status kit_subscribe(struct kit *k, const char *path, bool on);
/* n messages of `size` octets with one set of flags.  thread: a key, 0: none. */
enum status kit_append(struct kit *k, const char *path, unsigned n, uint32_t size,
    unsigned system, const char *keyword, uint64_t thread);
enum status kit_flags(struct kit *k, uint64_t mailbox, const char *uids, uint8_t how,
    unsigned system, const char *keyword, uint64_t unchanged_since);
enum status kit_expunge(struct kit *k, uint64_t mailbox, const char *uids);
enum status kit_copy(struct kit *k, uint64_t mailbox, const char *uids, const char *to,
    bool move);
/* Gives an account, or with 0 anyone, these rights. */
enum status kit_share(struct kit *k, const char *path, uint64_t with, uint32_t rights);
/* Id of a mailbox; 0: none. */
uint64_t kit_mailbox(struct kit *k, const char *path);
/* What a list says of a mailbox, but its path; zeros when there is none.  A message's row. */
struct store_mailbox kit_line(struct kit *k, const char *path);
struct store_row kit_row(struct kit *k, uint64_t mailbox, uint32_t uid);
/* Fails the test when state_check() finds anything. */
void kit_check(struct kit *k);
/* Fails the test unless hash, and every row of every table, agree. */
void kit_same(struct kit *a, struct kit *b);
/* The end of a test: checks, and compares with all of it replayed in one transaction. */
void kit_end(struct kit *k);
/* Decodes the reply of the last operation. */
void kit_reply(struct kit *k, uint16_t no, void *msg);

#endif
