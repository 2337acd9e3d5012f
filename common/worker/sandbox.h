/* common/worker/sandbox.h
 * What a process gives up before it meets the outside: rights to gain rights, to be
 * read by others, files, system calls.  Uses what the running kernel offers and says
 * in one log line ("sandbox") what that was; the floor, where Landlock is missing, is
 * an empty chroot. */
#ifndef COMMON_WORKER_SANDBOX_H
#define COMMON_WORKER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

enum sandbox_profile {
	/* Workers: no files at all, no new sockets, no other process, an allow list of
	 * system calls; what is not on it answers EPERM. */
	SANDBOX_WORKER,
	/* stored: the files below its paths; no sockets; an allow list. */
	SANDBOX_STORED,
	/* authd, admind, master: all may be read, only its paths be written; what nobody
	 * here ever needs (tracing, mounting, modules, ...) ends the process. */
	SANDBOX_HELPER,
	/* outd: connects (TCP, DNS) and never listens; reads the files below its paths, those of
	 * them that are there, and changes none; threads, no other process; an allow list. */
	SANDBOX_OUT,
	/* indexd: as a worker, but accepts nothing; may set its own limit of CPU time. */
	SANDBOX_INDEX,
	/* What starts programs that read untrusted bytes (indexd's extractors), and these: execute and
	 * read the files below its paths, those of them that are there, and change none but
	 * /dev/null; no TCP.  Refused where there is no Landlock.  It filters no system call: that is
	 * for the program alone, see sandbox_filter_program(). */
	SANDBOX_RUN
};

/* paths: n directories or files that may be changed (SANDBOX_OUT: read).  Call once, before the first
 * thread and after all that must be opened is open.  false: the kernel refused what it
 * offered; the process should end. */
bool sandbox_apply(enum sandbox_profile profile, const char *const *paths, size_t n);

/* Between fork and exec of such a program: no sockets, no processes, no signals to others, nothing that no
 * process of ours needs.  It stays in force whatever the program executes. */
bool sandbox_filter_program(void);

/* Steps for the parent side, between fork and exec: signal on the parent's death (checked
 * against the race with parent, its pid), no core, limits.  fds: descriptors allowed. */
struct sandbox_limits {
	unsigned long	fds;		/* 0: unchanged */
	unsigned long	memory_bytes;	/* RLIMIT_DATA; 0: unchanged */
};
bool sandbox_prepare_child(int parent, const struct sandbox_limits *limits);

#endif
