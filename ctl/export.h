/* ctl/export.h
 * Mail out of an account into files, and back; the formats' files themselves. */
#ifndef CTL_EXPORT_H
#define CTL_EXPORT_H

#include "common/transfer/archive.h"
#include "common/transfer/maildir.h"
#include "ctl/ctl.h"

enum transfer_format { FORMAT_MAILDIR, FORMAT_MBOX, FORMAT_ARCHIVE };
/* CTL_USAGE after saying what is wrong. */
int transfer_format_parse(const char *text, enum transfer_format *format);

/* Where messages go.  What fails is said at once; then all else does nothing and close returns
 * CTL_FAILED. */
struct export_file;
struct export_file *export_file_new(enum transfer_format format, const char *path,
    const char *address, bool one_mailbox);
bool export_file_failed(const struct export_file *x);
void export_folder(struct export_file *x, const struct transfer_folder *f);
/* A message, then its octets, then its end.  raw: line ends stay, see transfer_lines. */
void export_begin(struct export_file *x, const struct transfer_message *m, bool raw);
void export_data(struct export_file *x, struct span octets);
/* false: its line ends are not what LF can stand for; nothing of it is there: once more, raw.
 * damaged: what came is not what it was; only an archive keeps it, and says so. */
bool export_end(struct export_file *x, bool damaged);
/* Makes it durable, or takes away what cannot be used; frees. */
int export_close(struct export_file **x, bool good);
/* Keywords for which a Maildir had no letter. */
uint64_t export_left(const struct export_file *x);

struct export_opts {
	const char		*address, *path, *mailbox;	/* mailbox NULL: all */
	enum transfer_format	format;
};
int export_run(struct ctl *ctl, const struct export_opts *o);

struct import_opts {
	const char		*address, *path, *mailbox;
	enum transfer_format	format;
	bool			dry_run;
	bool			again;		/* also what is there already */
	bool			keep_ids;	/* EMAILID and THREADID: of this installation */
};
int import_run(struct ctl *ctl, const struct import_opts *o);

/* Whose rights the helper process gets when root runs us. */
void transfer_user(const struct ctl *ctl, struct buf *out);

/* A file name for a folder's path: what a file system or a shell may take amiss is "%2F". */
void transfer_file_name(struct span path, struct buf *out);
bool transfer_file_path(struct span name, struct buf *path);

#endif
