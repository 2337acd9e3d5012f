#include "t/fuzz/transfer/read_twice.h"

#include <assert.h>
#include <string.h>

struct seen {
	struct span	rest;
	size_t		step;
	bool		begun;
	uint64_t	messages, drops, octets;
};

static ssize_t
feed(void *arg, void *p, size_t n)
{
	struct seen *s = arg;
	struct span some = span_sub(s->rest, 0, n < s->step ? n : s->step);

	if (some.len > 0)
		memcpy(p, some.p, some.len);
	s->rest = span_sub(s->rest, some.len, s->rest.len);
	return (ssize_t)some.len;
}

static void
on_folder(void *arg, const struct transfer_folder *f)
{
	struct transfer_folder again = { 0 };
	struct buf b = { 0 };
	struct reader r;

	put_transfer_folder(&b, f);
	reader_init(&r, b.data, b.len);
	assert(get_transfer_folder(&r, &again));
	transfer_folder_fini(&again);
	buf_fini(&b);
}

static void
on_begin(void *arg)
{
	((struct seen *)arg)->begun = true;
}

static void
on_data(void *arg, struct span raw)
{
	struct seen *s = arg;

	assert(s->begun);
	s->octets += raw.len;
}

static void
on_end(void *arg, const struct transfer_message *m)
{
	struct seen *s = arg;

	assert(s->begun);
	s->begun = false;
	s->messages++;
}

static void
on_drop(void *arg, const char *why)
{
	struct seen *s = arg;

	assert(why != NULL);
	s->begun = false;
	s->drops++;
}

static const struct transfer_ops ops = { on_folder, on_begin, on_data, on_end, on_drop };

static struct seen
run(read_fn fn, const uint8_t *data, size_t size, size_t step)
{
	struct seen s = { .rest = span(data, size), .step = step };
	const struct transfer_source source = { feed, &s };

	(void)fn(&source, &ops, &s);
	return s;
}

void
read_twice(read_fn fn, const uint8_t *data, size_t size)
{
	struct seen a = run(fn, data, size, 65536), b = run(fn, data, size, 7);

	assert(a.messages == b.messages && a.drops == b.drops && a.octets == b.octets);
}
