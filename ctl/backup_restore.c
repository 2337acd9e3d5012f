/* Out of a backup: a shard's folder put together again, proved, or made the server's. */
#include "ctl/backup.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/conf/settings.h"
#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "ctl/client.h"
#include "ctl/export.h"

#define PIECE		(256u << 10)
#define START_TRIES	600u		/* tenths of a second until a server of ours answers */
#define INCARNATE	"incarnate"

/* Files ------------------------------------------------------------------------------ */

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

void
backup_remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void
backup_program(const char *beside, const char *configured, struct buf *out)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		buf_addf(out, "%.*s/%s", slash != NULL ? (int)(slash - self) : 0, self, beside);
		if (access(buf_cstr(out), X_OK) == 0)
			return;
		buf_clear(out);
	}
	buf_add_str(out, configured);
}

/* The bytes that count, into `to` (-1: only hashed); false: said what is wrong. */
static bool
take_file(int dir, const char *from_name, const struct json *file, int to)
{
	static char some[PIECE];
	unsigned char sum[SHA256_LEN];
	struct digest *d = digest_new(DIGEST_SHA256);
	struct buf hex = { 0 };
	struct span want = SPAN_NONE;
	uint64_t bytes = 0, at = 0;
	int fd = openat(dir, from_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 && json_get_uint(file, "bytes", &bytes) &&
	    json_get_string(file, "sha256", &want);
	ssize_t n = 1;

	while (ok && at < bytes && n > 0) {
		n = read(fd, some, bytes - at < PIECE ? (size_t)(bytes - at) : PIECE);
		if (n > 0) {
			digest_add(d, some, (size_t)n);
			at += (uint64_t)n;
			ok = to < 0 || fd_write_full(to, some, (size_t)n);
		}
	}
	if (!ok || n < 0) {
		ctl_error("%s: %s", from_name, strerror(errno));
		ok = false;
	} else {
		digest_done(d, sum);
		hex_encode(span(sum, sizeof(sum)), &hex);
		ok = at == bytes && span_eq(want, buf_span(&hex));
		if (!ok)
			ctl_error("%s is damaged: %s", from_name, at == bytes ?
			    "its SHA-256 differs" : "it is too short");
	}
	fd_close(&fd);
	digest_free(&d);
	buf_fini(&hex);
	return ok;
}

/* Names in a manifest are ours: no folder in them. */
static bool
plain_name(struct span s, char out[64])
{
	if (s.len == 0 || s.len >= 64 || s.p[0] == '.' || span_find(s, '/') < s.len ||
	    span_find(s, '\0') < s.len)
		return false;
	memcpy(out, s.p, s.len);
	out[s.len] = '\0';
	return true;
}

static int
create_in(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		ctl_error("%s: %s", name, strerror(errno));
	return fd;
}

static bool
put_segment(int from, const struct json *file, int to_dir)
{
	char name[64], number[32];
	struct span s = SPAN_NONE;
	uint64_t segment, size;
	int to = -1;
	bool ok = json_get_string(file, "file", &s) && plain_name(s, name) &&
	    json_get_uint(file, "segment", &segment) && json_get_uint(file, "size", &size) &&
	    segment <= UINT32_MAX && size <= UINT32_MAX;

	if (!ok) {
		ctl_error("the manifest names a segment that cannot be");
		return false;
	}
	snprintf(number, sizeof(number), "%010u.seg", (unsigned)segment);
	if (to_dir >= 0 && (to = create_in(to_dir, number)) < 0)
		return false;
	ok = take_file(from, name, file, to);
	if (ok && to >= 0 && (ftruncate(to, (off_t)size) != 0 || fsync(to) != 0))
		ok = ctl_error("%s: %s", number, strerror(errno)) == CTL_OK;
	fd_close(&to);
	return ok;
}

static bool
put_copy(int from, const struct json *files, int to_dir)
{
	bool ok = true;

	for (size_t i = 0; i < json_count(files); i++) {
		const struct json *file = json_item(files, i);
		char name[64];
		struct span s = SPAN_NONE;
		int to = -1;

		if (!json_get_string(file, "file", &s) || !plain_name(s, name)) {
			ctl_error("the manifest names a file that cannot be");
			return false;
		}
		if (to_dir >= 0 && (to = create_in(to_dir, name)) < 0)
			return false;
		ok = take_file(from, name, file, to) && ok;
		if (to >= 0 && fsync(to) != 0)
			ok = ctl_error("%s: %s", name, strerror(errno)) == CTL_OK;
		fd_close(&to);
	}
	return ok;
}

/* A folder below another, with those between; -1. */
static int
make_path(int dir, const char *path)
{
	int at = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct span rest = span_str(path);

	while (rest.len > 0 && at >= 0) {
		char *part = span_dup(span_cut(&rest, '/'));
		int next = -1;

		if (mkdirat(at, part, 0700) == 0 || errno == EEXIST)
			next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			ctl_error("%s: %s", part, strerror(errno));
		fd_close(&at);
		at = next;
		mem_free(&part);
	}
	return at;
}

/* to NULL: everything is only hashed. */
bool
backup_put_shard(int dir, const struct json *shard, const char *to, const char *copy_as)
{
	char copy[64], name[64], full[128];
	struct span s = SPAN_NONE;
	int from = -1, from_copy = -1, top = -1, journal = -1, db = -1;
	const struct json *segments = json_member(shard, "segments");
	bool ok = json_get_string(shard, "shard", &s) && plain_name(s, name) &&
	    json_get_string(shard, "copy", &s) && plain_name(s, copy);

	if (!ok) {
		ctl_error("the manifest has a shard that cannot be");
		return false;
	}
	snprintf(full, sizeof(full), "shard-%s", name);
	from = openat(dir, full, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	from_copy = from >= 0 ? openat(from, copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC) : -1;
	if (from_copy < 0)
		ok = ctl_error("%s/%s: %s", full, copy, strerror(errno)) == CTL_OK;
	if (ok && to != NULL) {
		if (mkdir(to, 0700) != 0 ||
		    (top = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			ok = ctl_error("%s: %s", to, strerror(errno)) == CTL_OK;
		ok = ok && (journal = make_path(top, "journal")) >= 0 &&
		    (db = make_path(top, copy_as)) >= 0;
	}
	if (ok)
		ok = put_copy(from_copy, json_member(shard, "files"), db);
	for (size_t i = 0; i < json_count(segments) && (ok || to == NULL); i++)
		ok = put_segment(from, json_item(segments, i), journal) && ok;
	fd_close(&from);
	fd_close(&from_copy);
	fd_close(&top);
	fd_close(&journal);
	fd_close(&db);
	return ok;
}

static const struct json *
shard_at(const struct backup *b, size_t i, char name[64])
{
	const struct json *shard = json_item(json_member(json_root(b->doc), "shards"), i);
	struct span s = SPAN_NONE;

	(void)json_get_string(shard, "shard", &s);
	return plain_name(s, name) ? shard : NULL;
}

static size_t
shard_count(const struct backup *b)
{
	return json_count(json_member(json_root(b->doc), "shards"));
}

/* A folder of our own in scratch, TMPDIR or /var/tmp.  false: said why. */
static bool
make_scratch(const char *scratch, struct buf *path)
{
	const char *top = scratch != NULL ? scratch : getenv("TMPDIR");

	buf_addf(path, "%s/mansio-backup.XXXXXX", top != NULL ? top : "/var/tmp");
	buf_cstr(path);
	if (mkdtemp(path->data) != NULL)
		return true;
	ctl_error("%s: %s", path->data, strerror(errno));
	buf_clear(path);
	return false;
}

/* Proof ----------------------------------------------------------------------------------- */

/* Runs a program to its end; its exit code.  quiet: what it prints is not wanted. */
static int
run_program(char *const argv[], bool quiet)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (quiet)
			(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool
prove_shard(const struct ctl *ctl, const char *path, const char *name)
{
	struct buf program = { 0 };
	char fsck[] = "--fsck", copy[] = "--copy", place[] = "--in-place";
	char *argv[] = { NULL, fsck, span_dup(span_str(path)), copy, place, NULL };
	int rc;

	backup_program("../libexec/mansio/stored", MANSIO_LIBEXECDIR "/stored", &program);
	argv[0] = span_dup(buf_span(&program));
	rc = run_program(argv, ctl->json);
	if (rc != 0)
		ctl_error("shard %s is not whole when it is put together", name);
	mem_free(&argv[0]);
	mem_free(&argv[2]);
	buf_fini(&program);
	return rc == 0;
}

int
backup_verify(struct ctl *ctl, const struct restore_opts *o)
{
	struct backup b = { 0 };
	struct buf scratch = { 0 };
	int dir = backup_open_dir(o->dir, false, false), rc = CTL_FAILED;
	bool ok = true;

	if (dir >= 0)
		rc = backup_load(dir, o->number, false, &b);
	if (rc == CTL_OK && !make_scratch(o->scratch, &scratch))
		rc = CTL_FAILED;
	for (size_t i = 0; rc == CTL_OK && i < shard_count(&b); i++) {
		struct buf path = { 0 };
		char name[64];
		const struct json *shard = shard_at(&b, i, name);

		buf_addf(&path, "%s/shard-%zu", buf_cstr(&scratch), i);
		/* first all files, so that each damage is named */
		if (shard == NULL || !backup_put_shard(dir, shard, NULL, NULL) ||
		    !backup_put_shard(dir, shard, buf_cstr(&path), "db") ||
		    !prove_shard(ctl, buf_cstr(&path), name))
			ok = false;
		backup_remove_tree(buf_cstr(&path));
		buf_fini(&path);
	}
	if (scratch.len > 0)
		backup_remove_tree(buf_cstr(&scratch));
	if (rc == CTL_OK && ok && !ctl->json)
		printf("backup %u is whole\n", b.number);
	else if (rc == CTL_OK && ok)
		printf("{\"backup\":%u,\"whole\":true}\n", b.number);
	else if (rc == CTL_OK)
		rc = ctl_error("backup %u is not whole", b.number);
	backup_fini(&b);
	buf_fini(&scratch);
	fd_close(&dir);
	return rc;
}

/* The whole server ------------------------------------------------------------------------- */

static uid_t owner_uid;
static gid_t owner_gid;

static int
own_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return lchown(path, owner_uid, owner_gid);
}

/* As root: to the store's user, so that it can open what it finds. */
static bool
give_away(const char *path, const char *user)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(user) : NULL;

	if (pw == NULL)
		return true;
	owner_uid = pw->pw_uid;
	owner_gid = pw->pw_gid;
	/* what lies in a folder before the folder: nobody else can change it under us */
	return nftw(path, own_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ||
	    ctl_error("%s: %s", path, strerror(errno)) == CTL_OK;
}

static struct mansio_conf *
load_conf(const struct ctl *ctl)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *conf = NULL;

	if (!conf_load(ctl->config, &conf, &err))
		conf = conf_new_default();
	conf_errors_fini(&err);
	return conf;
}

/* Shards side by side under `to`, with names that no server opens until all are whole. */
static bool
put_all(int dir, const struct backup *b, const char *to, const char *user, bool incarnate)
{
	bool ok = true;

	for (size_t i = 0; ok && i < shard_count(b); i++) {
		struct buf path = { 0 };
		char name[64];
		const struct json *shard = shard_at(b, i, name);
		int top = -1, fd = -1;

		buf_addf(&path, "%s/shard-%s.restoring", to, name);
		ok = shard != NULL && backup_put_shard(dir, shard, buf_cstr(&path), "copies/1");
		if (ok && incarnate) {
			top = open(buf_cstr(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			fd = top >= 0 ? create_in(top, INCARNATE) : -1;
			ok = fd >= 0 && fsync(fd) == 0 && fsync(top) == 0;
		}
		fd_close(&fd);
		fd_close(&top);
		ok = ok && give_away(buf_cstr(&path), user);
		buf_fini(&path);
	}
	for (size_t i = 0; ok && i < shard_count(b); i++) {
		struct buf from = { 0 }, into = { 0 };
		char name[64];

		(void)shard_at(b, i, name);
		buf_addf(&from, "%s/shard-%s.restoring", to, name);
		buf_addf(&into, "%s/shard-%s", to, name);
		if (rename(buf_cstr(&from), buf_cstr(&into)) != 0)
			ok = ctl_error("%s: %s", buf_cstr(&into), strerror(errno)) == CTL_OK;
		buf_fini(&from);
		buf_fini(&into);
	}
	return ok;
}

/* Nothing of a shard may be there. */
static bool
nothing_there(const struct backup *b, const char *to)
{
	for (size_t i = 0; i < shard_count(b); i++) {
		struct buf path = { 0 };
		char name[64];
		bool there;

		if (shard_at(b, i, name) == NULL)
			return false;
		buf_addf(&path, "%s/shard-%s", to, name);
		there = access(buf_cstr(&path), F_OK) == 0 && rmdir(buf_cstr(&path)) != 0;
		if (there)
			ctl_error("%s is there: stop the server and set it aside", buf_cstr(&path));
		buf_fini(&path);
		if (there)
			return false;
	}
	return true;
}

int
backup_restore(struct ctl *ctl, const struct restore_opts *o)
{
	struct mansio_conf *conf = load_conf(ctl);
	const char *to = o->to != NULL ? o->to : conf->global.state_dir;
	struct backup b = { 0 };
	int dir = backup_open_dir(o->dir, false, false), rc = CTL_FAILED;

	if (dir >= 0)
		rc = backup_load(dir, o->number, false, &b);
	if (rc == CTL_OK && mkdir(to, 0755) != 0 && errno != EEXIST)
		rc = ctl_error("%s: %s", to, strerror(errno));
	if (rc == CTL_OK && (!nothing_there(&b, to) ||
	    !put_all(dir, &b, to, conf->users.store, true)))
		rc = CTL_FAILED;
	if (rc == CTL_OK)
		printf("backup %u is in %s; the server may start: mailboxes get a new UIDVALIDITY\n",
		    b.number, to);
	backup_fini(&b);
	conf_free(&conf);
	fd_close(&dir);
	return rc;
}

/* One account --------------------------------------------------------------------------------- */

/* A server that serves nobody but us. */
static bool
write_conf(const char *scratch, const struct mansio_conf *conf, unsigned shards)
{
	struct buf text = { 0 }, path = { 0 };
	const struct conf_users *u = &conf->users;
	int fd;
	bool ok;

	buf_addf(&text, "state-dir = \"%s/data\"\nrun-dir = \"%s/run\"\n"
	    "log { target = stderr  level = error }\nstore { shards = %u }\n"
	    "admin { socket = \"%s/admin.sock\" }\n", scratch, scratch, shards, scratch);
	buf_addf(&text, "users { worker = \"%s\"  store = \"%s\"  auth = \"%s\"  admin = \"%s\" }\n",
	    u->worker, u->store, u->auth, u->admin);
	buf_addf(&path, "%s/mansio.conf", scratch);
	fd = open(buf_cstr(&path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ok = fd >= 0 && fd_write_full(fd, text.data, text.len);
	if (!ok)
		ctl_error("%s: %s", buf_cstr(&path), strerror(errno));
	fd_close(&fd);
	buf_fini(&text);
	buf_fini(&path);
	return ok;
}

static pid_t
start_server(const char *scratch)
{
	struct buf program = { 0 }, libexec = { 0 }, conf = { 0 };
	pid_t pid;

	backup_program("../sbin/mansiod", MANSIO_LIBEXECDIR "/../../sbin/mansiod", &program);
	backup_program("../libexec/mansio", MANSIO_LIBEXECDIR, &libexec);
	buf_addf(&conf, "%s/mansio.conf", scratch);
	buf_cstr(&program);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		execl(program.data, "mansiod", "--foreground", "--config", buf_cstr(&conf),
		    "--libexec", buf_cstr(&libexec), (char *)NULL);
		_exit(127);
	}
	if (pid < 0)
		ctl_error("%s: %s", program.data, strerror(errno));
	buf_fini(&program);
	buf_fini(&libexec);
	buf_fini(&conf);
	return pid;
}

/* It serves when its socket answers for the account.  false: it ended, or does not come up. */
static bool
wait_server(pid_t pid, struct ctl *ctl)
{
	const struct timespec t = { 0, 100 * 1000000 };

	for (unsigned i = 0; i < START_TRIES; i++) {
		if (waitpid(pid, NULL, WNOHANG) != 0) {
			ctl_error("the server for the backup did not start");
			return false;
		}
		if (access(ctl->socket, F_OK) == 0)
			return true;
		nanosleep(&t, NULL);
	}
	ctl_error("the server for the backup does not come up");
	return false;
}

static int
export_there(const struct ctl *ctl, const char *scratch, const struct restore_opts *o,
    pid_t *pid, const char *archive)
{
	struct buf socket = { 0 }, conf = { 0 };
	struct ctl there = { .json = false };
	const struct export_opts e = { .address = o->account, .path = archive,
		.mailbox = o->mailbox, .format = FORMAT_ARCHIVE };
	int rc = CTL_FAILED;

	buf_addf(&socket, "%s/admin.sock", scratch);
	buf_addf(&conf, "%s/mansio.conf", scratch);
	there.socket = buf_cstr(&socket);
	there.config = buf_cstr(&conf);
	*pid = start_server(scratch);
	if (*pid > 0 && wait_server(*pid, &there))
		rc = export_run(&there, &e);
	else if (*pid > 0 && kill(*pid, 0) != 0)
		*pid = -1;
	buf_fini(&socket);
	buf_fini(&conf);
	return rc;
}

static void
stop_server(pid_t pid)
{
	if (pid <= 0)
		return;
	(void)kill(pid, SIGTERM);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static unsigned
mail_shards(const struct backup *b)
{
	unsigned n = 0;
	char name[64];

	for (size_t i = 0; i < shard_count(b); i++)
		n += shard_at(b, i, name) != NULL && strcmp(name, "system") != 0;
	return n;
}

int
backup_restore_account(struct ctl *ctl, const struct restore_opts *o)
{
	struct mansio_conf *conf = load_conf(ctl);
	struct backup b = { 0 };
	struct buf scratch = { 0 }, data = { 0 }, archive = { 0 };
	struct import_opts im = { .format = FORMAT_ARCHIVE, .keep_ids = true };
	int dir = backup_open_dir(o->dir, false, false), rc = CTL_FAILED;
	pid_t pid = -1;

	if (dir >= 0)
		rc = backup_load(dir, o->number, false, &b);
	if (rc == CTL_OK && !make_scratch(o->scratch, &scratch))
		rc = CTL_FAILED;
	buf_addf(&data, "%s/data", buf_cstr(&scratch));
	buf_addf(&archive, "%s/account", buf_cstr(&scratch));
	if (rc == CTL_OK && (chmod(buf_cstr(&scratch), 0711) != 0 ||
	    mkdir(buf_cstr(&data), 0711) != 0 ||
	    !put_all(dir, &b, buf_cstr(&data), conf->users.store, false) ||
	    !write_conf(buf_cstr(&scratch), conf, mail_shards(&b))))
		rc = CTL_FAILED;
	if (rc == CTL_OK)
		rc = export_there(ctl, buf_cstr(&scratch), o, &pid, buf_cstr(&archive));
	stop_server(pid);
	if (rc == CTL_OK) {
		im.address = o->to != NULL ? o->to : o->account;
		im.path = buf_cstr(&archive);
		rc = import_run(ctl, &im);
	}
	if (scratch.len > 0)
		backup_remove_tree(buf_cstr(&scratch));
	backup_fini(&b);
	conf_free(&conf);
	buf_fini(&scratch);
	buf_fini(&data);
	buf_fini(&archive);
	fd_close(&dir);
	return rc;
}
