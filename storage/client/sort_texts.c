#include "storage/client/sort_texts.h"

#include "common/mime/charset.h"
#include "common/mime/field.h"
#include "common/util/mem.h"
#include "common/util/table.h"

void
sort_texts_init(struct sort_texts *t, size_t n, size_t nc)
{
	*t = (struct sort_texts){ .n = n, .nc = nc };
	t->prefix = mem_array(n * nc + 1, sizeof(*t->prefix));
	t->text = mem_array(n * nc + 1, sizeof(*t->text));
	t->cut = mem_array(n * nc + 1, sizeof(*t->cut));
}

void
sort_texts_fini(struct sort_texts *t)
{
	mem_free(&t->prefix);
	mem_free(&t->text);
	mem_free(&t->cut);
	buf_fini(&t->texts);
}

static uint64_t
prefix_of(struct span text)
{
	unsigned char b[8] = { 0 };

	if (text.len > 0)
		memcpy(b, text.p, text.len < 8 ? text.len : 8);
	return get_be64((const char *)b);
}

void
sort_texts_set(struct sort_texts *t, size_t k, struct span text, bool cut)
{
	if (t->texts.len + text.len > SORT_BYTES_MAX) {
		t->over = true;
		return;
	}
	t->cut[k] = cut;
	t->prefix[k] = prefix_of(text);
	t->text[k].len = (uint32_t)text.len;
	t->text[k].at = (uint32_t)t->texts.len;
	buf_add_span(&t->texts, text);
}

void
sort_texts_alike(const struct sort_texts *t, size_t c, void (*fn)(void *arg, size_t row), void *arg)
{
	size_t shortest = SIZE_MAX;
	struct table seen = { 0 };

	for (size_t i = 0; i < t->n; i++) {
		if (t->cut[i * t->nc + c] && t->text[i * t->nc + c].len < shortest)
			shortest = t->text[i * t->nc + c].len;
	}
	if (shortest == SIZE_MAX)
		return;
	for (size_t i = 0; i < t->n; i++) {
		size_t k = i * t->nc + c, before;
		struct span head = span_sub(buf_span(&t->texts), t->text[k].at, shortest);

		if (t->text[k].len < shortest)
			continue;
		before = (size_t)(uintptr_t)table_put(&seen, head, (void *)(uintptr_t)(i + 1));
		if (before == 0)
			continue;
		if (t->cut[k])
			fn(arg, i);
		if (t->cut[(before - 1) * t->nc + c])
			fn(arg, before - 1);
	}
	table_fini(&seen, NULL, NULL);
}

/* ---- LIST blobs ---- */

static bool
first_address(struct mime_seq list, struct mime_addr *a)
{
	while (mime_seq_addr(&list, a)) {
		if (a->kind != MIME_ADDR_GROUP_END)
			return true;
	}
	return false;
}

/* RFC 5957 §3: the name, or else mailbox@host. */
static void
put_display(const struct mime_addr *a, struct buf *out)
{
	if (a->name.len > 0) {
		mime_words_decode(a->name, out);
		return;
	}
	buf_add_span(out, a->local);
	if (a->domain.len > 0) {
		buf_add_c(out, '@');
		buf_add_span(out, a->domain);
	}
}

void
sort_list_text(enum mime_column col, enum search_collation collation, const struct mime_list *l,
    struct buf *out)
{
	enum mime_addr_list which = col == MIME_COL_CC_KEY ? MIME_CC :
	    col == MIME_COL_TO_KEY || col == MIME_COL_TO_DISPLAY ? MIME_TO : MIME_FROM;
	struct mime_addr a;
	struct buf plain = { 0 };

	if (col == MIME_COL_SUBJECT_KEY)
		buf_add_span(&plain, l->base_subject);
	else if (!first_address(l->env.lists[which], &a))
		;
	else if (col == MIME_COL_FROM_DISPLAY || col == MIME_COL_TO_DISPLAY)
		put_display(&a, &plain);
	else
		buf_add_span(&plain, a.local);
	search_map(collation, buf_span(&plain), out);
	buf_fini(&plain);
}
