/* admind/client.h
 * A mansioctl on the admin socket, and the commands it runs.  Who may connect is decided
 * by the socket's mode and group; who did is in the audit line that every command leaves
 * ("admin.command"). */
#ifndef ADMIND_CLIENT_H
#define ADMIND_CLIENT_H

#include "admind/admind.h"
#include "common/json/json.h"
#include "common/worker/admin_proto.h"

struct client;
struct request;

struct admin_command {
	const char	*name;		/* NULL ends a table */
	/* Starts the command; request_done() or request_fail() follow once, now or later. */
	void		(*run)(struct request *rq);
	/* More of the file; NULL: it takes none. */
	void		(*data)(struct request *rq, struct span data, bool last);
};

/* One command under way.  lookup and ask are cancelled with it; so is what `stop` knows of. */
struct request {
	struct list			in;		/* of the client's */
	struct client			*client;
	struct admind			*admind;
	const struct admin_command	*command;
	struct ipc_head			head;
	struct buf			text;		/* arguments as they came: secret */
	struct json_doc			*doc;
	const struct json		*args;		/* an object */
	char				target[96];	/* what it is about, for the audit line */
	char				id[24];		/* connection id for the logs of others */
	uint64_t			deadline_ms;
	struct auth_lookup		*lookup;
	struct store_ask		*ask;
	struct ipc_head			data_head;	/* the piece of the file that waits; req 0: none */
	/* Of account-open: a request to the store; NULL: this command has none. */
	void				(*relay)(struct request *rq, const struct ipc_head *head,
					    const struct admin_store *ask);
	void				*state;		/* the command's own */
	void				(*stop)(struct request *rq);	/* frees state; may be NULL */
};

/* The listener accepted it: takes fd over. */
void client_start(struct admind *a, int fd);
/* Ends those that said nothing for long, and commands that do not come forward. */
void client_tick_all(struct admind *a);
void client_free_all(struct admind *a);

/* The answer; rq is gone. */
void request_done(struct request *rq, enum status st, struct span json);
/* The same with {"error": ...} in one line. */
void request_fail(struct request *rq, enum status st, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A change that it made of an account that is open, by its audit line ("admin.change"). */
void request_changed(struct request *rq, const char *change, const char *of, enum status st);
/* It came forward: the time-out starts again. */
void request_touch(struct request *rq);
/* A part of a long answer, before the last one. */
void request_part(struct request *rq, struct span json);
void request_progress(struct request *rq, uint64_t done, uint64_t total);
/* It may wait for its client as long as that is there. */
void request_patient(struct request *rq);
/* A part of an answer to a request about it, or the last one. */
void request_relayed(struct request *rq, const struct ipc_head *head, enum status st, bool more,
    const struct admin_store_is *is);
/* The waiting piece of the file was taken. */
void request_took(struct request *rq);

/* Commands by name; NULL: there is none. */
const struct admin_command *command_find(struct span name);

#endif
