#include "filter/view.h"

#include <string.h>

#include "common/util/buf.h"
#include "common/util/mem.h"

struct filter_view {
	const struct kept	*kept;
	struct buf		head;		/* prefix and header */
	size_t			prefix;
	struct sieve_message	*message;
};

static bool
read_text(void *arg, uint64_t from, void *to, size_t len)
{
	struct filter_view *v = arg;
	struct span kept = kept_text(v->kept);
	char *at = to;

	while (len > 0) {
		uint64_t off = from < v->prefix ? from : from - v->prefix;
		struct span src = from < v->prefix ? span(v->head.data, v->prefix) : kept;
		size_t n = off < src.len ? src.len - (size_t)off : 0;

		n = n < len ? n : len;
		if (n == 0) {
			memset(at, '\n', len);
			return true;
		}
		memcpy(at, src.p + off, n);
		at += n;
		from += n;
		len -= n;
	}
	return true;
}

struct filter_view *
filter_view_new(const struct kept *k, struct span prefix)
{
	struct filter_view *v = mem_zalloc(sizeof(*v));

	v->kept = k;
	buf_add_span(&v->head, prefix);
	v->prefix = prefix.len;
	buf_add_span(&v->head, kept_header(k));
	v->message = sieve_message_new(buf_span(&v->head), v->prefix + kept_size(k), read_text, v);
	return v;
}

struct sieve_message *
filter_view_message(const struct filter_view *v)
{
	return v->message;
}

void
filter_view_free(struct filter_view **vp)
{
	struct filter_view *v = *vp;

	*vp = NULL;
	if (v == NULL)
		return;
	sieve_message_free(&v->message);
	buf_fini(&v->head);
	mem_free(&v);
}
