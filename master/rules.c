#include "master/rules.h"

#include <errno.h>
#include <string.h>

#include "common/util/fd.h"
#include "common/worker/rules.h"
#include "filter/globals.h"

int
rules_seal(const struct mansio_conf *conf, struct conf_errors *err)
{
	struct buf blob = { 0 };
	int fd = -1;

	if (rules_read(conf, &blob, err) && filter_globals_good(buf_span(&blob), conf, err)) {
		fd = fd_sealed("rules", blob.data, blob.len);
		if (fd < 0)
			conf_error(err, "sieve", 0, "no memory file: %s", strerror(errno));
	}
	buf_fini(&blob);
	return fd;
}
