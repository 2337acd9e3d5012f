/* The first byte chooses the list, the rest is its bytes. */
#include <stddef.h>
#include <stdint.h>

#include "common/mail/state_change.h"
#include "common/mail/type_state.h"
#include "storage/api/store_email.h"
#include "storage/api/store_push.h"
#include "storage/api/store_quota.h"
#include "storage/api/store_sieve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
read_sieve(unsigned which, struct reader *r)
{
	struct store_script script;
	struct store_sieve_key key;
	struct store_deliver_key condition;
	struct store_deliver_place place;
	struct store_delivered_place delivered;
	struct store_queue_rcpt rcpt;
	struct store_queue_new new;
	struct store_queue_entry entry;
	struct store_event_row event;

	switch (which) {
	case 0: while (get_store_script(r, &script)); break;
	case 1: while (get_store_sieve_key(r, &key)); break;
	case 2: while (get_store_deliver_key(r, &condition)); break;
	case 3: while (get_store_deliver_place(r, &place)); break;
	case 4: while (get_store_delivered_place(r, &delivered)); break;
	case 5: while (get_store_queue_rcpt(r, &rcpt)); break;
	case 6: while (get_store_queue_new(r, &new)); break;
	case 8: while (get_store_event_row(r, &event)); break;
	default: while (get_store_queue_entry(r, &entry)); break;
	}
}

static void
read_jmap(const uint8_t *data, size_t len)
{
	struct store_member member;
	struct store_email_change email;
	struct store_mailbox_change mailbox;
	struct store_email_item item;
	struct store_blob blob;
	struct store_quota_is quota;
	struct type_state state;
	struct reader r;

	if (len == 0)
		return;
	reader_init(&r, data + 1, len - 1);
	(void)type_state_parse(span(data + 1, len - 1), &state);
	(void)store_quota_parse(span(data + 1, len - 1), &quota);
	(void)push_type_bit(span(data + 1, len - 1));
	if (data[0] & 128) {
		read_sieve(data[0] & 15, &r);
		return;
	}
	switch (data[0] % 5) {
	case 0: while (get_store_member(&r, &member)); break;
	case 1: while (get_store_email_change(&r, &email)); break;
	case 2: while (get_store_mailbox_change(&r, &mailbox)); break;
	case 3: while (get_store_email_item(&r, &item)); break;
	default: while (get_store_blob(&r, &blob)); break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r;
	union {
		struct store_mailbox mailbox;
		struct store_row row;
		struct store_cache cache;
		struct store_append_item item;
		struct store_body_piece piece;
		struct store_dir_record record;
		struct store_dir_step step;
		struct span keyword;
		struct store_columns_row columns;
		struct store_annotation annotation;
		struct store_annotated annotated;
		struct store_copy_entry copy;
		struct store_text text;
		struct store_needle needle;
		struct store_restore_line line;
		struct store_push push;
	} u;

	if (len == 0)
		return 0;
	reader_init(&r, data + 1, len - 1);
	switch (data[0] & 7) {
	case 0: while (get_store_mailbox(&r, &u.mailbox)); break;
	case 1: while (get_store_row(&r, &u.row, data[0] >> 3 & ROW_ALL)); break;
	case 2: while (get_store_cache(&r, &u.cache)); break;
	case 3: while (get_store_append_item(&r, &u.item)); break;
	case 4: while (get_store_body_piece(&r, &u.piece)); break;
	case 5: while (get_store_dir_record(&r, &u.record)); break;
	case 6: while (get_store_dir_step(&r, &u.step)); break;
	default:
		if (data[0] >> 3 & 1 && data[0] >> 4 & 1)
			while (get_store_annotation(&r, &u.annotation));
		else if (data[0] >> 3 & 1 && data[0] >> 5 & 1)
			while (get_store_annotated(&r, &u.annotated));
		else if (data[0] >> 3 & 1 && data[0] >> 6 & 1)
			while (get_store_copy_entry(&r, &u.copy));
		else if (data[0] >> 3 & 1 && data[0] >> 7 & 1)
			while (get_store_text(&r, &u.text));
		else if (data[0] >> 4 & 1 && data[0] >> 5 & 1 && data[0] >> 7 & 1)
			read_jmap(data + 1, len - 1);
		else if (data[0] >> 7 & 1 && data[0] >> 6 & 1)
			while (get_store_restore_line(&r, &u.line));
		else if (data[0] >> 6 & 1)
			while (get_store_push(&r, &u.push));
		else if (data[0] >> 7 & 1)
			while (get_store_needle(&r, &u.needle));
		else if (data[0] >> 3 & 1)
			while (get_store_keyword(&r, &u.keyword));
		else
			while (get_store_columns_row(&r, &u.columns, data[0] >> 4 & ROW_ALL, 0x91));
		break;
	}
	return 0;
}
