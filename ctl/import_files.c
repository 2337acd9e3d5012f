/* mansioctl import: finds the files, gives their bytes to the helper and what that makes of them
 * to the store.  A Maildir may be a user's own: nothing but plain files is read, and no link is
 * followed. */
#include "ctl/export.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf/settings.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "ctl/helper.h"
#include "ctl/import_store.h"
#include "ctl/mail.h"
#include "ctl/output.h"

#define LIST_FILE_MAX	(256u << 20)	/* dovecot-uidlist */
#define PIECE		(64u << 10)

struct entry {
	uint32_t	uid;		/* 0: not known */
	char		*name;		/* "cur/..." */
	char		*uidl;		/* NULL: none */
};

struct import {
	struct ctl		*ctl;
	const struct import_opts *o;
	struct ctl_mail		*mail;
	struct helper		*helper;
	struct import_store	*store;
	struct ctl_progress	progress;
	uint64_t		read, total;	/* bytes */
	bool			failed, good;	/* good: the helper's word */
	const char		*from;		/* what is being read */
	struct transfer_message	m, told;
	struct transfer_folder	folder;
	struct maildir_keywords	keywords;
	struct entry		*list;
	size_t			n, room;
	int			cur, new;	/* of the folder at hand */
};

void
transfer_user(const struct ctl *ctl, struct buf *out)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *conf = NULL;

	if (!conf_load(ctl->config, &conf, &err))
		conf = conf_new_default();
	buf_add_str(out, conf->users.worker);
	conf_free(&conf);
	conf_errors_fini(&err);
}

/* From the helper ----------------------------------------------------------------- */

static void
on_message(struct import *x, struct span data)
{
	struct store_append_item it;
	struct reader r;

	reader_init(&r, data.p, data.len);
	if (!get_transfer_message(&r, &x->told) || !get_store_append_item(&r, &it))
		import_drop(x->store, x->from, "the helper's answer is not understood");
	else
		import_message(x->store, x->o->format == FORMAT_MAILDIR ? &x->m : &x->told, &it,
		    x->from);
}

static void
on_helper(void *arg, enum helper_kind kind, struct span data)
{
	struct import *x = arg;
	struct reader r;
	char why[256];

	reader_init(&r, data.p, data.len);
	switch (kind) {
	case HELPER_FOLDER:
		if (get_transfer_folder(&r, &x->folder))
			import_folder(x->store, &x->folder);
		break;
	case HELPER_BEGIN:
		import_begin(x->store);
		break;
	case HELPER_STORED:
		import_stored(x->store, data);
		break;
	case HELPER_MESSAGE:
		on_message(x, data);
		break;
	case HELPER_DROP:
		snprintf(why, sizeof(why), "%.*s", (int)data.len, data.p);
		import_drop(x->store, x->from, why);
		break;
	case HELPER_DONE:
		x->good = data.len == 1 && data.p[0] != 0;
		break;
	default:
		break;
	}
}

/* Files ---------------------------------------------------------------------------- */

static int
fail(struct import *x, const char *what)
{
	ctl_error("%s: %s", what, strerror(errno));
	x->failed = true;
	return -1;
}

/* A plain file and nothing else; -1 with errno. */
static int
open_plain(int dir, const char *name, struct stat *st)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0 && (fstat(fd, st) != 0 || !S_ISREG(st->st_mode))) {
		fd_close(&fd);
		errno = EINVAL;
	}
	return fd;
}

static bool
going(const struct import *x)
{
	return !x->failed && import_going(x->store);
}

/* All of the file through the helper.  false: it cannot be read to its end. */
static bool
feed(struct import *x, int fd)
{
	char some[PIECE];
	ssize_t n = 0;
	bool ok = true;

	while (going(x) && (n = read(fd, some, sizeof(some))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		ok = n > 0;
		if (!ok)
			break;
		if (!helper_send(x->helper, span(some, (size_t)n)))
			x->failed = true;
		x->read += (uint64_t)n;
		ctl_progress_set(&x->progress, x->read, x->total);
	}
	if (!x->failed && !helper_end(x->helper))
		x->failed = true;
	return ok;
}

static void
import_file(struct import *x, int dir, const char *name)
{
	struct stat st;
	int fd = open_plain(dir, name, &st);

	x->from = name;
	if (fd < 0) {
		(void)fail(x, name);
		return;
	}
	x->total += (uint64_t)st.st_size;
	if (!feed(x, fd) && !x->failed)
		(void)fail(x, name);
	if (!x->good)
		x->failed = true;
	fd_close(&fd);
}

/* mbox ------------------------------------------------------------------------------- */

static void
mbox_folder(struct import *x, struct span path)
{
	transfer_folder_clear(&x->folder);
	buf_add_span(&x->folder.path, path);
	x->folder.exists = true;
	import_folder(x->store, &x->folder);
}

static int
by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->uid != y->uid)		/* those without one come last */
		return x->uid - 1 < y->uid - 1 ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void
sort_list(struct import *x)
{
	if (x->n > 0)
		qsort(x->list, x->n, sizeof(*x->list), by_name);
}

static void
add_entry(struct import *x, char *name)
{
	if (x->n == x->room) {
		x->room = x->room > 0 ? 2 * x->room : 64;
		x->list = mem_realloc(x->list, x->room * sizeof(*x->list));
	}
	x->list[x->n++] = (struct entry){ .name = name };
}

static void
clear_list(struct import *x)
{
	for (size_t i = 0; i < x->n; i++) {
		mem_free(&x->list[i].name);
		mem_free(&x->list[i].uidl);
	}
	x->n = 0;
}

static int
open_dir(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Names in a folder for which `want` says so, behind `prefix`. */
static bool
list_dir(struct import *x, int dir, const char *name, const char *prefix,
    bool (*want)(const char *name))
{
	int fd = dir >= 0 || dir == AT_FDCWD ? open_dir(dir, name) : -1;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL) {
		fd_close(&fd);
		return false;
	}
	while ((e = readdir(d)) != NULL)
		if (want(e->d_name)) {
			struct buf full = { 0 };

			buf_addf(&full, "%s%s", prefix, e->d_name);
			add_entry(x, buf_take(&full));
		}
	closedir(d);
	return true;
}

static bool
is_mbox(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && name[0] != '.' && strcmp(name + n - 5, ".mbox") == 0;
}

static void
import_mboxes(struct import *x, int top)
{
	if (!list_dir(x, top, ".", "", is_mbox)) {
		(void)fail(x, x->o->path);
		return;
	}
	sort_list(x);
	for (size_t i = 0; i < x->n && going(x); i++) {
		struct span name = span_str(x->list[i].name);
		struct buf path = { 0 };

		if (!transfer_file_path(span_sub(name, 0, name.len - 5), &path))
			buf_add_span(&path, span_sub(name, 0, name.len - 5));
		if (x->o->mailbox == NULL || strcmp(buf_cstr(&path), x->o->mailbox) == 0) {
			mbox_folder(x, buf_span(&path));
			import_file(x, top, x->list[i].name);
		}
		buf_fini(&path);
	}
}

static void
import_mbox(struct import *x)
{
	struct stat st;
	int top;

	if (stat(x->o->path, &st) != 0) {
		(void)fail(x, x->o->path);
	} else if (!S_ISDIR(st.st_mode)) {
		mbox_folder(x, span_str(x->o->mailbox != NULL ? x->o->mailbox : "INBOX"));
		import_file(x, AT_FDCWD, x->o->path);
	} else if ((top = open(x->o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		(void)fail(x, x->o->path);
	} else {
		import_mboxes(x, top);
		fd_close(&top);
	}
}

/* Maildir ---------------------------------------------------------------------------- */

static bool
is_message(const char *name)
{
	return name[0] != '.';
}

/* *text is the caller's; empty when there is none. */
static void
slurp(int dir, const char *name, char **text, size_t *len)
{
	struct stat st;
	int fd = open_plain(dir, name, &st);

	*text = NULL;
	*len = 0;
	if (fd >= 0 && !fd_slurp(fd, LIST_FILE_MAX, text, len))
		*len = 0;
	fd_close(&fd);
}

static void
number_entries(struct import *x, struct span text, struct table *by_base)
{
	struct span head = span_cut(&text, '\n');
	struct maildir_uid u;

	if (!maildir_uidlist_head(head, &x->folder.uidvalidity, &x->folder.uidnext))
		return;
	while (text.len > 0) {
		struct entry *e;

		if (!maildir_uidlist_line(span_cut(&text, '\n'), &u) ||
		    (e = table_get(by_base, u.base)) == NULL)
			continue;
		e->uid = u.uid;
		if (u.uidl.len > 0 && u.uidl.len <= STORE_UIDL_MAX && e->uidl == NULL)
			e->uidl = span_dup(u.uidl);
	}
}

/* The folder's files in the order of their uids, those without one behind them by name. */
static void
list_messages(struct import *x, int dir)
{
	struct table by_base = { 0 };
	char *text;
	size_t len;

	clear_list(x);
	(void)list_dir(x, x->cur, ".", "cur/", is_message);
	(void)list_dir(x, x->new, ".", "new/", is_message);
	for (size_t i = 0; i < x->n; i++)
		table_put(&by_base, maildir_base(span_str(x->list[i].name + 4)), &x->list[i]);
	slurp(dir, "dovecot-uidlist", &text, &len);
	number_entries(x, span(text, len), &by_base);
	mem_free(&text);
	table_fini(&by_base, NULL, NULL);
	sort_list(x);
	maildir_keywords_fini(&x->keywords);
	slurp(dir, "dovecot-keywords", &text, &len);
	maildir_keywords_read(&x->keywords, span(text, len));
	mem_free(&text);
}

static void
one_message(struct import *x, const struct entry *e)
{
	struct stat st;
	int fd = open_plain(e->name[0] == 'c' ? x->cur : x->new, e->name + 4, &st);

	x->from = e->name;
	if (fd < 0) {
		import_drop(x->store, e->name, strerror(errno));
		return;
	}
	transfer_message_clear(&x->m);
	maildir_name_read(span_str(e->name + 4), &x->keywords, &x->m);
	x->m.uid = e->uid;
	x->m.received_s = st.st_mtim.tv_sec;
	if (e->uidl != NULL)
		buf_add_str(&x->m.uidl, e->uidl);
	if (!feed(x, fd) && !x->failed)
		import_drop(x->store, e->name, strerror(errno));
	fd_close(&fd);
}

static void
maildir_one(struct import *x, int dir, struct span path)
{
	transfer_folder_clear(&x->folder);
	buf_add_span(&x->folder.path, path);
	x->folder.exists = true;
	if (x->o->mailbox != NULL && !span_eq_str(path, x->o->mailbox))
		return;
	/* Whoever owns the Maildir may put a link in their place later on: that is not followed. */
	x->cur = open_dir(dir, "cur");
	x->new = open_dir(dir, "new");
	list_messages(x, dir);
	import_folder(x->store, &x->folder);
	for (size_t i = 0; i < x->n && going(x); i++)
		one_message(x, &x->list[i]);
	fd_close(&x->cur);
	fd_close(&x->new);
}

static bool
is_folder(const char *name)
{
	return name[0] == '.' && name[1] != '.' && name[1] != '\0';
}

static void
maildir_folders(struct import *x, int top)
{
	struct entry *folders;
	size_t n;

	clear_list(x);
	(void)list_dir(x, top, ".", "", is_folder);
	sort_list(x);
	folders = x->list;
	n = x->n;
	x->list = NULL;
	x->n = x->room = 0;
	for (size_t i = 0; i < n; i++) {
		int dir = going(x) ? open_dir(top, folders[i].name) : -1;
		struct buf path = { 0 };

		if (dir >= 0 && faccessat(dir, "cur", F_OK, 0) == 0) {
			if (maildir_folder_read(span_str(folders[i].name), &path))
				maildir_one(x, dir, buf_span(&path));
			else
				ctl_error("%s: no name of a folder", folders[i].name);
		}
		fd_close(&dir);
		buf_fini(&path);
		mem_free(&folders[i].name);
	}
	mem_free(&folders);
}

/* Subscribed folders, one a line, named as their folders without the first dot. */
static void
subscriptions(struct import *x, int top)
{
	struct span rest;
	char *text;
	size_t len;

	slurp(top, "subscriptions", &text, &len);
	rest = span(text, len);
	while (rest.len > 0 && going(x) && !x->o->dry_run && x->o->mailbox == NULL) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		struct store_subscribe rq = { .on = true };
		struct buf name = { 0 }, path = { 0 };

		buf_addf(&name, ".%.*s", (int)line.len, line.p);
		if (span_caseeq_str(line, "INBOX"))
			buf_add_str(&path, "INBOX");
		else if (line.len > 0)
			(void)maildir_folder_read(buf_span(&name), &path);
		rq.path = buf_span(&path);
		if (path.len > 0)
			(void)ctl_mail_ask(x->mail, STORE_SUBSCRIBE, &rq, NULL, NULL);
		buf_fini(&name);
		buf_fini(&path);
	}
	mem_free(&text);
}

static void
import_maildir(struct import *x)
{
	int top = open(x->o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (top < 0) {
		(void)fail(x, x->o->path);
		return;
	}
	if (faccessat(top, "cur", F_OK, 0) == 0)
		maildir_one(x, top, SPAN_LIT("INBOX"));
	maildir_folders(x, top);
	subscriptions(x, top);
	fd_close(&top);
}

/* ---------------------------------------------------------------------------------- */

static const enum helper_mode modes[] = {
	[FORMAT_MAILDIR] = HELPER_MESSAGES, [FORMAT_MBOX] = HELPER_MBOX,
	[FORMAT_ARCHIVE] = HELPER_ARCHIVE
};

static int
run(struct import *x)
{
	struct buf user = { 0 };
	int rc = CTL_OK, end;

	transfer_user(x->ctl, &user);
	x->helper = helper_start(modes[x->o->format], buf_cstr(&user), on_helper, x);
	buf_fini(&user);
	if (x->helper == NULL)
		return CTL_FAILED;
	if ((x->mail = ctl_mail_open(x->ctl, x->o->address, &rc)) == NULL)
		return rc;
	x->store = import_store_new(x->ctl, x->o, x->mail);
	ctl_progress_start(&x->progress, x->ctl, "read");
	if (x->o->format == FORMAT_MAILDIR)
		import_maildir(x);
	else if (x->o->format == FORMAT_MBOX)
		import_mbox(x);
	else
		import_file(x, AT_FDCWD, x->o->path);
	ctl_progress_end(&x->progress);
	end = import_store_finish(x->store, !x->failed);
	return end != CTL_OK ? end : x->failed ? CTL_FAILED : CTL_OK;
}

int
import_run(struct ctl *ctl, const struct import_opts *o)
{
	struct import *x = mem_zalloc(sizeof(*x));
	int rc;

	x->ctl = ctl;
	x->o = o;
	x->from = o->path;
	x->cur = x->new = -1;
	transfer_message_clear(&x->m);
	transfer_message_clear(&x->told);
	rc = run(x);
	helper_stop(&x->helper);
	import_store_free(&x->store);
	ctl_mail_close(&x->mail);
	clear_list(x);
	mem_free(&x->list);
	maildir_keywords_fini(&x->keywords);
	transfer_folder_fini(&x->folder);
	transfer_message_fini(&x->m);
	transfer_message_fini(&x->told);
	mem_free(&x);
	return rc;
}
