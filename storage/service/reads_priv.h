/* storage/service/reads_priv.h
 * What the files of the reads share. */
#ifndef STORAGE_SERVICE_READS_PRIV_H
#define STORAGE_SERVICE_READS_PRIV_H

#include "storage/service/service_priv.h"

/* Any request that is a read. */
union read_any {
	struct store_list	list;
	struct store_open	open;
	struct store_rows	rows;
	struct store_cache_get	cache;
	struct store_columns	columns;
	struct store_marks	marks;
	struct store_body	body;
	struct store_changes	changes;
	struct store_touched	touched;
	struct store_dir_read	dir_read;
	struct store_uidls	uidls;
	struct store_sums	sums;
	struct store_acl_get	acl;
	struct store_shared	shared;
	struct store_metadata_get metadata;
	struct store_url_sign	url_sign;
	struct store_url_find	url_find;
	struct store_url_body	url_body;
	struct store_annotations annotations;
	struct store_annotated_get annotated;
	struct store_restore	restore;
	struct store_text_find	text_find;
	struct store_emails	emails;
	struct store_blob_read	blob;
	max_align_t		align;
	char			room[IPC_STRUCT_MAX];
};

/* reads_bodies.c */
enum read_step read_body(struct request *rq, const struct store_body *msg);
enum read_step read_blob(struct request *rq, const struct store_blob_read *msg);
enum read_step read_url_sign(struct request *rq, const struct store_url_sign *msg);
enum read_step read_url_find(struct request *rq, const struct store_url_find *msg);
enum read_step read_url_body(struct request *rq, const struct store_url_body *msg);

#endif
