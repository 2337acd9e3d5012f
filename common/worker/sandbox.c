#include "common/worker/sandbox.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"

/* Landlock ------------------------------------------------------------------
 * The kernel's numbers, so that no header of a certain age is needed
 * (Documentation/userspace-api/landlock.rst). */
#define LL_CREATE	444
#define LL_ADD_RULE	445
#define LL_RESTRICT	446
#define LL_VERSION_FLAG	1u
#define LL_PATH_BENEATH	1
#define LL_EXECUTE	(1ull << 0)
#define LL_WRITE_FILE	(1ull << 1)
#define LL_READ_FILE	(1ull << 2)
#define LL_READ_DIR	(1ull << 3)
#define LL_FS_V1	((1ull << 13) - 1)
#define LL_FS_REFER	(1ull << 13)	/* version 2 */
#define LL_FS_TRUNCATE	(1ull << 14)	/* version 3 */
#define LL_FS_IOCTL_DEV	(1ull << 15)	/* version 5 */
#define LL_NET_BIND	1ull		/* version 4: of TCP */
#define LL_NET_ALL	3ull		/* and connect */
#define LL_SCOPE_ALL	3ull		/* version 6: abstract sockets, signals */
#define LL_OF_FILES	(LL_EXECUTE | LL_WRITE_FILE | LL_READ_FILE | LL_FS_TRUNCATE | LL_FS_IOCTL_DEV)

struct ll_ruleset {
	uint64_t	fs, net, scoped;
};

struct ll_beneath {
	uint64_t	access;
	int32_t		parent;
} __attribute__((packed));

static bool
ll_allow(int rules, const char *path, uint64_t access)
{
	struct ll_beneath b = { access, -1 };
	struct stat st;
	bool ok;

	b.parent = open(path, O_PATH | O_CLOEXEC);
	if (b.parent < 0)
		return false;
	if (fstat(b.parent, &st) == 0 && !S_ISDIR(st.st_mode))
		b.access &= LL_OF_FILES;
	ok = syscall(LL_ADD_RULE, rules, LL_PATH_BENEATH, &b, 0) == 0;
	close(b.parent);
	return ok;
}

static uint64_t
rights_below(enum sandbox_profile profile, const struct ll_ruleset *all)
{
	switch (profile) {
	case SANDBOX_OUT:
		return LL_READ_FILE | LL_READ_DIR;
	case SANDBOX_RUN:
		return LL_READ_FILE | LL_READ_DIR | LL_EXECUTE;
	default:
		return all->fs & ~LL_EXECUTE;
	}
}

/* Returns the version of Landlock in force, 0 when the kernel has none, -1 on failure. */
static int
landlock(enum sandbox_profile profile, const char *const *paths, size_t n)
{
	long version = syscall(LL_CREATE, NULL, 0, LL_VERSION_FLAG);
	struct ll_ruleset rs = { .fs = LL_FS_V1 };
	size_t size = sizeof(uint64_t);
	int rules, r = -1;

	if (version <= 0)
		return 0;
	if (version >= 2)
		rs.fs |= LL_FS_REFER;
	if (version >= 3)
		rs.fs |= LL_FS_TRUNCATE;
	if (version >= 5)
		rs.fs |= LL_FS_IOCTL_DEV;
	if (version >= 4) {
		size = 2 * sizeof(uint64_t);
		rs.net = profile == SANDBOX_OUT ? LL_NET_BIND : LL_NET_ALL;
	}
	if (version >= 6) {
		size = sizeof(rs);
		if (profile != SANDBOX_HELPER)
			rs.scoped = LL_SCOPE_ALL;
	}
	rules = (int)syscall(LL_CREATE, &rs, size, 0);
	if (rules < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if ((profile == SANDBOX_OUT || profile == SANDBOX_RUN) && access(paths[i], F_OK) != 0)
			continue;
		if (!ll_allow(rules, paths[i], rights_below(profile, &rs)))
			goto out;
	}
	if (profile == SANDBOX_RUN && !ll_allow(rules, "/dev/null", LL_READ_FILE | LL_WRITE_FILE))
		goto out;
	if (profile == SANDBOX_HELPER &&
	    !ll_allow(rules, "/", (LL_EXECUTE | LL_READ_FILE | LL_READ_DIR)))
		goto out;
	if (syscall(LL_RESTRICT, rules, 0) == 0)
		r = (int)version;
out:
	fd_close(&rules);
	return r;
}

/* Without Landlock: an empty root.  The parent started us in an empty directory; the
 * right to chroot comes from a user namespace of our own. */
static bool
empty_root(void)
{
	return (chroot(".") == 0 ||
	    (unshare(CLONE_NEWUSER) == 0 && chroot(".") == 0)) && chdir("/") == 0;
}

/* seccomp ------------------------------------------------------------------- */

#define CALL(name) SCMP_SYS(name)

/* No process of ours has a use for these. */
static const int calls_never[] = {
	CALL(acct), CALL(add_key), CALL(bpf), CALL(delete_module), CALL(finit_module),
	CALL(init_module), CALL(io_uring_enter), CALL(io_uring_register), CALL(io_uring_setup),
	CALL(kexec_load), CALL(keyctl), CALL(mount), CALL(move_mount), CALL(name_to_handle_at),
	CALL(open_by_handle_at), CALL(perf_event_open), CALL(pidfd_getfd), CALL(pivot_root),
	CALL(process_vm_readv), CALL(process_vm_writev), CALL(ptrace), CALL(quotactl), CALL(reboot),
	CALL(request_key), CALL(setns), CALL(swapoff), CALL(swapon), CALL(umount2), CALL(unshare),
	CALL(userfaultfd),
};

static bool
kill_never(scmp_filter_ctx f)
{
	for (size_t i = 0; i < ARRAY_LEN(calls_never); i++) {
		int r = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, calls_never[i], 0);

		if (r < 0 && r != -EDOM && r != -EINVAL)
			return false;
	}
	return true;
}

/* What a program that turns bytes into text has no use for: sockets, processes (threads are
 * fine), others' limits and signals, memory and queues shared with others. */
static const int calls_not_for_programs[] = {
	CALL(socket), CALL(socketpair), CALL(connect), CALL(bind), CALL(listen), CALL(accept), CALL(accept4),
	CALL(fork), CALL(vfork), CALL(tkill), CALL(rt_sigqueueinfo), CALL(rt_tgsigqueueinfo),
	CALL(pidfd_open), CALL(pidfd_send_signal), CALL(setpriority), CALL(sched_setscheduler),
	CALL(shmget), CALL(shmat), CALL(shmctl), CALL(semget), CALL(semop), CALL(semctl),
	CALL(msgget), CALL(msgsnd), CALL(msgrcv), CALL(msgctl), CALL(mq_open), CALL(setsid), CALL(setpgid),
	CALL(chroot), CALL(syslog), CALL(inotify_init1), CALL(fanotify_init), CALL(personality),
};

bool
sandbox_filter_program(void)
{
	const uint64_t self = (uint64_t)getpid();
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	bool ok = f != NULL && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && kill_never(f);

	for (size_t i = 0; i < ARRAY_LEN(calls_not_for_programs) && ok; i++) {
		int r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), calls_not_for_programs[i], 0);

		ok = r >= 0 || r == -EDOM || r == -EINVAL;
	}
	ok = ok && seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(kill), 1,
	    SCMP_A0(SCMP_CMP_NE, self)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_NE, self)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1,
	    SCMP_A0(SCMP_CMP_NE, 0)) == 0 && seccomp_load(f) == 0;
	if (f != NULL)
		seccomp_release(f);
	return ok;
}

#ifndef MANSIO_SANITIZERS

/* Every event loop, allocator and thread of ours. */
static const int calls_base[] = {
	CALL(brk), CALL(clock_getres), CALL(clock_gettime), CALL(clock_nanosleep),
	CALL(close), CALL(dup), CALL(dup2), CALL(dup3), CALL(epoll_create1), CALL(epoll_ctl),
	CALL(epoll_pwait), CALL(epoll_pwait2), CALL(epoll_wait), CALL(eventfd2), CALL(exit),
	CALL(exit_group), CALL(fcntl), CALL(fstat), CALL(futex), CALL(getcwd), CALL(getegid),
	CALL(geteuid), CALL(getgid), CALL(getpeername), CALL(getpid), CALL(getppid), CALL(getrandom),
	CALL(getrusage), CALL(getsockname), CALL(getsockopt), CALL(gettid), CALL(gettimeofday),
	CALL(getuid), CALL(lseek), CALL(madvise), CALL(membarrier), CALL(mremap),
	CALL(munmap), CALL(nanosleep), CALL(pipe2), CALL(poll), CALL(ppoll), CALL(pread64),
	CALL(preadv), CALL(preadv2), CALL(pselect6), CALL(read), CALL(readv), CALL(recvfrom), CALL(recvmmsg),
	CALL(recvmsg), CALL(restart_syscall), CALL(rseq), CALL(rt_sigaction), CALL(rt_sigpending),
	CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(rt_sigtimedwait), CALL(sched_getaffinity),
	CALL(sched_yield), CALL(select), CALL(sendmmsg), CALL(sendmsg), CALL(sendto), CALL(set_robust_list),
	CALL(set_tid_address), CALL(setsockopt), CALL(shutdown), CALL(sigaltstack), CALL(sysinfo),
	CALL(time), CALL(timerfd_create), CALL(timerfd_settime), CALL(uname), CALL(write),
	CALL(writev),
};

/* A socket that listens without bind() takes a port of its own, so outd has none of these. */
static const int calls_serve[] = { CALL(accept4), CALL(listen) };

/* Files below the paths Landlock leaves, and threads. */
static const int calls_store[] = {
	CALL(access), CALL(copy_file_range), CALL(faccessat), CALL(faccessat2),
	CALL(fadvise64), CALL(fallocate), CALL(fchmod), CALL(fdatasync), CALL(flock), CALL(fstatfs),
	CALL(fsync), CALL(ftruncate), CALL(getdents64), CALL(ioprio_set), CALL(link), CALL(lstat), CALL(mkdir),
	CALL(mkdirat), CALL(msync), CALL(newfstatat), CALL(open), CALL(openat), CALL(pwrite64),
	CALL(pwritev), CALL(pwritev2), CALL(readahead), CALL(readlink), CALL(rename),
	CALL(renameat), CALL(renameat2), CALL(rmdir), CALL(sched_getparam),
	CALL(sched_getscheduler), CALL(stat), CALL(statfs), CALL(statx), CALL(sync_file_range),
	CALL(unlink), CALL(unlinkat), CALL(umask),
};

/* Configuration of the resolver and authorities, to be read; connections outwards. */
static const int calls_out[] = {
	CALL(access), CALL(connect), CALL(faccessat), CALL(faccessat2), CALL(getdents64),
	CALL(lstat), CALL(newfstatat), CALL(open), CALL(openat), CALL(readlink), CALL(stat),
	CALL(statfs), CALL(statx),
};

static bool
allow_all(scmp_filter_ctx f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);

		/* -EDOM, -EINVAL: this architecture has no such call */
		if (r < 0 && r != -EDOM && r != -EINVAL)
			return false;
	}
	return true;
}

static bool
allow_narrow(scmp_filter_ctx f, enum sandbox_profile profile)
{
	const uint64_t self = (uint64_t)getpid();

	return
	    /* memory never becomes code */
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
	    /* signals to oneself: abort() */
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
	    SCMP_A0(SCMP_CMP_EQ, self)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_EQ, self)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
	    SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)) == 0 &&
	    /* one's own limits, read only */
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
	    SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0)) == 0 &&
	    (profile == SANDBOX_WORKER || profile == SANDBOX_INDEX ||
	    /* threads, never processes; clone3 cannot be looked into, without it the C
	     * library uses clone */
	    (seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) == 0));
}

/* Sockets of the Internet, and of netlink, which the resolver asks what addresses we have; how
 * much there is to read; libcurl's threads wake the loop by a pair. */
static bool
allow_out(scmp_filter_ctx f)
{
	static const int families[] = { AF_INET, AF_INET6, AF_NETLINK };
	bool ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
	    SCMP_A1(SCMP_CMP_EQ, FIONREAD)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
	    SCMP_A0(SCMP_CMP_EQ, AF_UNIX)) == 0;

	for (size_t i = 0; i < ARRAY_LEN(families) && ok; i++)
		ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_EQ, (unsigned)families[i])) == 0;
	return ok && allow_all(f, calls_out, ARRAY_LEN(calls_out));
}

static bool
seccomp(enum sandbox_profile profile)
{
	bool list = profile != SANDBOX_HELPER;
	scmp_filter_ctx f = seccomp_init(list ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW);
	bool ok = f != NULL;

	ok = ok && kill_never(f);
	if (list && ok)
		ok = allow_all(f, calls_base, ARRAY_LEN(calls_base)) && allow_narrow(f, profile);
	if (profile == SANDBOX_STORED && ok)
		ok = allow_all(f, calls_store, ARRAY_LEN(calls_store));
	if (profile == SANDBOX_OUT && ok)
		ok = allow_out(f);
	else if (profile == SANDBOX_INDEX && ok)
		ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
		    SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A1(SCMP_CMP_EQ, RLIMIT_CPU)) == 0;
	else if (list && ok)
		ok = allow_all(f, calls_serve, ARRAY_LEN(calls_serve));
	if (ok)
		ok = seccomp_load(f) == 0;
	if (f != NULL)
		seccomp_release(f);
	return ok;
}
#endif

#ifdef MANSIO_SANITIZERS
static int applied;

/* The leak checker reads /proc at exit, which is gone behind the sandbox. */
int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return applied;
}
#endif

bool
sandbox_apply(enum sandbox_profile profile, const char *const *paths, size_t n)
{
	const char *files = "landlock";
	bool filter = true;
	int version;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return false;
	version = landlock(profile, paths, n);
	if (version < 0) {
		LOG(NULL, FATAL, "sandbox.landlock", KV_ERRNO(errno));
		return false;
	}
	if (version == 0 && profile == SANDBOX_RUN) {
		LOG(NULL, ERROR, "sandbox.landlock", KV_STR("why", "this kernel has none"));
		return false;
	}
	if (version == 0) {
		files = "none";
		if ((profile == SANDBOX_WORKER || profile == SANDBOX_INDEX) && empty_root())
			files = "chroot";
	}
#ifdef MANSIO_SANITIZERS
	filter = false;		/* the sanitizers' runtime asks for more */
	applied = 1;
#else
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return false;
	if (profile == SANDBOX_RUN)
		filter = false;
	else if (!seccomp(profile)) {
		LOG(NULL, FATAL, "sandbox.seccomp", KV_ERRNO(errno));
		return false;
	}
#endif
	LOG(NULL, INFO, "sandbox", KV_STR("files", files), KV_INT("version", version),
	    KV_STR("seccomp", filter ? "on" : "off"));
	return true;
}

bool
sandbox_prepare_child(int parent, const struct sandbox_limits *limits)
{
	struct rlimit rl = { 0, 0 };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent)
		return false;
	if (setrlimit(RLIMIT_CORE, &rl) != 0)
		return false;
	if (limits->fds > 0) {
		if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
			return false;
		if (rl.rlim_max > limits->fds || rl.rlim_max == RLIM_INFINITY)
			rl.rlim_max = limits->fds;
		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &rl) != 0)
			return false;
	}
#ifndef MANSIO_SANITIZERS	/* their shadow memory would be counted */
	if (limits->memory_bytes > 0) {
		rl.rlim_cur = rl.rlim_max = limits->memory_bytes;
		if (setrlimit(RLIMIT_DATA, &rl) != 0)
			return false;
	}
#endif
	return true;
}
