/* storage/client/searcher_priv.h
 * What the files of the searcher share. */
#ifndef STORAGE_CLIENT_SEARCHER_PRIV_H
#define STORAGE_CLIENT_SEARCHER_PRIV_H

#include "common/mail/search_scan.h"
#include "storage/client/searcher.h"
#include "storage/client/body.h"

struct searcher;

/* What the store's texts say of the chunk (searcher_texts.c). */
struct searcher_texts {
	bool		asked;
	struct uidset	wanted;			/* that was asked for */
	struct uidset	known;			/* what the hits say is all there is to say */
	struct uidset	header[STORE_NEEDLES_MAX], body[STORE_NEEDLES_MAX];
	unsigned	slot[STORE_NEEDLES_MAX];	/* of each needle */
	unsigned	n;			/* needles */
	unsigned char	*hits;			/* by slot, of the message being judged */
	struct uidset	settled;		/* of those */
	uint32_t	at;			/* the last one that was judged */
	void		(*then)(struct searcher *s);	/* when all of them were */
	void		(*rest)(struct searcher *s);
};

struct score {
	uint32_t	uid;
	unsigned char	score;
};

struct searcher {
	struct search_job	job;
	struct search_program	*p;
	void			(*done)(void *arg, enum status st);
	void			*arg;
	struct loop_task	*task;
	void			(*step)(struct searcher *s);	/* what the task does next */
	struct store_call	*call;
	enum status		failed;
	struct search_found	found;
	uint32_t		first, last;	/* uids whose modseqs are known */
	struct score		*scores;
	size_t			n_scores, score_room;
	bool			need_rows;
	bool			chunk_asked;	/* nothing of the chunk is in a stage yet */
	uint64_t		goal;		/* messages to settle */
	uint32_t		n_keywords;

	struct uidset		here, unseen, deleted;	/* marks of the mailbox, when asked for */
	bool			marked;
	struct search_node	*noted;		/* the annotation key that is read */
	unsigned		notes_read;	/* keys before it */
	struct uidset		todo, left, chunk, open, listed, bodies;
	struct searcher_texts	texts;		/* of the chunk */
	struct store_row	*rows;		/* of the chunk's open messages */
	size_t			n_rows, room;

	/* bytes */
	struct buf		queue;		/* pieces that came and were not looked at */
	size_t			queued_at;
	bool			more;		/* the reply goes on */
	uint32_t		reading, over;	/* uid that is read; uid of which all is known */
	struct body_reader	*reader;
	struct buf		raw;
	size_t			raw_at;
	struct search_scan	*scan;
	bool			finishing;
	uint32_t		resume_uid;
	uint64_t		resume_offset;
};

/* searcher.c */
void searcher_later(struct searcher *s, void (*step)(struct searcher *s));
void searcher_finish(struct searcher *s);
const struct store_row *searcher_row(const struct searcher *s, uint32_t uid);
/* m holds what else is known of the message. */
enum search_answer searcher_judge(struct searcher *s, const struct store_row *row, uint32_t uid,
    struct search_message *m);
void searcher_next_group(struct searcher *s);
void searcher_ask_columns(struct searcher *s);
void searcher_next_chunk(struct searcher *s);
/* By the program alone. */
void searcher_judge_view(struct searcher *s);

/* searcher_sets.c: each key becomes the set of those that match, one after the other; then the rest */
void searcher_ask_annotations(struct searcher *s);

/* searcher_bytes.c */
void searcher_ask_bodies(struct searcher *s);

/* searcher_texts.c: a new chunk */
void searcher_texts_begin(struct searcher *s);
/* Are the texts asked before anything else is? */
bool searcher_texts_first(const struct searcher *s);
/* Asks for the chunk and settles what it can; the rest of it stays in s->chunk, and rest runs. */
void searcher_texts_ask_first(struct searcher *s, void (*rest)(struct searcher *s));
/* The same of what rows and columns left open. */
void searcher_texts_ask_open(struct searcher *s);
/* What is known of a message goes into m. */
void searcher_texts_hits(struct searcher *s, uint32_t uid, struct search_message *m);
void searcher_texts_fini(struct searcher *s);

#endif
