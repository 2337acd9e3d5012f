#include "authd/passwd_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "authd/scheme.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "storage/api/directory.h"

#define FILE_MAX	(64u << 20)
#define LOOK_MS		1000

struct passwd_file {
	char		*path;
	char		*text;		/* the hashes point into it */
	size_t		len;
	struct table	users;		/* folded name -> struct span * (hash) */
	struct span	any;
	uint64_t	looked_ms;
	bool		looked, failed;
	struct stat	st;
};

enum passwd_result
passwd_line_parse(struct span line, struct passwd_line *out)
{
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (span_trim(line).len == 0 || line.p[0] == '#')
		return PASSWD_NOTHING;
	if (span_find(line, ':') == line.len || span_find(line, '\0') < line.len)
		return PASSWD_BAD;
	out->user = span_cut(&line, ':');
	out->hash = span_cut(&line, ':');
	if (out->user.len == 0 || out->user.len > DIR_ADDRESS_MAX || out->hash.len > HASH_MAX)
		return PASSWD_BAD;
	/* "*", "!" and nothing: nobody logs in by this line; it is no {PLAIN} either */
	if (out->hash.len == 0 || out->hash.p[0] == '*' || out->hash.p[0] == '!')
		return PASSWD_NOTHING;
	return scheme_known(out->hash) ? PASSWD_LINE : PASSWD_BAD;
}

static void
free_span(void *value, void *arg)
{
	mem_free(&value);
}

static void
forget(struct passwd_file *f)
{
	table_fini(&f->users, free_span, NULL);
	if (f->text != NULL)
		mem_wipe(f->text, f->len);
	free(f->text);
	f->text = NULL;
	f->len = 0;
	f->any = SPAN_NONE;
}

struct passwd_file *
passwd_file_new(const char *path)
{
	struct passwd_file *f = mem_zalloc(sizeof(*f));

	f->path = mem_strdup(path);
	return f;
}

void
passwd_file_free(struct passwd_file **fp)
{
	struct passwd_file *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	forget(f);
	mem_free(&f->path);
	mem_free(&f);
}

static void
add_line(struct passwd_file *f, struct span line, unsigned number)
{
	struct passwd_line pl;
	struct buf folded = { 0 };
	struct span *hash;

	switch (passwd_line_parse(line, &pl)) {
	case PASSWD_NOTHING:
		return;
	case PASSWD_LINE:
		if (dir_fold_address(pl.user, &folded))
			break;
		/* fall through */
	default:
		buf_fini(&folded);
		LOG(NULL, WARN, "auth.passwd-file.line", KV_STR("file", f->path),
		    KV_UINT("line", number));
		return;
	}
	hash = mem_dup(&pl.hash, sizeof(pl.hash));
	hash = table_put(&f->users, buf_span(&folded), hash);
	mem_free(&hash);	/* of an earlier line of the same name: the last one counts */
	if (f->any.len == 0)
		f->any = pl.hash;
	buf_fini(&folded);
}

static bool
load(struct passwd_file *f)
{
	struct span rest;
	char *text;
	size_t len;

	if (!fd_slurp_path(f->path, FILE_MAX, &text, &len)) {
		if (!f->failed)
			LOG(NULL, ERROR, "auth.passwd-file", KV_STR("file", f->path), KV_ERRNO(errno));
		f->failed = true;
		return false;
	}
	f->failed = false;
	forget(f);
	f->text = text;
	f->len = len;
	rest = span(text, len);
	for (unsigned n = 1; rest.len > 0; n++)
		add_line(f, span_cut(&rest, '\n'), n);
	LOG(NULL, INFO, "auth.passwd-file.read", KV_STR("file", f->path),
	    KV_UINT("users", f->users.count));
	return true;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool
passwd_file_refresh(struct passwd_file *f, uint64_t now_ms)
{
	struct stat st = { 0 };

	if (f->looked && now_ms - f->looked_ms < LOOK_MS)
		return false;
	if (stat(f->path, &st) == 0 && f->looked && !f->failed && same_file(&st, &f->st)) {
		f->looked_ms = now_ms;
		return false;
	}
	f->looked = true;
	f->looked_ms = now_ms;
	f->st = st;
	return load(f);
}

bool
passwd_file_find(const struct passwd_file *f, struct span user, struct span *hash)
{
	const struct span *s = table_get(&f->users, user);

	if (s != NULL)
		*hash = *s;
	return s != NULL;
}

bool
passwd_file_any(const struct passwd_file *f, struct span *hash)
{
	*hash = f->any;
	return f->any.len > 0;
}
