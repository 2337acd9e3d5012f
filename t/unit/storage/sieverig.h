/* t/unit/storage/sieverig.h
 * A store service with a user's channel and one of deliveries, and short ways to ask it for what
 * Sieve needs.  Account 17. */
#ifndef T_UNIT_STORAGE_SIEVERIG_H
#define T_UNIT_STORAGE_SIEVERIG_H

#include "t/unit/storage/rig.h"

/* For <cmocka.h>, which goes before this header. */
#define OK(expr) assert_int_equal((expr), ST_OK)
#define IS(expr, st) assert_int_equal((expr), (st))

extern struct rig rig;
extern struct store *user, *lmtp;

/* For cmocka: the service is here, or in a process of its own that can be killed (without lmtp). */
int set_up_here(void **state);
int set_up_apart(void **state);
int tear_down(void **state);

struct store *channel_with(uint8_t role, uint32_t rights);
struct store *channel(uint8_t role);
/* Of somebody else, to account 17. */
struct store *stranger(uint64_t account);

/* A call: expect() its answer, then store_do_...(on_done), wait_for() it, reply(). */
void expect(uint16_t no);
void on_done(void *arg, enum status st, bool more, const void *msg);
enum status wait_for(void);
void reply(void *msg);

/* Is this vacation key known? */
bool known(struct store *s, char letter);
unsigned messages_in(const char *path);

/* Zeroed, then filled; order_send() empties it again. */
struct order {
	struct buf	bodies, places, keys, queue;
	uint64_t	of_mailbox;
	uint32_t	of_uid;
	struct flags	flags_add;
};
void order_place(struct order *o, uint8_t body, const char *path);
/* A vacation answer of this body, while the key is not known. */
void order_answer(struct order *o, uint8_t body, char letter);
void order_send(struct store *s, struct order *o);
/* Sends it for the user while the service, which is apart, is killed after so many rounds: it is done once, its
 * answer remembered, and `path` has so many messages then. */
void order_through_a_kill(struct order *o, unsigned rounds, char letter, const char *path,
    unsigned messages);
void stage(struct store *s, uint32_t no, char letter, size_t bytes);

/* An item with a text, as a worker sends it; is the word found in message 1 of the mailbox? */
void put_with_text(struct buf *bodies, const char *word);
void expect_found(uint64_t mailbox, const char *word, bool is_there);

#endif
