/* The reader of commands and every grammar of arguments: the first byte chooses. */
#include <stdlib.h>

#include "common/mail/search.h"
#include "common/proto/imap_annotation.h"
#include "common/proto/imap_args.h"
#include "common/proto/imap_print.h"
#include "common/proto/imap_reader.h"
#include "common/mail/search_scan.h"
#include "common/proto/imap_search.h"
#include "common/proto/imap_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The bytes are also a message that the program looks through. */
static void
scan(struct imap_search *q, struct span text, struct arena *arena)
{
	struct search_program p = { .root = q->root, .collation = q->collation };
	struct search_message m = { .has = SEARCH_HAS_TEXT };
	struct search_scan *s;

	search_prepare(&p, 0, arena);
	s = search_scan_new(&p, false);
	for (size_t at = 0; at < text.len; at += 100) {
		search_scan_feed(s, span_sub(text, at, 100));
		while (!search_scan_look(s))
			;
	}
	search_scan_finish(s);
	while (!search_scan_look(s))
		;
	m.hits = search_scan_hits(s);
	if (search_judge(&p, &m) == SEARCH_YES)
		search_relevancy(&p, &m);
	search_scan_free(&s);
	search_fini(&p);
}

/* What a token is over names the same as the whole URL does: one is signed, the other is
 * judged. */
static void
read_url(struct span text, struct arena *arena)
{
	struct imap_url url, rump;

	if (!imap_url_parse(text, arena, &url) || url.access == URL_ACCESS_NONE)
		return;
	if (url.rump.p != text.p || url.rump.len > text.len ||
	    !imap_url_parse(url.rump, arena, &rump) || rump.token.len > 0 ||
	    !span_eq(rump.rump, url.rump) || rump.uid != url.uid || rump.access != url.access ||
	    rump.uidvalidity != url.uidvalidity || rump.expires_s != url.expires_s ||
	    !span_eq(rump.mailbox, url.mailbox) || !span_eq(rump.user, url.user) ||
	    !span_eq(rump.access_user, url.access_user))
		abort();
}

static void
read_arguments(unsigned which, struct span text, struct arena *arena)
{
	struct imap_search search = { 0 };
	struct imap_section sec;
	struct imap_annotations notes;
	struct imap_annotation_item item;
	struct span entry = SPAN_NONE;
	struct imap_flags flags;
	struct imap_args a;
	struct buf out = { 0 };
	uint64_t from, length;
	int64_t s = 0;
	int16_t zone = 0;
	bool nil;

	imap_args_init(&a, text, arena);
	switch (which % 12) {
	case 0:
		imap_args_astring(&a);
		imap_args_sp(&a);
		imap_args_nstring(&a, &nil);
		break;
	case 1:
		imap_args_mailbox(&a);
		imap_args_sp(&a);
		imap_args_list_mailbox(&a);
		break;
	case 2:
		imap_args_sequence_set(&a);
		break;
	case 3:
		imap_args_flags(&a, true, &flags);
		break;
	case 4:
		imap_args_date(&a);
		break;
	case 5:
		imap_args_date_time(&a, &s, &zone);
		if (imap_args_good(&a))
			imap_put_date_time(&out, s, zone);
		break;
	case 6:
		imap_args_section(&a, false, &sec);
		imap_args_partial(&a, &from, &length);
		if (imap_args_good(&a))
			imap_put_section(&out, &sec);
		break;
	case 7:
		imap_args_number64(&a);
		imap_args_sp(&a);
		imap_args_nz_number(&a);
		break;
	case 8:
		read_url(text, arena);
		break;
	case 11:
		imap_args_annotation_literal(a);
		if (text.len % 2 == 0) {
			imap_args_annotations(&a, &notes);
		} else {
			imap_args_annotation_item(&a, &item);
			imap_args_annotation_sort(&a, &entry, &nil);
			imap_put_astring(&out, entry);
		}
		break;
	default:
		if (text.len % 3 == 0)
			imap_sort_parse(&a, &search);
		else if (text.len % 3 == 1)
			imap_thread_parse(&a, &search);
		else
			imap_search_parse(&a, &search);
		if (imap_args_end(&a))
			scan(&search, text, arena);
		break;
	}
	imap_args_end(&a);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct imap_reader r;
	struct arena arena = { 0 };
	struct buf in = { 0 };
	bool more = true;

	if (len == 0)
		return 0;
	imap_reader_init(&r, 2000);
	buf_add(&in, data + 1, len - 1);
	while (more) {
		switch (imap_reader_read(&r, &in)) {
		case IMAP_READ_COMMAND:
			read_arguments(data[0], buf_span(&r.text), &arena);
			imap_reader_next(&r);
			break;
		case IMAP_READ_LITERAL:
			if (r.literal.size > 1000)
				imap_reader_skip(&r);
			else if (r.literal.binary)
				imap_reader_stream(&r);
			else
				imap_reader_keep(&r);
			break;
		case IMAP_READ_BYTES:
			imap_reader_took(&r, &in, imap_reader_ready(&r, &in));
			break;
		case IMAP_READ_STREAMED:
			break;
		default:
			more = false;
		}
	}
	imap_reader_fini(&r);
	arena_fini(&arena);
	buf_fini(&in);
	return 0;
}
