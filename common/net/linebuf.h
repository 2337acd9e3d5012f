/* common/net/linebuf.h
 * Cuts a byte stream into lines. Does no I/O: bytes are fed in, lines are
 * taken out, and how the bytes were split on their way makes no difference. */
#ifndef COMMON_NET_LINEBUF_H
#define COMMON_NET_LINEBUF_H

#include <stddef.h>

struct linebuf;
enum linebuf_result { LINEBUF_MORE, LINEBUF_LINE, LINEBUF_TOO_LONG };

/* max: longest line accepted, its line end not counted. */
struct linebuf *linebuf_new(size_t max);
void linebuf_free(struct linebuf **lb);
void linebuf_feed(struct linebuf *lb, const void *data, size_t len);
/* On LINEBUF_LINE, *line is borrowed until the next call on lb; it has no ending NUL
 * and may contain NUL. After LINEBUF_TOO_LONG the stream is lost: close it. */
enum linebuf_result linebuf_next(struct linebuf *lb, const char **line, size_t *len);

#endif
