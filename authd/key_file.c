#include "authd/key_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define LOOK_MS 1000

struct key_file {
	struct jwk_set	*set;		/* NULL: none that can be used */
	char		*path;
	uint64_t	looked_ms;
	struct stat	st;
	bool		looked;
};

void
key_file_free(struct key_file **fp)
{
	struct key_file *f = *fp;

	if (f == NULL)
		return;
	jwk_set_free(&f->set);
	mem_free(&f->path);
	mem_free(fp);
}

/* A file that went bad leaves the keys in force, and a line in the log. */
static void
load(struct key_file *f)
{
	struct jwk_set *fresh = NULL;
	enum status st;
	char *text;
	size_t len;

	if (!fd_slurp_path(f->path, JWKS_MAX, &text, &len)) {
		LOG(NULL, ERROR, "auth.jwks-file", KV_STR("file", f->path), KV_ERRNO(errno));
		return;
	}
	st = jwk_set_parse(span(text, len), &fresh);
	free(text);
	if (st != ST_OK) {
		LOG(NULL, ERROR, "auth.jwks-file", KV_STR("file", f->path),
		    KV_STR("error", st == ST_SYNTAX ? "not a JSON Web Key set" : "no usable key"));
		return;
	}
	jwk_set_free(&f->set);
	f->set = fresh;
	LOG(NULL, INFO, "auth.jwks-file.read", KV_STR("file", f->path),
	    KV_UINT("keys", jwk_set_count(fresh)));
}

struct key_file *
key_file_new(const char *path)
{
	struct key_file *f = mem_zalloc(sizeof(*f));

	f->path = mem_strdup(path);
	return f;
}

const struct jwk_set *
key_file_keys(struct key_file *f)
{
	uint64_t now = clock_mono_ms();
	struct stat st = { 0 };

	if (f->looked && now - f->looked_ms < LOOK_MS)
		return f->set;
	f->looked_ms = now;
	if (stat(f->path, &st) == 0 && f->looked && st.st_ino == f->st.st_ino &&
	    st.st_dev == f->st.st_dev && st.st_size == f->st.st_size &&
	    st.st_mtim.tv_sec == f->st.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == f->st.st_mtim.tv_nsec)
		return f->set;
	f->looked = true;
	f->st = st;
	load(f);
	return f->set;
}
