/* common/worker/control_proto.h
 * How the monitor and the master run the other processes, over common/ipc with
 * descriptors.  Every process is started with descriptor 3 as its control socket:
 * workers' lead to the master; authd's, stored's and admind's to the monitor; the
 * master's to the monitor.
 *
 * A process starts with nothing else: configuration, log, listeners, peers and keys
 * come as messages.  It says `ready` when it can serve, `stopped` never: it exits.
 *
 * Sockets between processes (peers): who asks for one makes a socketpair and sends
 * one end to each side, telling the server side what the other is.  The master makes
 * those of the workers: it has no control socket to authd and stored, so it hands the
 * server's end to the monitor (`relay`), which passes it on as `peer`.  When a server
 * was restarted the monitor tells the master (`restarted`), and the master makes the
 * sockets of all its workers anew. */
#ifndef COMMON_WORKER_CONTROL_PROTO_H
#define COMMON_WORKER_CONTROL_PROTO_H

#include "common/ipc/ipc.h"

#define CONTROL_FD 3
#define CONTROL_PROTO_MAJOR 1
#define CONTROL_PROTO_MINOR 1
#define CONTROL_SHARD_SYSTEM 0xffffffffu	/* the directory's shard */

struct mansio_conf;

enum { CONTROL_PARENT = 1, CONTROL_CHILD = 2 };		/* who may send */

/* Programs. */
enum program {
	PROGRAM_MASTER = 1, PROGRAM_AUTHD, PROGRAM_STORED, PROGRAM_ADMIND,
	PROGRAM_IMAPD, PROGRAM_LMTPD, PROGRAM_POP3D, PROGRAM_JMAPD, PROGRAM_SIEVED,
	PROGRAM_KEYD, PROGRAM_OUTD, PROGRAM_INDEXD, PROGRAM_OUTD_SUBMIT, PROGRAM_MAX = PROGRAM_OUTD_SUBMIT
};
const char *program_name(enum program p);	/* "imapd" */
#define CONTROL_MODE_SUBMIT "--submit"	/* argv[1] of outd as PROGRAM_OUTD_SUBMIT */

enum control_no {
	CONTROL_HELLO = 1, CONTROL_CONFIG = 2, CONTROL_CERTS = 3, CONTROL_LOG = 4,
	CONTROL_LISTENER = 5, CONTROL_LISTENER_GONE = 6, CONTROL_SERVER = 7, CONTROL_PEER = 8,
	CONTROL_TICKET_KEY = 9, CONTROL_START = 10, CONTROL_READY = 11, CONTROL_DRAIN = 12,
	CONTROL_STOP = 13, CONTROL_LOAD = 14, CONTROL_RELAY = 15, CONTROL_RESTARTED = 16,
	CONTROL_STATUS = 17, CONTROL_STATUS_IS = 18, CONTROL_DIR = 19,
	CONTROL_RELOAD = 20, CONTROL_RELOAD_IS = 21, CONTROL_REPLACE_INDEXD = 30,
	CONTROL_RULES = 31
};

/* hello (parent to child, first): who it is. */
struct control_hello {
	uint8_t		program;	/* enum program */
	uint32_t	slot;		/* of a worker: its number over all pools; else 0 */
	uint64_t	generation;	/* unique for every process ever started by this monitor */
	uint32_t	shard;		/* of stored; CONTROL_SHARD_SYSTEM: the directory */
};
/* config [fd]: sealed memory file: effective configuration as text (common/conf).  Again after
 * a reload.  certs [fd]: the same with PEM chains and keys (common/worker/certs.h).
 * rules [fd]: the same with the admin's scripts and lists (common/worker/rules.h). */
struct control_config { uint64_t version; };
/* log [fd]: where to log from now on. */
struct control_log { uint8_t sink; uint8_t level; };
/* listener [fd]: a listening socket to accept from. */
struct control_listener {
	struct span	name;		/* of the section in the configuration */
	struct span	address;	/* for the log */
};
struct control_listener_gone { struct span name; };
/* server [fd]: (to a client side) a socket to that server; replaces an earlier one. */
struct control_server { uint8_t program; uint32_t shard; };
/* peer [fd]: (to a server side) a socket whose other end is this. */
struct control_peer {
	uint8_t		program;
	uint32_t	slot;
	uint64_t	generation;
};
/* ticket_key: (monitor to authd and stored) sign with it from now on; secret. */
struct control_ticket_key { uint32_t number; struct span key; };
/* dir [fd]: an opened directory: stored's shard folder; admind's run folder. */
/* start: all of the above has come: sandbox yourself and serve; answered by ready. */
/* drain: take no new connections; end when the last is gone or after seconds. */
struct control_drain { uint32_t seconds; };
/* load (worker to master, at most once a second): */
struct control_load { uint32_t connections; uint64_t served; };
/* relay [fd] (master to monitor): give it to that server as `peer` with these words. */
struct control_relay {
	uint8_t		to;		/* PROGRAM_AUTHD or PROGRAM_STORED */
	uint32_t	shard;
	uint8_t		program;
	uint32_t	slot;
	uint64_t	generation;
};
/* restarted (monitor to master): that server is new; its sockets are dead. */
struct control_restarted { uint8_t program; uint32_t shard; };
/* status -> status_is: "name=value\n" text, for mansioctl status and stats. */
struct control_status_is { struct span text; };
/* reload (admind to monitor) -> reload_is: as SIGHUP does.  Status ST_OK: the new
 * configuration is in force, text names settings that wait for a restart; ST_SYNTAX: the
 * old one stays, text tells why.  A line each. */
struct control_reload_is { struct span text; };
/* replace-indexd (stored to monitor): that of its shard does not answer: end it, start another. */

extern const struct ipc_protocol control_protocol;

/* What every child does alike.  Signals: SIGPIPE, SIGHUP, SIGTERM and the terminal's are
 * ignored (the monitor speaks for them).  The log's descriptor is taken over. */
void control_child_signals(void);
void control_take_log(const struct control_log *l, int fd);
/* The first steps of a program that holds secrets: its signals, no core, not to be traced, gone
 * with its parent.  0, or what to exit with, said, when it was not the monitor that started it. */
int control_child_begin(const char *program);
/* Answers `status` with these lines, and empties them. */
void control_answer_status(struct ipc *ipc, const struct ipc_head *h, struct buf *lines);
/* The configuration of a `config` message; fd stays the caller's.  NULL, with a log line,
 * when it cannot be read: keep the old one. */
struct mansio_conf *control_read_config(int fd);

#endif
