/* SORT's order is that of whole comparisons, whatever the keys, and however often it rests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "common/util/buf.h"
#include "common/util/bytes.h"
#include "common/util/clock.h"
#include "storage/client/order.h"

#define ROWS	3000u
#define KEYS	3u

struct rows {
	uint64_t		prefix[ROWS * KEYS];
	struct order_text	text[ROWS * KEYS];
	struct buf		texts;
	bool			is_text[KEYS], reverse[KEYS];
	struct order_keys	k;
};

static struct rows *sorting;	/* of the comparison */

static int
compare(const void *pa, const void *pb)
{
	const uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

	for (size_t c = 0; c < sorting->k.nc; c++) {
		size_t x = a * sorting->k.nc + c, y = b * sorting->k.nc + c;
		const struct order_text *t = &sorting->text[x], *u = &sorting->text[y];
		int d = sorting->prefix[x] < sorting->prefix[y] ? -1 :
		    sorting->prefix[x] > sorting->prefix[y];

		if (sorting->is_text[c])
			d = span_cmp(span(sorting->texts.data + t->at, t->len),
			    span(sorting->texts.data + u->at, u->len));
		if (d != 0)
			return sorting->reverse[c] ? -d : d;
	}
	return a < b ? -1 : a > b;
}

static void
set_text(struct rows *r, size_t k, const char *p, size_t len)
{
	char head[8] = { 0 };

	memcpy(head, p, len < 8 ? len : 8);
	r->prefix[k] = get_be64(head);
	r->text[k] = (struct order_text){ (uint32_t)r->texts.len, (uint32_t)len };
	buf_add(&r->texts, p, len);
}

/* Texts that share long beginnings, end early, and end in zeros. */
static void
random_text(struct rows *r, size_t k)
{
	char text[64];
	size_t len = (size_t)rand() % sizeof(text);

	for (size_t i = 0; i < len; i++)
		text[i] = (char)(rand() % 8 != 0 ? 'a' : rand() % 3 == 0 ? 0 : 'a' + rand() % 3);
	set_text(r, k, text, len);
}

static struct rows *
make(size_t n, size_t nc, unsigned shape)
{
	struct rows *r = calloc(1, sizeof(*r));

	for (size_t c = 0; c < nc; c++) {
		r->is_text[c] = (shape >> c & 1) != 0;
		r->reverse[c] = (shape >> (c + 3) & 1) != 0;
	}
	for (size_t k = 0; k < n * nc; k++) {
		r->text[k].at = UINT32_MAX;	/* of a number: nobody looks at it */
		if (r->is_text[k % nc])
			random_text(r, k);
		else
			r->prefix[k] = (uint64_t)(rand() % 50) << rand() % 2 * 40;
	}
	r->k = (struct order_keys){ n, nc, r->prefix, r->text, r->texts.data, r->is_text, r->reverse };
	return r;
}

static void
check(struct rows *r, uint64_t until_us)
{
	struct order *o = order_new(&r->k);
	uint32_t want[ROWS];

	for (uint32_t i = 0; i < r->k.n; i++)
		want[i] = i;
	sorting = r;
	qsort(want, r->k.n, sizeof(*want), compare);
	while (!order_run(o, until_us))
		;
	for (size_t i = 0; i < r->k.n; i++)
		assert_int_equal(order_at(o, i), want[i]);
	order_free(&o);
}

static void
give_back(struct rows *r)
{
	buf_fini(&r->texts);
	free(r);
}

static void
it_is_the_order_of_whole_comparisons(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 24, 25, 300, ROWS };

	srand(1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (unsigned shape = 0; shape < 64; shape += sizes[i] == ROWS ? 7 : 1) {
			struct rows *r = make(sizes[i], 1 + shape % KEYS, shape);

			check(r, UINT64_MAX);
			give_back(r);
		}
	}
}

static void
rests_change_nothing(void **state)
{
	srand(2);
	for (unsigned shape = 1; shape < 64; shape += 5) {
		struct rows *r = make(ROWS, KEYS, shape);

		check(r, 0);
		give_back(r);
	}
}

static void
equal_rows_keep_their_order(void **state)
{
	struct rows *r = make(ROWS, 2, 1);

	for (size_t i = 0; i < ROWS; i++) {
		set_text(r, i * 2, "the same subject, longer than eight bytes", 41);
		r->prefix[i * 2 + 1] = 7;
	}
	r->k.texts = r->texts.data;
	check(r, UINT64_MAX);
	check(r, 0);
	give_back(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_order_of_whole_comparisons),
		cmocka_unit_test(rests_change_nothing),
		cmocka_unit_test(equal_rows_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
