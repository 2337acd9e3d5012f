/* ctl/cmd_store.c
 * The shards' folders, without a running server. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/conf/settings.h"
#include "common/worker/control_proto.h"
#include "ctl/ctl.h"

/* What stored says goes where we write to; its exit code is ours. */
static int
run_stored(const char *program, const char *engine, const char *dir)
{
	pid_t pid = fork();
	int how = 0;

	if (pid == 0) {
		execl(program, "stored", "--convert", engine, dir, (char *)NULL);
		fprintf(stderr, "mansioctl: %s: %s\n", program, strerror(errno));
		_exit(CTL_FAILED);
	}
	if (pid < 0)
		return ctl_error("no process can be started: %s", strerror(errno));
	while (waitpid(pid, &how, 0) < 0)
		if (errno != EINTR)
			return ctl_error("%s", strerror(errno));
	return WIFEXITED(how) && WEXITSTATUS(how) == 0 ? CTL_OK : CTL_FAILED;
}

static int
convert_all(const struct mansio_conf *conf, const char *libexec, const char *engine)
{
	struct buf program = { 0 }, dir = { 0 };
	int rc = CTL_OK;

	buf_addf(&program, "%s/stored", libexec);
	for (uint32_t i = 0; i <= conf->store.shards && rc == CTL_OK; i++) {
		buf_clear(&dir);
		conf_shard_path(conf, i < conf->store.shards ? i : CONTROL_SHARD_SYSTEM, &dir);
		rc = run_stored(buf_cstr(&program), engine, buf_cstr(&dir));
	}
	buf_fini(&program);
	buf_fini(&dir);
	return rc;
}

static int
store_convert(struct ctl *ctl, int argc, char **argv)
{
	const char *libexec = MANSIO_LIBEXECDIR, *engine;
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *conf;
	int rc;

	if (argc == 3 && strcmp(argv[0], "--libexec") == 0) {
		libexec = argv[1];
		argv += 2;
		argc -= 2;
	}
	if (argc != 1 || (strcmp(argv[0], "berkeley-db") != 0 && strcmp(argv[0], "lmdb") != 0))
		return ctl_usage("berkeley-db or lmdb?");
	engine = argv[0];
	if (!conf_load(ctl->config, &conf, &err)) {
		fwrite(err.text.data, 1, err.text.len, stderr);
		conf_errors_fini(&err);
		return CTL_FAILED;
	}
	rc = convert_all(conf, libexec, engine);
	if (rc == CTL_OK && strcmp(engine, conf->store.engine == 0 ? "berkeley-db" : "lmdb") != 0)
		printf("now set store { engine = %s } before the server is started\n", engine);
	else if (rc != CTL_OK)
		ctl_error("not all shards were converted; run it again: those that were stay so");
	conf_free(&conf);
	return rc;
}

const struct ctl_command ctl_cmds_store[] = {
	{ "store convert", "[--libexec DIR] berkeley-db|lmdb",
	    "gives the database of each shard to another engine, while the server is stopped",
	    store_convert },
	{ .name = NULL }
};
