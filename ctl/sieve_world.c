/* The world of a script that is only tried: mailboxes that are told, files in place of the store's
 * scripts, nothing seen and nobody answered before. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/util/fd.h"
#include "common/util/mem.h"
#include "common/worker/rules.h"
#include "ctl/ctl.h"
#include "ctl/sieve_priv.h"

#define FOLDER_MAX	1000u		/* scripts of a folder */

static struct sieve_world_file *
add(struct sieve_world_files *f, struct span name)
{
	struct sieve_world_file *file;

	if (f->n == f->room) {
		f->room = f->room > 0 ? 2 * f->room : 8;
		f->v = mem_realloc_array(f->v, f->room, sizeof(*f->v));
	}
	file = &f->v[f->n++];
	*file = (struct sieve_world_file){ .name = span_dup(name) };
	return file;
}

static void
files_fini(struct sieve_world_files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		mem_free(&f->v[i].name);
		mem_free(&f->v[i].text);
		sieve_script_free(&f->v[i].script);
		sieve_problems_fini(&f->v[i].problems);
	}
	mem_free(&f->v);
}

static void
read_one(struct sieve_world *w, const char *folder, const char *name)
{
	struct span stem = span_str(name);
	struct sieve_world_file *file;
	struct buf path = { 0 };
	char *text = NULL;
	size_t len;

	if (stem.len <= 6 || memcmp(name + stem.len - 6, ".sieve", 6) != 0)
		return;
	buf_addf(&path, "%s/%s", folder, name);
	if (fd_slurp_path(buf_cstr(&path), RULES_SCRIPT_MAX, &text, &len)) {
		file = add(&w->personal, span_sub(stem, 0, stem.len - 6));
		file->text = text;
		file->len = len;
	} else {
		ctl_error("%s: %s", buf_cstr(&path), strerror(errno));
	}
	buf_fini(&path);
}

bool
sieve_world_folder(struct sieve_world *w, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	if (dir == NULL) {
		ctl_error("%s: %s", folder, strerror(errno));
		return false;
	}
	while (w->personal.n < FOLDER_MAX && (e = readdir(dir)) != NULL)
		read_one(w, folder, e->d_name);
	closedir(dir);
	return true;
}

void
sieve_world_conf(struct sieve_world *w, const struct mansio_conf *conf)
{
	struct conf_errors err = { .count = 0 };
	struct sieve_world_file *file;
	struct buf blob = { 0 };
	struct rule_file f;
	struct reader r;

	rules_read(conf, &blob, &err);
	reader_init(&r, blob.data, blob.len);
	while (rule_file_get(&r, &f)) {
		if (f.kind != RULE_GLOBAL && f.kind != RULE_LIST)
			continue;
		file = add(f.kind == RULE_GLOBAL ? &w->global : &w->lists, f.name);
		file->text = span_dup(f.text);
		file->len = f.text.len;
	}
	conf_errors_fini(&err);
	buf_fini(&blob);
}

void
sieve_world_fini(struct sieve_world *w)
{
	files_fini(&w->personal);
	files_fini(&w->global);
	files_fini(&w->lists);
}

/* ---- answers ---- */

static struct sieve_world_file *
find(struct sieve_world_files *f, struct span name)
{
	for (size_t i = 0; i < f->n; i++)
		if (span_eq_str(name, f->v[i].name))
			return &f->v[i];
	return NULL;
}

static bool
is_mailbox(const struct sieve_world *w, struct span name)
{
	struct span rest = span_str(w->mailboxes);

	if (w->mailboxes == NULL || span_caseeq_str(name, "INBOX"))
		return true;
	while (rest.len > 0)
		if (span_eq(span_trim(span_cut(&rest, ',')), name))
			return true;
	return false;
}

/* Lines, blanks around them and what stands behind # left out. */
static bool
is_member(const struct sieve_world_file *list, struct span value)
{
	struct span rest = span(list->text, list->len);

	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');

		line = span_trim(span_cut(&line, '#'));
		if (line.len > 0 && span_caseeq(line, value))
			return true;
	}
	return false;
}

static void
give_script(struct sieve_world *w, struct sieve_world_file *f, struct sieve_reply *reply)
{
	struct sieve_options o = *w->options;

	if (f == NULL)
		return;
	o.name = f->name;
	if (f->script == NULL && f->problems.n == 0)
		f->script = sieve_compile(span(f->text, f->len), &o, &f->problems);
	reply->yes = true;
	reply->script = f->script;
	if (f->script == NULL)
		reply->text = span_str(f->problems.v[0].text);
}

enum sieve_answer
sieve_world_ask(void *arg, const struct sieve_question *q, struct sieve_reply *reply)
{
	struct sieve_world *w = arg;
	struct sieve_world_file *list;

	switch (q->ask) {
	case SIEVE_ASK_MAILBOX:
		reply->yes = is_mailbox(w, q->name);
		reply->text = q->name;
		break;
	case SIEVE_ASK_LIST:
		reply->yes = find(&w->lists, q->name) != NULL;
		break;
	case SIEVE_ASK_MEMBER:
		list = find(&w->lists, q->in);
		reply->yes = list != NULL && is_member(list, q->name);
		break;
	case SIEVE_ASK_PERSONAL_SCRIPT:
		give_script(w, find(&w->personal, q->name), reply);
		break;
	case SIEVE_ASK_GLOBAL_SCRIPT:
		give_script(w, find(&w->global, q->name), reply);
		break;
	default:		/* nothing is known of it here */
		break;
	}
	return SIEVE_KNOWN;
}
