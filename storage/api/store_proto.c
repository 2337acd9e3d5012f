#include "storage/api/store_proto.h"

#define UIDS(type, m)	IPC_STR(type, m, 0, 1u << 20)
#define PART		(1u << 20)	/* largest list in one part of an answer */
#define PUSH_BYTES	(STORE_PUSH_URL_MAX + STORE_PUSH_DEVICE_MAX + 2 * STORE_PUSH_KEY_MAX + \
	STORE_PUSH_TYPES_MAX + STORE_PUSH_CODE + 64)
#define PATH(type, m)	IPC_STR(type, m, 1, STORE_PATH_MAX)
#define SEQ(type)	IPC_U64(type, seq), IPC_U64(type, acked)

static const struct ipc_field attach[] = {
	IPC_STR(store_attach, ticket, 1, 512), IPC_U64(store_attach, owner),
	IPC_BOOL(store_attach, idly), IPC_END };
static const struct ipc_field attached[] = {
	IPC_U64(store_attached, account), IPC_U64(store_attached, incarnation),
	IPC_U64(store_attached, modseq), IPC_I64(store_attached, expires_s),
	IPC_BOOL(store_attached, quota_told),
	IPC_U64(store_attached, bytes), IPC_U64(store_attached, bytes_limit),
	IPC_U64(store_attached, messages), IPC_U64(store_attached, messages_limit),
	IPC_U64(store_attached, mailboxes), IPC_U64(store_attached, mailboxes_limit),
	IPC_BOOL(store_attached, events), IPC_END };
static const struct ipc_field list[] = {
	IPC_STR(store_list, path, 0, STORE_PATH_MAX), IPC_END };
static const struct ipc_field mailboxes[] = {
	IPC_STR(store_mailboxes, list, 0, PART), IPC_END };
static const struct ipc_field create[] = {
	SEQ(store_create), PATH(store_create, path),
	IPC_U8(store_create, role, 0, MAILBOX_ROLE_MAX), IPC_END };
static const struct ipc_field created[] = {
	IPC_U64(store_created, mailbox), IPC_U32(store_created, uidvalidity),
	IPC_U64(store_created, modseq), IPC_END };
static const struct ipc_field delete_[] = {
	SEQ(store_delete), PATH(store_delete, path), IPC_END };
static const struct ipc_field rename_[] = {
	SEQ(store_rename), PATH(store_rename, from), PATH(store_rename, to), IPC_END };
static const struct ipc_field subscribe[] = {
	SEQ(store_subscribe), PATH(store_subscribe, path), IPC_BOOL(store_subscribe, on), IPC_END };
static const struct ipc_field open_[] = {
	PATH(store_open, path), IPC_BOOL(store_open, claim_recent), IPC_END };
static const struct ipc_field opened[] = {
	IPC_U64(store_opened, mailbox), IPC_U32(store_opened, uidvalidity),
	IPC_U32(store_opened, uidnext), IPC_U64(store_opened, highestmodseq),
	IPC_U32(store_opened, unseen_first), IPC_U32(store_opened, recent_from),
	IPC_U32(store_opened, rights), IPC_U8(store_opened, role, 0, MAILBOX_ROLE_MAX),
	IPC_STR(store_opened, uids, 0, IPC_SIZE_MAX - 65536),
	IPC_STR(store_opened, keywords, 0, 32768), IPC_U64(store_opened, url_reset), IPC_END };
static const struct ipc_field rows[] = {
	IPC_U64(store_rows, mailbox), UIDS(store_rows, uids),
	IPC_U8(store_rows, fields, 0, ROW_ALL), IPC_END };
static const struct ipc_field rows_are[] = {
	IPC_STR(store_rows_are, rows, 0, PART), IPC_STR(store_rows_are, keywords, 0, 32768),
	IPC_END };
static const struct ipc_field cache[] = {
	IPC_U64(store_cache_get, mailbox), UIDS(store_cache_get, uids),
	IPC_U8(store_cache_get, want, 1, CACHE_LIST | CACHE_STRUCTURE), IPC_END };
static const struct ipc_field cache_is[] = {
	IPC_STR(store_cache_is, entries, 0, PART), IPC_END };
static const struct ipc_field columns[] = {
	IPC_U64(store_columns, mailbox), UIDS(store_columns, uids),
	IPC_U32(store_columns, want), IPC_U8(store_columns, version, 0, 255),
	IPC_U8(store_columns, fields, 0, ROW_ALL), IPC_U32(store_columns, budget), IPC_END };
static const struct ipc_field columns_are[] = {
	IPC_STR(store_columns_are, rows, 0, PART),
	IPC_STR(store_columns_are, keywords, 0, 32768),
	IPC_U32(store_columns_are, resume_uid), IPC_END };
static const struct ipc_field marks[] = {
	IPC_U64(store_marks, mailbox), IPC_END };
static const struct ipc_field marks_are[] = {
	UIDS(store_marks_are, here), UIDS(store_marks_are, unseen),
	UIDS(store_marks_are, deleted), IPC_END };
static const struct ipc_field body[] = {
	IPC_U64(store_body, mailbox), UIDS(store_body, uids), IPC_U64(store_body, offset),
	IPC_U64(store_body, length), IPC_U32(store_body, budget), IPC_END };
static const struct ipc_field body_is[] = {
	IPC_STR(store_body_is, pieces, 0, PART), IPC_U32(store_body_is, resume_uid),
	IPC_U64(store_body_is, resume_offset), IPC_END };
static const struct ipc_field changes[] = {
	IPC_U64(store_changes, mailbox), IPC_U64(store_changes, since),
	UIDS(store_changes, known), IPC_BOOL(store_changes, claim_recent),
	IPC_BOOL(store_changes, uids_only), IPC_END };
static const struct ipc_field changes_are[] = {
	IPC_U64(store_changes_are, highestmodseq), IPC_U32(store_changes_are, uidnext),
	IPC_U32(store_changes_are, recent_from), IPC_BOOL(store_changes_are, full),
	IPC_BOOL(store_changes_are, gone),
	IPC_STR(store_changes_are, vanished, 0, 2u << 20),
	IPC_STR(store_changes_are, rows, 0, PART),
	IPC_STR(store_changes_are, keywords, 0, 32768),
	IPC_STR(store_changes_are, changed, 0, 2u << 20),
	IPC_U64(store_changes_are, url_reset), IPC_END };
static const struct ipc_field touched[] = {
	IPC_U64(store_touched, since), IPC_END };
static const struct ipc_field touched_are[] = {
	IPC_U64(store_touched_are, modseq), IPC_BOOL(store_touched_are, all),
	IPC_STR(store_touched_are, list, 0, PART),
	IPC_STR(store_touched_are, noted, 0, PART), IPC_BOOL(store_touched_are, not_noted),
	IPC_END };
static const struct ipc_field watch[] = {
	IPC_BOOL(store_watch, on), IPC_END };
static const struct ipc_field dirty[] = {
	IPC_U64(store_dirty, modseq), IPC_U64(store_dirty, email),
	IPC_U64(store_dirty, mailbox), IPC_U64(store_dirty, thread),
	IPC_U64(store_dirty, script), IPC_END };
static const struct ipc_field stage[] = {
	IPC_U32(store_stage, stage), IPC_U64(store_stage, total),
	IPC_STR(store_stage, data, 1, STORE_CHUNK_MAX), IPC_BOOL(store_stage, upload), IPC_END };
static const struct ipc_field stage_drop[] = {
	IPC_U32(store_stage_drop, stage), IPC_END };
static const struct ipc_field append[] = {
	SEQ(store_append), IPC_STR(store_append, path, 0, STORE_PATH_MAX), IPC_BOOL(store_append, make),
	IPC_STR(store_append, keywords, 0, 32768),
	IPC_STR(store_append, items, 1, IPC_SIZE_MAX - 65536),
	IPC_U64(store_append, replace_mailbox), IPC_U32(store_append, replace_uid),
	IPC_STR(store_append, annotations, 0, IPC_SIZE_MAX - 65536),
	IPC_BOOL(store_append, carried), IPC_STR(store_append, into, 0, 8000),
	IPC_U64(store_append, if_email), IPC_END };
static const struct ipc_field place[] = {
	SEQ(store_place), PATH(store_place, path), IPC_STR(store_place, keywords, 0, 32768),
	IPC_STR(store_place, items, 1, IPC_SIZE_MAX - (1u << 20) - 65536),
	IPC_STR(store_place, annotations, 0, IPC_SIZE_MAX - 65536),
	UIDS(store_place, uids), IPC_U64(store_place, modseq), IPC_END };
static const struct ipc_field uidvalidity[] = {
	SEQ(store_uidvalidity), IPC_U64(store_uidvalidity, mailbox),
	IPC_U64(store_uidvalidity, if_modseq), IPC_U32(store_uidvalidity, uidvalidity),
	IPC_U32(store_uidvalidity, uidnext), IPC_END };
static const struct ipc_field sums[] = {
	IPC_U64(store_sums, mailbox), UIDS(store_sums, uids), IPC_END };
static const struct ipc_field backup_begin[] = {
	IPC_BOOL(store_backup_begin, fresh), IPC_END };
static const struct ipc_field backup_is[] = {
	IPC_U32(store_backup_is, copy), IPC_U64(store_backup_is, incarnation),
	IPC_U64(store_backup_is, lsn), IPC_STR(store_backup_is, files, 0, PART),
	IPC_STR(store_backup_is, segments, 0, PART), IPC_END };
static const struct ipc_field backup_read[] = {
	IPC_U32(store_backup_read, copy), IPC_STR(store_backup_read, name, 0, 63),
	IPC_U32(store_backup_read, segment), IPC_U64(store_backup_read, offset),
	{ "length", IPC_K_U32, offsetof(struct store_backup_read, length), 1, STORE_BACKUP_PIECE },
	IPC_END };
static const struct ipc_field backup_data[] = {
	IPC_STR(store_backup_data, data, 0, STORE_BACKUP_PIECE), IPC_END };
static const struct ipc_field backup_end[] = {
	IPC_U32(store_backup_end, copy), IPC_END };
static const struct ipc_field sums_are[] = {
	IPC_STR(store_sums_are, sums, 0, PART), IPC_END };
static const struct ipc_field appended[] = {
	IPC_U64(store_appended, mailbox), IPC_U32(store_appended, uidvalidity),
	UIDS(store_appended, uids), IPC_U64(store_appended, modseq),
	IPC_STR(store_appended, ids, 0, 16000), IPC_U64(store_appended, old_email), IPC_END };
static const struct ipc_field flags[] = {
	SEQ(store_flags), IPC_U64(store_flags, mailbox), UIDS(store_flags, uids),
	IPC_U8(store_flags, how, FLAGS_ADD, FLAGS_REPLACE),
	IPC_U8(store_flags, system, 0, FLAG_SYSTEM_ALL),
	IPC_STR(store_flags, keywords, 0, 32768),
	IPC_U64(store_flags, unchanged_since), IPC_END };
static const struct ipc_field flags_are[] = {
	IPC_U64(store_flags_are, modseq), IPC_STR(store_flags_are, rows, 0, PART),
	UIDS(store_flags_are, modified), IPC_STR(store_flags_are, keywords, 0, 32768), IPC_END };
static const struct ipc_field expunge[] = {
	SEQ(store_expunge), IPC_U64(store_expunge, mailbox), UIDS(store_expunge, uids), IPC_END };
static const struct ipc_field expunged[] = {
	IPC_U64(store_expunged, modseq), IPC_STR(store_expunged, uids, 0, 2u << 20), IPC_END };
static const struct ipc_field copy[] = {
	SEQ(store_copy), IPC_U64(store_copy, mailbox), UIDS(store_copy, uids),
	PATH(store_copy, to), IPC_BOOL(store_copy, move), IPC_END };
static const struct ipc_field copied[] = {
	IPC_U64(store_copied, target), IPC_U32(store_copied, uidvalidity),
	IPC_STR(store_copied, from, 0, PART), IPC_STR(store_copied, to, 0, PART),
	IPC_U64(store_copied, modseq), IPC_END };
static const struct ipc_field quota_is[] = {
	IPC_U64(store_quota_is, bytes), IPC_U64(store_quota_is, bytes_limit),
	IPC_U64(store_quota_is, messages), IPC_U64(store_quota_is, messages_limit),
	IPC_U64(store_quota_is, mailboxes), IPC_U64(store_quota_is, mailboxes_limit), IPC_END };
static const struct ipc_field quota_near[] = {
	IPC_U8(store_quota_near, percent, 0, 255), IPC_END };
static const struct ipc_field quota_set[] = {
	SEQ(store_quota_set), IPC_U64(store_quota_set, bytes), IPC_U64(store_quota_set, messages),
	IPC_U64(store_quota_set, mailboxes), IPC_END };
static const struct ipc_field dir_read[] = {
	IPC_STR(store_dir_read, from, 1, 512), IPC_STR(store_dir_read, to, 0, 512),
	IPC_U32(store_dir_read, limit), IPC_END };
static const struct ipc_field dir_records[] = {
	IPC_STR(store_dir_records, records, 0, PART), IPC_U64(store_dir_records, modseq), IPC_END };
static const struct ipc_field dir_write[] = {
	SEQ(store_dir_write), IPC_STR(store_dir_write, steps, 1, 256u << 10), IPC_END };
static const struct ipc_field dir_written[] = {
	IPC_U64(store_dir_written, modseq), IPC_END };
static const struct ipc_field dir_dirty[] = {
	IPC_U64(store_dir_dirty, modseq), IPC_STR(store_dir_dirty, keys, 0, 65536), IPC_END };
static const struct ipc_field copy_made[] = {
	IPC_U32(store_copy_made, number), IPC_END };
static const struct ipc_field copies_are[] = {
	IPC_STR(store_copies_are, list, 0, 65536), IPC_END };
static const struct ipc_field stats_are[] = {
	IPC_STR(store_stats_are, text, 0, 65536), IPC_END };
static const struct ipc_field queue[] = {
	IPC_U64(store_queue, account), IPC_U64(store_queue, id), IPC_BOOL(store_queue, only), IPC_END };
static const struct ipc_field queue_are[] = {
	IPC_STR(store_queue_are, entries, 0, PART), IPC_U64(store_queue_are, account),
	IPC_U64(store_queue_are, id), IPC_END };
static const struct ipc_field queue_set[] = {
	IPC_U64(store_queue_set, account), IPC_U64(store_queue_set, id),
	IPC_U8(store_queue_set, how, QUEUE_LATER, QUEUE_RETURN), IPC_END };
static const struct ipc_field fsck[] = {
	IPC_U64(store_fsck, account), IPC_U8(store_fsck, flags, 1, 31),
	IPC_U8(store_fsck, share, 0, 100), IPC_U64(store_fsck, body_rate), IPC_END };
static const struct ipc_field fsck_is[] = {
	IPC_U64(store_fsck_is, done), IPC_U64(store_fsck_is, total),
	IPC_U64(store_fsck_is, wrong), IPC_U64(store_fsck_is, mended),
	IPC_U64(store_fsck_is, notes), IPC_U64(store_fsck_is, bodies),
	IPC_STR(store_fsck_is, found, 0, PART), IPC_STR(store_fsck_is, roots, 0, PART), IPC_END };
static const struct ipc_field account_delete[] = {
	SEQ(store_account_delete), IPC_U64(store_account_delete, account), IPC_END };
static const struct ipc_field account_limits[] = {
	SEQ(store_account_limits), IPC_U64(store_account_limits, account),
	IPC_U64(store_account_limits, bytes), IPC_U64(store_account_limits, messages),
	IPC_U64(store_account_limits, mailboxes), IPC_END };

static const struct ipc_field lease[] = {
	IPC_BOOL(store_lease, on), IPC_U64(store_lease, what), IPC_U32(store_lease, apart_s), IPC_END };
static const struct ipc_field remove_[] = {
	SEQ(store_remove), IPC_U8(store_remove, how, REMOVE_EXPUNGE, REMOVE_MOVE),
	IPC_U8(store_remove, system, 0, FLAG_SYSTEM_ALL),
	IPC_STR(store_remove, keywords, 0, 32768), IPC_STR(store_remove, to, 0, STORE_PATH_MAX),
	IPC_STR(store_remove, what, 1, PART), IPC_END };
static const struct ipc_field removed[] = {
	IPC_U64(store_removed, modseq), IPC_U32(store_removed, messages), IPC_END };
static const struct ipc_field uidls[] = {
	IPC_U64(store_uidls, mailbox), IPC_U32(store_uidls, from), IPC_U32(store_uidls, limit),
	IPC_END };
static const struct ipc_field uidls_are[] = {
	IPC_STR(store_uidls_are, list, 0, PART), IPC_U32(store_uidls_are, resume), IPC_END };
static const struct ipc_field uidl_put[] = {
	SEQ(store_uidl_put), IPC_U64(store_uidl_put, mailbox),
	IPC_STR(store_uidl_put, list, 1, PART), IPC_END };

static const struct ipc_field acl[] = {
	PATH(store_acl_get, path), IPC_END };
static const struct ipc_field acl_is[] = {
	IPC_U64(store_acl_is, mailbox), IPC_U32(store_acl_is, rights),
	IPC_STR(store_acl_is, entries, 0, 32768), IPC_END };
static const struct ipc_field acl_set[] = {
	SEQ(store_acl_set), PATH(store_acl_set, path),
	IPC_U8(store_acl_set, kind, ACL_USER, ACL_ANYONE), IPC_U64(store_acl_set, id),
	IPC_BOOL(store_acl_set, negative), IPC_U8(store_acl_set, how, ACL_REPLACE, ACL_DELETE),
	IPC_U32(store_acl_set, rights), IPC_END };
static const struct ipc_field shared[] = {
	IPC_U64(store_shared, after), IPC_END };
static const struct ipc_field shared_are[] = {
	IPC_STR(store_shared_are, owners, 0, PART), IPC_BOOL(store_shared_are, more), IPC_END };
static const struct ipc_field metadata_get[] = {
	IPC_U64(store_metadata_get, mailbox), IPC_STR(store_metadata_get, names, 1, 65536),
	IPC_U8(store_metadata_get, depth, 0, 255), IPC_U32(store_metadata_get, max_size),
	IPC_U32(store_metadata_get, from), IPC_END };
static const struct ipc_field metadata_is[] = {
	IPC_STR(store_metadata_is, entries, 0, PART), IPC_U32(store_metadata_is, resume), IPC_END };
static const struct ipc_field metadata_set[] = {
	SEQ(store_metadata_set), IPC_U64(store_metadata_set, mailbox),
	IPC_STR(store_metadata_set, entries, 1, PART), IPC_END };

static const struct ipc_field url_key_make[] = {
	SEQ(store_url_key_make), IPC_STR(store_url_key_make, path, 0, STORE_PATH_MAX),
	IPC_BOOL(store_url_key_make, reset), IPC_END };
static const struct ipc_field url_keyed[] = {
	IPC_U64(store_url_keyed, modseq), IPC_END };
static const struct ipc_field url_sign[] = {
	IPC_STR(store_url_sign, rump, 1, STORE_URL_MAX), IPC_U64(store_url_sign, who), IPC_END };
static const struct ipc_field url_signed[] = {
	IPC_STR(store_url_signed, token, STORE_URL_TOKEN, STORE_URL_TOKEN), IPC_END };
static const struct ipc_field url_find[] = {
	IPC_STR(store_url_find, url, 1, STORE_URL_MAX), IPC_END };
static const struct ipc_field url_found[] = {
	IPC_U64(store_url_found, size),
	IPC_STR(store_url_found, structure, 0, STORE_CACHE_MAX), IPC_END };
static const struct ipc_field url_body[] = {
	IPC_STR(store_url_body, url, 1, STORE_URL_MAX), IPC_U64(store_url_body, offset),
	IPC_U32(store_url_body, budget), IPC_END };
static const struct ipc_field annotations[] = {
	IPC_U64(store_annotations, mailbox), UIDS(store_annotations, uids),
	IPC_STR(store_annotations, names, 1, 32768),
	IPC_U8(store_annotations, which, 1, ANNOTATIONS_PRIVATE | ANNOTATIONS_SHARED),
	IPC_U32(store_annotations, max_size), IPC_U32(store_annotations, budget), IPC_END };
static const struct ipc_field annotations_are[] = {
	IPC_STR(store_annotations_are, entries, 0, PART),
	IPC_U32(store_annotations_are, resume_uid), IPC_END };
static const struct ipc_field annotate[] = {
	SEQ(store_annotate), IPC_U64(store_annotate, mailbox), UIDS(store_annotate, uids),
	IPC_STR(store_annotate, entries, 1, PART),
	IPC_U64(store_annotate, unchanged_since), IPC_END };
static const struct ipc_field annotated[] = {
	IPC_U64(store_annotated_get, mailbox), IPC_U64(store_annotated_get, since),
	UIDS(store_annotated_get, uids), IPC_END };
static const struct ipc_field annotated_are[] = {
	IPC_STR(store_annotated_are, entries, 0, PART), IPC_END };

static const struct ipc_field text_find[] = {
	IPC_U64(store_text_find, mailbox), UIDS(store_text_find, uids),
	IPC_U8(store_text_find, version, 1, 255),
	IPC_STR(store_text_find, needles, 1, STORE_NEEDLES_MAX * (STORE_NEEDLE_MAX + 8)), IPC_END };
static const struct ipc_field text_found[] = {
	IPC_U8(store_text_found, needle, 0, STORE_NEEDLES_MAX), UIDS(store_text_found, header),
	UIDS(store_text_found, body), UIDS(store_text_found, missing), IPC_END };
static const struct ipc_field restore[] = {
	IPC_I64(store_restore, at_ms), IPC_STR(store_restore, path, 0, STORE_PATH_MAX),
	IPC_U8(store_restore, how, 0, RESTORE_DRY | RESTORE_EXACT), IPC_END };
static const struct ipc_field restoring[] = {
	IPC_STR(store_restoring, lines, 0, PART), IPC_I64(store_restoring, earliest_ms),
	IPC_U64(store_restoring, lost), IPC_U8(store_restoring, status, 0, ST_MAX), IPC_END };
static const struct ipc_field undelete[] = {
	SEQ(store_undelete), IPC_STR(store_undelete, ids, 8, 8000),
	IPC_STR(store_undelete, to, 0, STORE_PATH_MAX), IPC_END };
static const struct ipc_field restored[] = {
	IPC_U32(store_restored, done), IPC_U32(store_restored, skipped), IPC_END };

static const struct ipc_field states_are[] = {
	IPC_U64(store_states_are, modseq), IPC_U64(store_states_are, email),
	IPC_U64(store_states_are, mailbox), IPC_U64(store_states_are, thread),
	IPC_U64(store_states_are, incarnation), IPC_U64(store_states_are, horizon),
	IPC_U64(store_states_are, script), IPC_U64(store_states_are, delivery), IPC_END };
static const struct ipc_field emails[] = {
	IPC_U64(store_emails, mailbox), IPC_U32(store_emails, uid), IPC_END };
static const struct ipc_field emails_are[] = {
	IPC_U64(store_emails_are, modseq), IPC_STR(store_emails_are, members, 0, PART),
	IPC_STR(store_emails_are, keywords, 0, 32768), IPC_END };
static const struct ipc_field email_changes[] = {
	IPC_U64(store_email_changes, since), IPC_U64(store_email_changes, after),
	IPC_U64(store_email_changes, incarnation), IPC_U32(store_email_changes, limit), IPC_END };
static const struct ipc_field email_changes_are[] = {
	IPC_U64(store_email_changes_are, upto), IPC_U64(store_email_changes_are, upto_after),
	IPC_BOOL(store_email_changes_are, more), IPC_U64(store_email_changes_are, email),
	IPC_U64(store_email_changes_are, thread),
	IPC_STR(store_email_changes_are, changes, 0, PART),
	IPC_STR(store_email_changes_are, keywords, 0, 32768), IPC_END };
static const struct ipc_field mailbox_changes[] = {
	IPC_U64(store_mailbox_changes, since), IPC_U64(store_mailbox_changes, after),
	IPC_U64(store_mailbox_changes, incarnation), IPC_U32(store_mailbox_changes, limit),
	IPC_END };
static const struct ipc_field mailbox_changes_are[] = {
	IPC_U64(store_mailbox_changes_are, upto), IPC_U64(store_mailbox_changes_are, upto_after),
	IPC_BOOL(store_mailbox_changes_are, more), IPC_U64(store_mailbox_changes_are, mailbox),
	IPC_STR(store_mailbox_changes_are, changes, 0, PART), IPC_END };
static const struct ipc_field email_set[] = {
	SEQ(store_email_set), IPC_U64(store_email_set, if_email),
	IPC_STR(store_email_set, keywords, 0, 32768), IPC_STR(store_email_set, items, 1, PART),
	IPC_END };
static const struct ipc_field email_set_is[] = {
	IPC_U64(store_email_set_is, old_email), IPC_U64(store_email_set_is, email),
	IPC_U64(store_email_set_is, modseq),
	IPC_STR(store_email_set_is, outcomes, 0, STORE_EMAIL_SET_MAX), IPC_END };
static const struct ipc_field mailbox_set[] = {
	SEQ(store_mailbox_set), IPC_U64(store_mailbox_set, if_mailbox),
	IPC_U8(store_mailbox_set, how, MAILBOX_SET_CREATE, MAILBOX_SET_DESTROY),
	IPC_U64(store_mailbox_set, mailbox),
	IPC_U8(store_mailbox_set, fields, 0, MAILBOX_CHANGED_COUNTS - 1),
	IPC_U64(store_mailbox_set, parent), IPC_STR(store_mailbox_set, name, 0, STORE_PATH_MAX),
	IPC_U8(store_mailbox_set, role, 0, MAILBOX_ROLE_MAX), IPC_U32(store_mailbox_set, order),
	IPC_BOOL(store_mailbox_set, subscribed), IPC_BOOL(store_mailbox_set, remove_emails),
	IPC_END };
static const struct ipc_field mailbox_set_is[] = {
	IPC_U8(store_mailbox_set_is, verdict, 0, MAILBOX_SET_MAX),
	IPC_U64(store_mailbox_set_is, mailbox), IPC_U64(store_mailbox_set_is, old_mailbox),
	IPC_U64(store_mailbox_set_is, state), IPC_U64(store_mailbox_set_is, modseq), IPC_END };
static const struct ipc_field pushes_are[] = {
	IPC_STR(store_pushes_are, list, 0, PART), IPC_END };
static const struct ipc_field push_set[] = {
	SEQ(store_push_set), IPC_U8(store_push_set, how, PUSH_CREATE, PUSH_DESTROY), IPC_U64(store_push_set, id),
	IPC_U8(store_push_set, what, 0, PUSH_CODE | PUSH_EXPIRES | PUSH_TYPES), IPC_STR(store_push_set, push, 0, PUSH_BYTES), IPC_END };
static const struct ipc_field push_is[] = {
	IPC_U64(store_push_is, id), IPC_I64(store_push_is, expires_s), IPC_END };
static const struct ipc_field blob_put[] = {
	SEQ(store_blob_put), IPC_U64(store_blob_put, size), IPC_STR(store_blob_put, sha256, 32, 32),
	IPC_U32(store_blob_put, stage), IPC_STR(store_blob_put, body, 0, STORE_INLINE_MAX),
	IPC_END };
static const struct ipc_field blob_is[] = {
	IPC_U64(store_blob_is, id), IPC_I64(store_blob_is, expires_ms), IPC_END };
static const struct ipc_field blob_read[] = {
	IPC_U64(store_blob_read, id), IPC_U64(store_blob_read, offset),
	IPC_U64(store_blob_read, length), IPC_U32(store_blob_read, budget), IPC_END };
static const struct ipc_field blobs[] = {
	IPC_STR(store_blobs, ids, 0, 65536), IPC_END };
static const struct ipc_field blobs_are[] = {
	IPC_STR(store_blobs_are, blobs, 0, PART), IPC_END };

static const struct ipc_field scripts_are[] = {
	IPC_STR(store_scripts_are, scripts, 0, PART), IPC_U64(store_scripts_are, state),
	IPC_U64(store_scripts_are, bytes), IPC_U64(store_scripts_are, bytes_limit),
	IPC_U64(store_scripts_are, count_limit), IPC_U64(store_scripts_are, size_limit), IPC_END };
static const struct ipc_field script_get[] = {
	IPC_STR(store_script_get, name, 0, STORE_SCRIPT_NAME_MAX),
	IPC_STR(store_script_get, known, 0, 32), IPC_END };
static const struct ipc_field script_is[] = {
	IPC_STR(store_script_is, script, 1, 1024), IPC_BOOL(store_script_is, same),
	IPC_STR(store_script_is, text, 0, STORE_SCRIPT_MAX), IPC_END };
static const struct ipc_field script_set[] = {
	SEQ(store_script_set), IPC_U8(store_script_set, how, SCRIPT_PUT, SCRIPT_ACTIVATE),
	IPC_STR(store_script_set, name, 0, STORE_SCRIPT_NAME_MAX),
	IPC_STR(store_script_set, to, 0, STORE_SCRIPT_NAME_MAX),
	IPC_STR(store_script_set, text, 0, STORE_SCRIPT_MAX),
	IPC_BOOL(store_script_set, activate), IPC_U64(store_script_set, if_state), IPC_END };
static const struct ipc_field script_set_is[] = {
	IPC_U64(store_script_set_is, id), IPC_BOOL(store_script_set_is, made),
	IPC_U64(store_script_set_is, old_state), IPC_U64(store_script_set_is, state), IPC_END };
static const struct ipc_field script_room[] = {
	IPC_STR(store_script_room, name, 1, STORE_SCRIPT_NAME_MAX),
	IPC_U64(store_script_room, size), IPC_END };
static const struct ipc_field sieve_keys[] = {
	IPC_STR(store_sieve_keys, keys, 1, STORE_SIEVE_KEYS_ASKED * (STORE_SIEVE_KEY + 1)),
	IPC_END };
static const struct ipc_field sieve_keys_are[] = {
	IPC_STR(store_sieve_keys_are, known, 0, STORE_SIEVE_KEYS_ASKED), IPC_END };
static const struct ipc_field deliver[] = {
	SEQ(store_deliver), IPC_STR(store_deliver, keywords, 0, 32768),
	IPC_STR(store_deliver, bodies, 0, STORE_DELIVER_BYTES),
	IPC_STR(store_deliver, places, 0, STORE_DELIVER_PLACES * (STORE_PATH_MAX + 64)),
	IPC_STR(store_deliver, keys, 0, STORE_SIEVE_KEYS_ASKED * (STORE_SIEVE_KEY + 8)),
	IPC_STR(store_deliver, queue, 0, STORE_QUEUE_NEW_BYTES),
	IPC_U64(store_deliver, of_mailbox), IPC_U32(store_deliver, of_uid),
	IPC_U64(store_deliver, flags_add.w[0]), IPC_U64(store_deliver, flags_add.w[1]),
	IPC_U64(store_deliver, flags_remove.w[0]), IPC_U64(store_deliver, flags_remove.w[1]),
	IPC_END };
static const struct ipc_field delivered[] = {
	IPC_U64(store_delivered, modseq),
	IPC_STR(store_delivered, places, 0, (STORE_DELIVER_PLACES + STORE_DELIVER_QUEUE) * 48),
	IPC_STR(store_delivered, queued, 0, STORE_DELIVER_QUEUE * 8), IPC_END };
static const struct ipc_field event[] = {
	IPC_U64(store_event_get, mailbox), IPC_U64(store_event_get, modseq), UIDS(store_event_get, uids),
	IPC_END };
static const struct ipc_field event_are[] = {
	IPC_BOOL(store_event_are, entry),
	IPC_STR(store_event_are, script, 0, STORE_SCRIPT_NAME_MAX),
	IPC_STR(store_event_are, rows, 0, PART), IPC_STR(store_event_are, keywords, 0, 32768),
	IPC_END };

#define WORKER	(STORE_ROLE_ACCESS | STORE_ROLE_DELIVER)
#define ACCESS	STORE_ROLE_ACCESS
#define DIRECTORY (STORE_ROLE_DIRECTORY | STORE_ROLE_ADMIN)
#define ADMIN	STORE_ROLE_ADMIN
#define REPLY	0, IPC_MSG_REPLY
#define NOTE	0, IPC_MSG_NOTE
#define OF(type, fields) sizeof(struct type), fields
#define NOTHING	0, NULL

/* Numbers are never reused. */
static const struct ipc_message messages[] = {
	/* no, name, allowed (roles), flags, body_max, struct and fields */
	{ STORE_ATTACH, "attach", WORKER, IPC_MSG_SECRET, 1024, OF(store_attach, attach) },
	{ STORE_ATTACHED, "attached", REPLY, 128, OF(store_attached, attached) },
	{ STORE_DETACH, "detach", WORKER, 0, 0, NOTHING },
	{ STORE_REVOKED, "revoked", NOTE, 0, NOTHING },
	{ STORE_RENEW, "renew", WORKER, IPC_MSG_SECRET, 1024, OF(store_attach, attach) },
	{ STORE_LIST, "list", WORKER, 0, 2048, OF(store_list, list) },
	{ STORE_MAILBOXES, "mailboxes", REPLY, PART + 64, OF(store_mailboxes, mailboxes) },
	{ STORE_CREATE, "create", ACCESS, 0, 2048, OF(store_create, create) },
	{ STORE_CREATED, "created", REPLY, 64, OF(store_created, created) },
	{ STORE_DELETE, "delete", ACCESS, 0, 2048, OF(store_delete, delete_) },
	{ STORE_RENAME, "rename", ACCESS, 0, 4096, OF(store_rename, rename_) },
	{ STORE_SUBSCRIBE, "subscribe", ACCESS, 0, 2048, OF(store_subscribe, subscribe) },
	{ STORE_OPEN, "open", ACCESS, 0, 2048, OF(store_open, open_) },
	{ STORE_OPENED, "opened", REPLY, IPC_SIZE_MAX, OF(store_opened, opened) },
	{ STORE_ROWS, "rows", ACCESS, 0, (1u << 20) + 64, OF(store_rows, rows) },
	{ STORE_ROWS_ARE, "rows-are", REPLY, PART + 32768 + 64, OF(store_rows_are, rows_are) },
	{ STORE_CACHE, "cache", ACCESS, 0, (1u << 20) + 64, OF(store_cache_get, cache) },
	{ STORE_CACHE_IS, "cache-is", REPLY, PART + 64, OF(store_cache_is, cache_is) },
	{ STORE_BODY, "body", ACCESS, 0, (1u << 20) + 128, OF(store_body, body) },
	{ STORE_BODY_IS, "body-is", REPLY, PART + 128, OF(store_body_is, body_is) },
	{ STORE_CHANGES, "changes", ACCESS, 0, (1u << 20) + 128, OF(store_changes, changes) },
	{ STORE_CHANGES_ARE, "changes-are", REPLY, IPC_SIZE_MAX,
	    OF(store_changes_are, changes_are) },
	{ STORE_WATCH, "watch", ACCESS, 0, 16, OF(store_watch, watch) },
	{ STORE_DIRTY, "dirty", NOTE, 64, OF(store_dirty, dirty) },
	{ STORE_STAGE, "stage", WORKER, 0, STORE_CHUNK_MAX + 64, OF(store_stage, stage) },
	{ STORE_STAGE_DROP, "stage-drop", WORKER, 0, 16, OF(store_stage_drop, stage_drop) },
	{ STORE_APPEND, "append", WORKER, 0, IPC_SIZE_MAX, OF(store_append, append) },
	{ STORE_APPENDED, "appended", REPLY, PART + 16384, OF(store_appended, appended) },
	{ STORE_FLAGS, "flags", ACCESS, 0, (1u << 20) + 65536, OF(store_flags, flags) },
	{ STORE_FLAGS_ARE, "flags-are", REPLY, IPC_SIZE_MAX, OF(store_flags_are, flags_are) },
	{ STORE_EXPUNGE, "expunge", ACCESS, 0, (1u << 20) + 64, OF(store_expunge, expunge) },
	{ STORE_EXPUNGED, "expunged", REPLY, (2u << 20) + 64, OF(store_expunged, expunged) },
	{ STORE_COPY, "copy", ACCESS, 0, (1u << 20) + 4096, OF(store_copy, copy) },
	{ STORE_COPIED, "copied", REPLY, 2 * PART + 128, OF(store_copied, copied) },
	{ STORE_QUOTA, "quota", WORKER, 0, 0, NOTHING },
	{ STORE_QUOTA_IS, "quota-is", REPLY, 64, OF(store_quota_is, quota_is) },
	{ STORE_DIR_READ, "dir-read", DIRECTORY, 0, 2048, OF(store_dir_read, dir_read) },
	{ STORE_DIR_RECORDS, "dir-records", 0, IPC_MSG_REPLY | IPC_MSG_SECRET, PART + 64,
	    OF(store_dir_records, dir_records) },
	{ STORE_DIR_WRITE, "dir-write", DIRECTORY, IPC_MSG_SECRET, (256u << 10) + 64,
	    OF(store_dir_write, dir_write) },
	{ STORE_DIR_WRITTEN, "dir-written", REPLY, 16, OF(store_dir_written, dir_written) },
	{ STORE_DIR_WATCH, "dir-watch", DIRECTORY, 0, 0, NOTHING },
	{ STORE_DIR_DIRTY, "dir-dirty", NOTE, 65536 + 64, OF(store_dir_dirty, dir_dirty) },
	{ STORE_FSCK, "fsck", ADMIN, 0, 64, OF(store_fsck, fsck) },
	{ STORE_FSCK_IS, "fsck-is", REPLY, 2 * PART + 64, OF(store_fsck_is, fsck_is) },
	{ STORE_STATS, "stats", ADMIN, 0, 0, NOTHING },
	{ STORE_STATS_ARE, "stats-are", REPLY, 65536 + 64, OF(store_stats_are, stats_are) },
	{ STORE_COPY_MAKE, "copy-make", ADMIN, 0, 0, NOTHING },
	{ STORE_COPY_MADE, "copy-made", REPLY, 16, OF(store_copy_made, copy_made) },
	{ STORE_COPIES, "copies", ADMIN, 0, 0, NOTHING },
	{ STORE_COPIES_ARE, "copies-are", REPLY, 65536 + 64, OF(store_copies_are, copies_are) },
	{ STORE_ACCOUNT_DELETE, "account-delete", ADMIN, 0, 64,
	    OF(store_account_delete, account_delete) },
	{ STORE_ACCOUNT_UNDELETE, "account-undelete", ADMIN, 0, 64,
	    OF(store_account_delete, account_delete) },
	{ STORE_ACCOUNT_LIMITS, "account-limits", ADMIN, 0, 64,
	    OF(store_account_limits, account_limits) },
	{ STORE_ACL, "acl", ACCESS, 0, 2048, OF(store_acl_get, acl) },
	{ STORE_ACL_IS, "acl-is", REPLY, 32768 + 64, OF(store_acl_is, acl_is) },
	{ STORE_ACL_SET, "acl-set", ACCESS, 0, 2048, OF(store_acl_set, acl_set) },
	{ STORE_SHARED, "shared", ACCESS, 0, 16, OF(store_shared, shared) },
	{ STORE_SHARED_ARE, "shared-are", REPLY, PART + 64, OF(store_shared_are, shared_are) },
	{ STORE_COLUMNS, "columns", ACCESS, 0, (1u << 20) + 64, OF(store_columns, columns) },
	{ STORE_COLUMNS_ARE, "columns-are", REPLY, PART + 32768 + 64,
	    OF(store_columns_are, columns_are) },
	{ STORE_MARKS, "marks", ACCESS, 0, 16, OF(store_marks, marks) },
	{ STORE_MARKS_ARE, "marks-are", REPLY, (3u << 20) + 64, OF(store_marks_are, marks_are) },
	{ STORE_TOUCHED, "touched", ACCESS, 0, 16, OF(store_touched, touched) },
	{ STORE_TOUCHED_ARE, "touched-are", REPLY, 2 * PART + 64,
	    OF(store_touched_are, touched_are) },
	{ STORE_LEASE, "lease", ACCESS, 0, 32, OF(store_lease, lease) },
	{ STORE_REMOVE, "remove", ACCESS, 0, PART + 65536, OF(store_remove, remove_) },
	{ STORE_REMOVED, "removed", REPLY, 16, OF(store_removed, removed) },
	{ STORE_UIDLS, "uidls", ACCESS, 0, 16, OF(store_uidls, uidls) },
	{ STORE_UIDLS_ARE, "uidls-are", REPLY, PART + 64, OF(store_uidls_are, uidls_are) },
	{ STORE_UIDL_PUT, "uidl-put", ACCESS, 0, PART + 64, OF(store_uidl_put, uidl_put) },
	{ STORE_METADATA_GET, "metadata-get", WORKER, 0, 65536 + 64,
	    OF(store_metadata_get, metadata_get) },
	{ STORE_METADATA_IS, "metadata-is", REPLY, PART + 64, OF(store_metadata_is, metadata_is) },
	{ STORE_METADATA_SET, "metadata-set", ACCESS, 0, PART + 64,
	    OF(store_metadata_set, metadata_set) },
	{ STORE_URL_KEY_MAKE, "url-key-make", ACCESS, 0, 2048,
	    OF(store_url_key_make, url_key_make) },
	{ STORE_URL_KEYED, "url-keyed", REPLY, 16, OF(store_url_keyed, url_keyed) },
	{ STORE_URL_SIGN, "url-sign", ACCESS, 0, STORE_URL_MAX + 64, OF(store_url_sign, url_sign) },
	{ STORE_URL_SIGNED, "url-signed", 0, IPC_MSG_REPLY | IPC_MSG_SECRET, 128,
	    OF(store_url_signed, url_signed) },
	{ STORE_URL_FIND, "url-find", ACCESS, IPC_MSG_SECRET, STORE_URL_MAX + 64,
	    OF(store_url_find, url_find) },
	{ STORE_URL_FOUND, "url-found", REPLY, STORE_CACHE_MAX + 64,
	    OF(store_url_found, url_found) },
	{ STORE_URL_BODY, "url-body", ACCESS, IPC_MSG_SECRET, STORE_URL_MAX + 64,
	    OF(store_url_body, url_body) },
	{ STORE_QUOTA_NEAR, "quota-near", NOTE, 16, OF(store_quota_near, quota_near) },
	{ STORE_QUOTA_SET, "quota-set", ACCESS, 0, 64, OF(store_quota_set, quota_set) },
	{ STORE_ANNOTATIONS, "annotations", ACCESS, 0, (1u << 20) + 32768 + 64,
	    OF(store_annotations, annotations) },
	{ STORE_ANNOTATIONS_ARE, "annotations-are", REPLY, PART + 64,
	    OF(store_annotations_are, annotations_are) },
	{ STORE_ANNOTATE, "annotate", ACCESS, 0, (1u << 20) + PART + 128,
	    OF(store_annotate, annotate) },
	{ STORE_ANNOTATED, "annotated", ACCESS, 0, (1u << 20) + 64,
	    OF(store_annotated_get, annotated) },
	{ STORE_ANNOTATED_ARE, "annotated-are", REPLY, PART + 64,
	    OF(store_annotated_are, annotated_are) },
	{ STORE_PLACE, "place", ACCESS, 0, IPC_SIZE_MAX, OF(store_place, place) },
	{ STORE_UIDVALIDITY, "uidvalidity", ACCESS, 0, 64, OF(store_uidvalidity, uidvalidity) },
	{ STORE_SUMS, "sums", ACCESS, 0, (1u << 20) + 64, OF(store_sums, sums) },
	{ STORE_BACKUP_BEGIN, "backup-begin", ADMIN, 0, 16,
	    OF(store_backup_begin, backup_begin) },
	{ STORE_BACKUP_IS, "backup-is", REPLY, 2 * PART + 64, OF(store_backup_is, backup_is) },
	{ STORE_BACKUP_READ, "backup-read", ADMIN, 0, 128, OF(store_backup_read, backup_read) },
	{ STORE_BACKUP_DATA, "backup-data", REPLY, STORE_BACKUP_PIECE + 64,
	    OF(store_backup_data, backup_data) },
	{ STORE_BACKUP_END, "backup-end", ADMIN, 0, 16, OF(store_backup_end, backup_end) },
	{ STORE_SUMS_ARE, "sums-are", REPLY, PART + 64, OF(store_sums_are, sums_are) },
	{ STORE_TEXT_FIND, "text-find", ACCESS, 0, (1u << 20) + STORE_NEEDLES_MAX *
	    (STORE_NEEDLE_MAX + 8) + 64, OF(store_text_find, text_find) },
	{ STORE_TEXT_FOUND, "text-found", REPLY, (3u << 20) + 64,
	    OF(store_text_found, text_found) },
	{ STORE_RESTORE, "restore", ACCESS, 0, 2048, OF(store_restore, restore) },
	{ STORE_RESTORING, "restoring", REPLY, PART + 64, OF(store_restoring, restoring) },
	{ STORE_UNDELETE, "undelete", ACCESS, 0, 16384, OF(store_undelete, undelete) },
	{ STORE_RESTORED, "restored", REPLY, 16, OF(store_restored, restored) },
	{ STORE_STATES, "states", ACCESS, 0, 0, NOTHING },
	{ STORE_STATES_ARE, "states-are", REPLY, 128, OF(store_states_are, states_are) },
	{ STORE_EMAILS, "emails", ACCESS, 0, 16, OF(store_emails, emails) },
	{ STORE_EMAILS_ARE, "emails-are", REPLY, PART + 32768 + 64,
	    OF(store_emails_are, emails_are) },
	{ STORE_EMAIL_CHANGES, "email-changes", ACCESS, 0, 64,
	    OF(store_email_changes, email_changes) },
	{ STORE_EMAIL_CHANGES_ARE, "email-changes-are", REPLY, PART + 32768 + 64,
	    OF(store_email_changes_are, email_changes_are) },
	{ STORE_MAILBOX_CHANGES, "mailbox-changes", ACCESS, 0, 64,
	    OF(store_mailbox_changes, mailbox_changes) },
	{ STORE_MAILBOX_CHANGES_ARE, "mailbox-changes-are", REPLY, PART + 64,
	    OF(store_mailbox_changes_are, mailbox_changes_are) },
	{ STORE_EMAIL_SET, "email-set", ACCESS, 0, PART + 65536, OF(store_email_set, email_set) },
	{ STORE_EMAIL_SET_IS, "email-set-is", REPLY, STORE_EMAIL_SET_MAX + 64,
	    OF(store_email_set_is, email_set_is) },
	{ STORE_MAILBOX_SET, "mailbox-set", ACCESS, 0, 2048, OF(store_mailbox_set, mailbox_set) },
	{ STORE_MAILBOX_SET_IS, "mailbox-set-is", REPLY, 64,
	    OF(store_mailbox_set_is, mailbox_set_is) },
	{ STORE_BLOB_PUT, "blob-put", ACCESS, 0, STORE_INLINE_MAX + 128,
	    OF(store_blob_put, blob_put) },
	{ STORE_BLOB_IS, "blob-is", REPLY, 16, OF(store_blob_is, blob_is) },
	{ STORE_BLOB_READ, "blob-read", ACCESS, 0, 64, OF(store_blob_read, blob_read) },
	{ STORE_PUSHES, "pushes", ACCESS, 0, 0, NOTHING },
	{ STORE_PUSHES_ARE, "pushes-are", REPLY, PART + 64, OF(store_pushes_are, pushes_are) },
	{ STORE_PUSH_SET, "push-set", ACCESS, IPC_MSG_SECRET, PUSH_BYTES + 64,
	    OF(store_push_set, push_set) },
	{ STORE_PUSH_IS, "push-is", REPLY, 32, OF(store_push_is, push_is) },
	{ STORE_BLOBS, "blobs", ACCESS, 0, 65536 + 64, OF(store_blobs, blobs) },
	{ STORE_BLOBS_ARE, "blobs-are", REPLY, PART + 64, OF(store_blobs_are, blobs_are) },
	{ STORE_SCRIPTS, "scripts", ACCESS, 0, 0, NOTHING },
	{ STORE_SCRIPTS_ARE, "scripts-are", REPLY, PART + 64, OF(store_scripts_are, scripts_are) },
	{ STORE_SCRIPT, "script", WORKER, 0, STORE_SCRIPT_NAME_MAX + 64,
	    OF(store_script_get, script_get) },
	{ STORE_SCRIPT_IS, "script-is", REPLY, STORE_SCRIPT_MAX + 2048,
	    OF(store_script_is, script_is) },
	{ STORE_SCRIPT_SET, "script-set", ACCESS, 0, STORE_SCRIPT_MAX + 2048,
	    OF(store_script_set, script_set) },
	{ STORE_SCRIPT_SET_IS, "script-set-is", REPLY, 64, OF(store_script_set_is, script_set_is) },
	{ STORE_SCRIPT_ROOM, "script-room", ACCESS, 0, STORE_SCRIPT_NAME_MAX + 64,
	    OF(store_script_room, script_room) },
	{ STORE_SIEVE_KEYS, "sieve-keys", WORKER, 0, 4096, OF(store_sieve_keys, sieve_keys) },
	{ STORE_SIEVE_KEYS_ARE, "sieve-keys-are", REPLY, 128,
	    OF(store_sieve_keys_are, sieve_keys_are) },
	{ STORE_DELIVER, "deliver", WORKER, 0, IPC_SIZE_MAX, OF(store_deliver, deliver) },
	{ STORE_DELIVERED, "delivered", REPLY, 8192, OF(store_delivered, delivered) },
	{ STORE_QUEUE, "queue", ADMIN, 0, 64, OF(store_queue, queue) },
	{ STORE_QUEUE_ARE, "queue-are", REPLY, PART + 64, OF(store_queue_are, queue_are) },
	{ STORE_QUEUE_SET, "queue-set", ADMIN, 0, 64, OF(store_queue_set, queue_set) },
	{ STORE_EVENTS, "events", NOTE, 0, NOTHING },
	{ STORE_EVENT, "event", ACCESS, 0, (1u << 20) + 64, OF(store_event_get, event) },
	{ STORE_EVENT_ARE, "event-are", REPLY, PART + 32768 + 1024,
	    OF(store_event_are, event_are) },
	{ 0 }
};

const struct ipc_protocol store_protocol = {
	"store", STORE_PROTO_MAJOR, STORE_PROTO_MINOR, messages
};
