/* ctl/sieve_priv.h
 * What the files of `mansioctl sieve run` share. */
#ifndef CTL_SIEVE_PRIV_H
#define CTL_SIEVE_PRIV_H

#include "common/json/writer.h"
#include "sieve/conf.h"

/* ---- the world of a script that is only tried (sieve_world.c) ---- */

struct sieve_world_file {
	char			*name;		/* of a script that may be included, of a list */
	char			*text;
	size_t			len;
	struct sieve_script	*script;	/* when it was asked for */
	struct sieve_problems	problems;
};
struct sieve_world_files {
	struct sieve_world_file	*v;
	size_t			n, room;
};

struct sieve_world {		/* zeroed: empty */
	const struct sieve_options	*options;
	const char			*mailboxes;	/* NULL: whatever is named is there */
	struct sieve_world_files	personal, global, lists;
};
/* NAME.sieve in a folder.  false: it cannot be read; said why. */
bool sieve_world_folder(struct sieve_world *w, const char *folder);
/* Global scripts and lists, as far as they can be read. */
void sieve_world_conf(struct sieve_world *w, const struct mansio_conf *conf);
/* A sieve_ask_fn; arg is the world. */
enum sieve_answer sieve_world_ask(void *arg, const struct sieve_question *q,
    struct sieve_reply *reply);
void sieve_world_fini(struct sieve_world *w);

/* ---- what is shown (sieve_show.c) ---- */

void sieve_show_trace(struct buf *out, const struct sieve_trace *t);
void sieve_json_trace(struct json_writer *w, const struct sieve_trace *t);
/* A line for each action, or that there is none. */
void sieve_show_result(struct buf *out, enum sieve_outcome outcome, const struct sieve_result *r);
/* Members of an object. */
void sieve_json_result(struct json_writer *w, enum sieve_outcome outcome,
    const struct sieve_result *r);
/* An array. */
void sieve_json_problems(struct json_writer *w, const struct sieve_problems *p);

#endif
