/* ctl/client.h
 * Asks the running server on its admin socket (common/worker/admin_proto.h). */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "common/ipc/message.h"
#include "common/json/json.h"
#include "common/json/writer.h"
#include "common/util/status.h"
#include "ctl/ctl.h"

struct ctl_client;

/* NULL: said why on standard error; *rc is the exit code. */
struct ctl_client *ctl_connect(struct ctl *ctl, int *rc);
void ctl_disconnect(struct ctl_client **c);

/* text: the answer's JSON, borrowed; with a failed status {"error": ...}. */
typedef void (*ctl_answer_fn)(void *arg, enum status st, struct span text);
/* chan: 0, or of a command with a file. */
void ctl_ask(struct ctl_client *c, uint32_t chan, const char *command, struct span args,
    ctl_answer_fn fn, void *arg);
/* The next piece of the file; its answer is what ctl_wait() waits for too. */
void ctl_send_data(struct ctl_client *c, uint32_t chan, struct span data, bool last,
    ctl_answer_fn fn, void *arg);
/* A request of another kind, with the parts of its answer. */
typedef void (*ctl_part_fn)(void *arg, enum status st, bool more, const struct ipc_message *m,
    const void *msg);
void ctl_request(struct ctl_client *c, uint32_t chan, uint16_t no, const void *msg,
    ctl_part_fn fn, void *arg);
/* Runs callbacks until at most `under_way` answers are missing.  false: the server went
 * away or says nothing; said so.  seconds: without any answer. */
bool ctl_wait(struct ctl_client *c, unsigned under_way, unsigned seconds);
/* The same until any answer, or part of one, came. */
bool ctl_step(struct ctl_client *c, unsigned seconds);
#define CTL_PATIENCE_S 70
#define CTL_WINDOW 48		/* requests to keep under way, below ADMIN_REQUESTS_MAX */

/* One command from connect to answer; out gets the JSON text.  A failure is said, and with
 * --json also printed. */
int ctl_run(struct ctl *ctl, const char *command, struct span args, struct buf *out);
/* The same, of one that answers in parts and tells how far it is. */
struct ctl_parts {
	void	(*part)(void *arg, struct span json);
	void	(*progress)(void *arg, uint64_t done, uint64_t total);
	void	*arg;
};
int ctl_run_parts(struct ctl *ctl, const char *command, struct span args,
    const struct ctl_parts *parts, struct buf *out);
/* The same, then prints its JSON, or the line; that is emptied. */
int ctl_run_line(struct ctl *ctl, const char *command, const struct buf *args, struct buf *line);
/* The same, then prints its JSON, or what `show` makes of it. */
int ctl_run_show(struct ctl *ctl, const char *command, struct span args,
    void (*show)(struct buf *out, const struct json *answer));
/* The same on a connection, without a word: for callers that look at the status. */
bool ctl_call(struct ctl_client *c, const char *command, struct span args, unsigned seconds,
    enum status *st, struct buf *out);
/* Says what a failed answer tells; returns the exit code. */
int ctl_failed(struct ctl *ctl, enum status st, struct span text);

/* Arguments: {"key": "value"} pairs, up to NULL; a NULL value leaves the pair out. */
void ctl_args(struct buf *out, const char *key, ...) __attribute__((sentinel));

#endif
