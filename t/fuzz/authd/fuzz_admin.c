/* Commands and arguments as admind may send them, against authd whole with a directory in
 * memory: "command\nJSON". */
#include <stdint.h>
#include <string.h>

#include "authd/admin.h"
#include "authd/authd.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "fake_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct loop *loop;
static struct fake_store store;
static struct authd *a;

static void
make(void)
{
	struct mansio_conf *c = conf_new_default();

	log_set_level(LOG_LEVEL_FATAL);
	loop = loop_new();
	c->auth.hash_memory_bytes = 64 << 10;
	c->auth.hash_passes = 1;
	c->auth.scram_iterations = 4096;
	c->auth.workers = 1;
	a = authd_new(loop, c, 1, false, NULL);
	store.loop = loop;
	directory_set(a->dir, fake_store_connect(&store));
}

static bool
full(void)
{
	return store.n > FAKE_RECORDS - 8;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span args = span(data, len), command;
	struct ipc_head head = { .req = 1, .fd = -1 };

	if (a == NULL)
		make();
	if (full()) {
		fake_store_fini(&store);
		directory_set(a->dir, fake_store_connect(&store));
	}
	command = span_cut(&args, '\n');
	admin_run(a, 0, &head, command, args);
	for (int i = 0; i < 12; i++)
		loop_once(loop, false);
	return 0;
}
