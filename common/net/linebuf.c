#include "common/net/linebuf.h"

#include <string.h>

#include "common/util/buf.h"
#include "common/util/mem.h"

struct linebuf {
	struct buf	in;
	size_t		max, taken;	/* taken: bytes of the line handed out last */
};

struct linebuf *
linebuf_new(size_t max)
{
	struct linebuf *lb = mem_zalloc(sizeof(*lb));

	lb->max = max;
	return lb;
}

void
linebuf_free(struct linebuf **lb)
{
	if (*lb == NULL)
		return;
	buf_fini(&(*lb)->in);
	mem_free(lb);
}

void
linebuf_feed(struct linebuf *lb, const void *data, size_t len)
{
	buf_drop(&lb->in, lb->taken);
	lb->taken = 0;
	buf_add(&lb->in, data, len);
}

enum linebuf_result
linebuf_next(struct linebuf *lb, const char **line, size_t *len)
{
	const char *nl = NULL;
	size_t n;

	buf_drop(&lb->in, lb->taken);
	lb->taken = 0;
	if (lb->in.len > 0)
		nl = memchr(lb->in.data, '\n', lb->in.len);
	if (nl == NULL)		/* room for max bytes and a CR */
		return lb->in.len > lb->max + 1 ? LINEBUF_TOO_LONG : LINEBUF_MORE;

	n = (size_t)(nl - lb->in.data);
	lb->taken = n + 1;
	if (n > 0 && nl[-1] == '\r')
		n--;
	if (n > lb->max)
		return LINEBUF_TOO_LONG;
	*line = lb->in.data;
	*len = n;
	return LINEBUF_LINE;
}
