/* jmapd/core/request_priv.h
 * What the files of the request engine share. */
#ifndef JMAPD_CORE_REQUEST_PRIV_H
#define JMAPD_CORE_REQUEST_PRIV_H

#include "common/util/table.h"
#include "jmapd/core/request.h"

struct jmap_response {			/* of a call that is over, for references */
	struct span	name, call_id;
	size_t		from, to;	/* of its arguments in the answer */
};

struct jmap_then {			/* jmap_call_then() */
	const struct jmap_method	*method;
	struct json_doc			*doc;
};

struct jmap_request {
	const struct jmap_host	*host;
	struct jmap_account	*account;
	struct jmap_watch	watch;
	struct json_doc		*doc;
	const struct json	*calls;		/* borrowed from doc */
	size_t			next;
	uint64_t		using;		/* bit: place in jmap_capability_table */
	unsigned		flags;
	bool			tells_created;
	struct span		ws_id;
	char			*session_state;
	jmap_request_done_fn	done;
	void			*arg;
	struct loop_task	*task;

	struct table		created;	/* creation id -> char * */
	struct jmap_response	*responses;
	size_t			response_count, responses_room;
	unsigned		references, errors;

	struct buf		out;
	struct json_writer	writer;

	/* The call under way. */
	bool			open, driving;
	struct jmap_call	call;
	struct span		call_id;
	struct json_doc		*resolved;	/* arguments whose references were */
	struct arena		arena;
	struct json_writer	before;		/* to go back to on an error */
	size_t			call_from, args_from;
	struct jmap_then	then, running;
};

/* Puts the arguments with their references resolved into rq->resolved; false: the call was
 * ended with an error. */
bool jmap_resolve(struct jmap_request *rq, const struct json *args, const struct json **resolved);
/* Any name that begins with "#". */
bool jmap_has_references(const struct json *args);

#endif
