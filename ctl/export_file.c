/* The files that an export writes: one archive, an mbox file or a folder of them, a Maildir.
 * Nothing that is there is written over. */
#include "ctl/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/transfer/mbox.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/mem.h"

#define WRITE_AT	(256u << 10)
#define FILE_NAME_MAX	200u		/* without ".mbox", and what tells two of them apart */

struct export_file {
	enum transfer_format	format;
	char			*path;
	bool			one;		/* mbox: path is the file */
	int			top, folder, list, fd;	/* fd: what is written to */
	bool			failed, made;
	struct buf		out;
	uint64_t		at;		/* bytes of fd, what waits in out among them */
	struct archive_writer	archive;
	/* of the folder at hand */
	uint32_t		uidvalidity, uidnext, nth;
	struct maildir_keywords	keywords;
	struct buf		uidlist, subscribed;
	uint64_t		left, messages;
	/* of the message at hand */
	struct transfer_message	m;
	struct transfer_lines	lines;
	struct buf		name;
	uint64_t		start, marks, got;
};

uint64_t
export_left(const struct export_file *x)
{
	return x->left;
}

bool
export_file_failed(const struct export_file *x)
{
	return x->failed;
}

static void
fail(struct export_file *x, const char *what)
{
	if (!x->failed)
		ctl_error("%s: %s", what, strerror(errno));
	x->failed = true;
}

static void
flush(struct export_file *x)
{
	if (!x->failed && x->out.len > 0 && !fd_write_full(x->fd, x->out.data, x->out.len))
		fail(x, x->path);
	buf_clear(&x->out);
}

static void
wrote(struct export_file *x, size_t before)
{
	x->at += x->out.len - before;
	if (x->out.len >= WRITE_AT)
		flush(x);
}

static int
open_new(struct export_file *x, int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		fail(x, name);
	x->at = 0;
	return fd;
}

/* A folder that was not there. */
static int
make_dir(struct export_file *x, int dir, const char *name)
{
	int fd = -1;

	if (mkdirat(dir, name, 0700) != 0 ||
	    (fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		fail(x, name);
	return fd;
}

static void
write_text(struct export_file *x, int dir, const char *name, const struct buf *text)
{
	int fd = x->failed ? -1 : open_new(x, dir, name);

	if (fd >= 0 && !fd_write_full(fd, text->data, text->len))
		fail(x, name);
	fd_close(&fd);
}

struct export_file *
export_file_new(enum transfer_format format, const char *path, const char *address,
    bool one_mailbox)
{
	struct export_file *x = mem_zalloc(sizeof(*x));

	x->format = format;
	x->path = span_dup(span_str(path));
	x->one = format == FORMAT_MBOX && one_mailbox;
	x->top = x->folder = x->list = x->fd = -1;
	transfer_message_clear(&x->m);
	if (format == FORMAT_ARCHIVE || x->one)
		x->fd = open_new(x, AT_FDCWD, path);
	else
		x->top = make_dir(x, AT_FDCWD, path);
	x->made = !x->failed;
	if (format == FORMAT_ARCHIVE && x->made) {
		archive_begin(&x->archive, span_str(address), clock_wall_s(), &x->out);
		wrote(x, 0);
	}
	return x;
}

/* Folders ----------------------------------------------------------------------- */

void
transfer_file_name(struct span path, struct buf *out)
{
	for (size_t i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if (c < 0x20 || c == 0x7f || strchr("/%\\:*?\"<>|", c) != NULL ||
		    (i == 0 && (c == '.' || c == '-' || c == ' ')))
			buf_addf(out, "%%%02X", c);
		else
			buf_add_c(out, (char)c);
	}
}

bool
transfer_file_path(struct span name, struct buf *path)
{
	size_t before = path->len;

	for (size_t i = 0; i < name.len; i++) {
		int hi, lo;

		if (name.p[i] != '%') {
			buf_add_c(path, name.p[i]);
			continue;
		}
		hi = i + 2 < name.len ? ascii_hex(name.p[i + 1]) : -1;
		lo = i + 2 < name.len ? ascii_hex(name.p[i + 2]) : -1;
		if (i + 2 == name.len - 0 || hi < 0 || lo < 0) {
			buf_cut(path, before);
			return false;
		}
		buf_add_c(path, (char)(hi << 4 | lo));
		i += 2;
	}
	return true;
}

static void
flush_list(struct export_file *x)
{
	if (!x->failed && x->uidlist.len > 0 &&
	    !fd_write_full(x->list, x->uidlist.data, x->uidlist.len))
		fail(x, "dovecot-uidlist");
	buf_clear(&x->uidlist);
}

static void
end_folder(struct export_file *x)
{
	struct buf text = { 0 };

	flush(x);
	if (x->format != FORMAT_ARCHIVE && !x->one)
		fd_close(&x->fd);
	if (x->folder < 0)
		return;
	maildir_keywords_print(&x->keywords, &text);
	if (text.len > 0)
		write_text(x, x->folder, "dovecot-keywords", &text);
	buf_fini(&text);
	flush_list(x);
	fd_close(&x->list);
	maildir_keywords_fini(&x->keywords);
	if (x->folder != x->top)
		fd_close(&x->folder);
	x->folder = -1;
}

static void
begin_maildir(struct export_file *x, const struct transfer_folder *f)
{
	static const char *const parts[] = { "cur", "new", "tmp" };
	struct buf name = { 0 }, none = { 0 };

	maildir_folder(buf_span(&f->path), &name);
	x->folder = name.len == 0 ? x->top : make_dir(x, x->top, buf_cstr(&name));
	for (size_t i = 0; i < ARRAY_LEN(parts) && !x->failed; i++) {
		int fd = make_dir(x, x->folder, parts[i]);

		fd_close(&fd);
	}
	if (name.len > 0 && !x->failed)
		write_text(x, x->folder, "maildirfolder", &none);
	if (!x->failed)
		x->list = open_new(x, x->folder, "dovecot-uidlist");
	maildir_uidlist_begin(f->uidvalidity, f->uidnext, &x->uidlist);
	buf_fini(&name);
}

static void
begin_mbox(struct export_file *x, const struct transfer_folder *f)
{
	struct buf name = { 0 };

	if (!x->one) {
		transfer_file_name(buf_span(&f->path), &name);
		if (name.len > FILE_NAME_MAX) {
			buf_cut(&name, FILE_NAME_MAX);
			buf_addf(&name, "~%u", (unsigned)x->nth);
		}
		buf_add_str(&name, ".mbox");
		x->fd = open_new(x, x->top, buf_cstr(&name));
	}
	x->messages = 0;
	buf_fini(&name);
}

void
export_folder(struct export_file *x, const struct transfer_folder *f)
{
	if (x->failed)
		return;
	end_folder(x);
	x->nth++;
	x->uidvalidity = f->uidvalidity;
	x->uidnext = f->uidnext;
	if (x->format == FORMAT_ARCHIVE) {
		size_t before = x->out.len;

		archive_folder(&x->archive, f, &x->out);
		wrote(x, before);
		return;
	}
	if (f->subscribed && x->format == FORMAT_MAILDIR) {
		struct buf name = { 0 };

		maildir_folder(buf_span(&f->path), &name);
		buf_addf(&x->subscribed, "%s\n", name.len > 0 ? buf_cstr(&name) + 1 : "INBOX");
		buf_fini(&name);
	}
	if (!f->exists)
		return;
	if (x->format == FORMAT_MAILDIR)
		begin_maildir(x, f);
	else
		begin_mbox(x, f);
}

/* Messages ---------------------------------------------------------------------- */

static void
copy_message(struct export_file *x, const struct transfer_message *m)
{
	struct buf b = { 0 };
	struct reader r;

	put_transfer_message(&b, m);
	reader_init(&r, b.data, b.len);
	(void)get_transfer_message(&r, &x->m);
	buf_fini(&b);
	x->m.uidvalidity = x->uidvalidity;
	x->m.uidnext = x->uidnext;
}

static void
begin_file(struct export_file *x)
{
	unsigned left;
	struct buf path = { 0 };

	buf_clear(&x->name);
	maildir_name(&x->m, &x->keywords, &left, &x->name);
	x->left += left;
	buf_addf(&path, "tmp/%s", buf_cstr(&x->name));
	x->fd = open_new(x, x->folder, buf_cstr(&path));
	buf_fini(&path);
}

void
export_begin(struct export_file *x, const struct transfer_message *m, bool raw)
{
	size_t before = x->out.len, mark = 0;

	if (x->failed)
		return;
	copy_message(x, m);
	x->lines = (struct transfer_lines){ .raw = raw, .quote = x->format == FORMAT_MBOX };
	x->start = x->at;
	x->got = 0;
	if (x->format == FORMAT_ARCHIVE) {
		archive_message(&x->archive, &x->m, &x->out);
		wrote(x, before);
	} else if (x->format == FORMAT_MBOX) {
		mbox_begin(&x->m, raw, x->messages == 0, &x->out, &mark);
		x->marks = x->at + mark - before;
		wrote(x, before);
	} else {
		begin_file(x);
	}
}

void
export_data(struct export_file *x, struct span octets)
{
	size_t before = x->out.len;

	if (x->failed)
		return;
	if (x->format == FORMAT_ARCHIVE) {	/* never more than was told */
		octets = span_sub(octets, 0, (size_t)(x->m.size - x->got < octets.len ?
		    x->m.size - x->got : octets.len));
		buf_add_span(&x->out, octets);
	} else {
		transfer_lines_feed(&x->lines, octets, &x->out);
	}
	x->got += octets.len;
	wrote(x, before);
}

static void
end_in_archive(struct export_file *x, bool damaged)
{
	static const char zeros[4096];

	while (x->got < x->m.size) {	/* it is shorter than it was */
		uint64_t n = x->m.size - x->got;
		size_t before = x->out.len;

		buf_add(&x->out, zeros, n < sizeof(zeros) ? (size_t)n : sizeof(zeros));
		x->got += x->out.len - before;
		wrote(x, before);
		damaged = true;
	}
	archive_message_end(&x->archive, &x->m, damaged, &x->out);
}

/* What was written of the message goes. */
static void
take_back(struct export_file *x)
{
	struct buf path = { 0 };

	flush(x);
	if (x->format == FORMAT_MBOX) {
		if (ftruncate(x->fd, (off_t)x->start) != 0 ||
		    lseek(x->fd, (off_t)x->start, SEEK_SET) < 0)
			fail(x, x->path);
		x->at = x->start;
		return;
	}
	fd_close(&x->fd);
	buf_addf(&path, "tmp/%s", buf_cstr(&x->name));
	(void)unlinkat(x->folder, buf_cstr(&path), 0);
	buf_fini(&path);
}

static void
end_in_mbox(struct export_file *x)
{
	size_t before = x->out.len;

	mbox_end(&x->lines, &x->out);
	wrote(x, before);
	x->messages++;
	flush(x);
	if (x->lines.open && !x->failed &&
	    pwrite(x->fd, "O", 1, (off_t)x->marks + 2) != 1)
		fail(x, x->path);
}

static void
end_in_maildir(struct export_file *x)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = x->m.received_s } };
	struct buf from = { 0 }, to = { 0 };

	flush(x);
	if (x->m.received_s != TRANSFER_NOT_KNOWN)
		(void)futimens(x->fd, t);
	fd_close(&x->fd);
	buf_addf(&from, "tmp/%s", buf_cstr(&x->name));
	buf_addf(&to, "cur/%s", buf_cstr(&x->name));
	if (!x->failed && renameat(x->folder, buf_cstr(&from), x->folder, buf_cstr(&to)) != 0)
		fail(x, buf_cstr(&to));
	maildir_uidlist_add(&x->m, buf_span(&x->name), &x->uidlist);
	if (x->uidlist.len >= WRITE_AT)
		flush_list(x);
	buf_fini(&from);
	buf_fini(&to);
}

bool
export_end(struct export_file *x, bool damaged)
{
	size_t before = x->out.len;

	if (x->failed)
		return true;
	if (x->format == FORMAT_ARCHIVE) {
		end_in_archive(x, damaged);
		wrote(x, x->out.len);
		return true;
	}
	transfer_lines_end(&x->lines, &x->out);
	wrote(x, before);
	if (damaged || (x->lines.dirty && !x->lines.raw)) {
		take_back(x);
		return damaged;
	}
	if (x->format == FORMAT_MBOX)
		end_in_mbox(x);
	else
		end_in_maildir(x);
	return true;
}

static void
finish(struct export_file *x)
{
	size_t before = x->out.len;

	end_folder(x);
	if (x->format == FORMAT_ARCHIVE) {
		archive_end(&x->archive, &x->out);
		wrote(x, before);
		flush(x);
	}
	if (x->subscribed.len > 0 && !x->failed)
		write_text(x, x->top, "subscriptions", &x->subscribed);
	if (!x->failed && syncfs(x->top >= 0 ? x->top : x->fd) != 0)
		fail(x, x->path);
}

int
export_close(struct export_file **xp, bool good)
{
	struct export_file *x = *xp;
	int rc;

	if (good && !x->failed)
		finish(x);
	rc = good && !x->failed ? CTL_OK : CTL_FAILED;
	if (rc != CTL_OK && x->made && (x->format == FORMAT_ARCHIVE || x->one))
		(void)unlink(x->path);
	else if (rc != CTL_OK && x->made)
		ctl_error("%s is not complete", x->path);
	fd_close(&x->fd);
	fd_close(&x->list);
	if (x->folder != x->top)
		fd_close(&x->folder);
	fd_close(&x->top);
	archive_fini(&x->archive);
	maildir_keywords_fini(&x->keywords);
	transfer_message_fini(&x->m);
	buf_fini(&x->out);
	buf_fini(&x->uidlist);
	buf_fini(&x->subscribed);
	buf_fini(&x->name);
	mem_free(&x->path);
	mem_free(xp);
	return rc;
}
