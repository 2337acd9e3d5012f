/* ctl/output.h
 * What commands print: tables for people, JSON for programs, a bar for the patient. */
#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

#include "common/json/json.h"
#include "common/json/writer.h"
#include "ctl/ctl.h"

enum ctl_cell { CTL_CELL_TEXT, CTL_CELL_NUMBER, CTL_CELL_SIZE, CTL_CELL_TIME, CTL_CELL_YES };

struct ctl_column {
	const char	*key;		/* of each row's object; NULL ends a table */
	const char	*title;
	enum ctl_cell	cell;
};

/* rows: an array of objects.  Appends a line each, the titles first; nothing for no rows.
 * Control characters are shown as '?'. */
void ctl_table(struct buf *out, const struct ctl_column *columns, const struct json *rows);
/* 1.5G */
void ctl_put_size(struct buf *out, uint64_t bytes);
/* Local time; "never" for 0. */
void ctl_put_time(struct buf *out, int64_t s);
/* Writes a value as it was read. */
void ctl_put_json(struct json_writer *w, const struct json *v);
/* The answer's text and a line end. */
int ctl_print_json(struct span text);

/* A bar on standard error, when that is a terminal and ctl is not to write JSON.
 * total 0: not known. */
struct ctl_progress {
	bool		shown;
	const char	*what;
	uint64_t	last_ms;
};
void ctl_progress_start(struct ctl_progress *p, const struct ctl *ctl, const char *what);
void ctl_progress_set(struct ctl_progress *p, uint64_t done, uint64_t total);
void ctl_progress_end(struct ctl_progress *p);

#endif
