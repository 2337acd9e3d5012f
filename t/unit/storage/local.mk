UNIT_TESTS += t/unit/storage/test_api
t_unit_storage_test_api_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/storage/test_body
t_unit_storage_test_body_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/storage/test_client
t_unit_storage_test_client_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/storage/test_engine
t_unit_storage_test_engine_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_journal
t_unit_storage_test_journal_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
STATEKIT = t/unit/storage/statekit.c t/unit/storage/statekit.h
SIEVEKIT = $(STATEKIT) t/unit/storage/sievekit.c t/unit/storage/sievekit.h
UNIT_TESTS += t/unit/storage/test_state
t_unit_storage_test_state_SOURCES = t/unit/storage/test_state.c $(STATEKIT)
t_unit_storage_test_state_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_uploads
t_unit_storage_test_uploads_SOURCES = t/unit/storage/test_uploads.c $(STATEKIT)
t_unit_storage_test_uploads_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)

UNIT_TESTS += t/unit/storage/test_emails
t_unit_storage_test_emails_SOURCES = t/unit/storage/test_emails.c $(STATEKIT)
t_unit_storage_test_emails_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_recent
t_unit_storage_test_recent_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_pack
t_unit_storage_test_pack_SOURCES = t/unit/storage/test_pack.c $(STATEKIT)
t_unit_storage_test_pack_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_annotations
t_unit_storage_test_annotations_SOURCES = t/unit/storage/test_annotations.c $(STATEKIT)
t_unit_storage_test_annotations_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_place
t_unit_storage_test_place_SOURCES = t/unit/storage/test_place.c $(STATEKIT)
t_unit_storage_test_place_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_undelete
t_unit_storage_test_undelete_SOURCES = t/unit/storage/test_undelete.c $(STATEKIT)
t_unit_storage_test_undelete_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)

UNIT_TESTS += t/unit/storage/test_stage
t_unit_storage_test_stage_SOURCES = t/unit/storage/test_stage.c $(STATEKIT)
t_unit_storage_test_stage_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_state_history
t_unit_storage_test_state_history_SOURCES = t/unit/storage/test_state_history.c $(STATEKIT)
t_unit_storage_test_state_history_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_state_records
t_unit_storage_test_state_records_SOURCES = t/unit/storage/test_state_records.c $(STATEKIT)
t_unit_storage_test_state_records_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_state_model
t_unit_storage_test_state_model_SOURCES = t/unit/storage/test_state_model.c $(STATEKIT)
t_unit_storage_test_state_model_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_share
t_unit_storage_test_share_SOURCES = t/unit/storage/test_share.c $(STATEKIT) \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_share_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_url
t_unit_storage_test_url_SOURCES = t/unit/storage/test_url.c $(STATEKIT) \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_url_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_service
t_unit_storage_test_service_SOURCES = t/unit/storage/test_service.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_service_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_stored
t_unit_storage_test_stored_SOURCES = t/unit/storage/test_stored.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_stored_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_chains
t_unit_storage_test_chains_SOURCES = t/unit/storage/test_chains.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_chains_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_disk
t_unit_storage_test_disk_SOURCES = t/unit/storage/test_disk.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_disk_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_upgrade
t_unit_storage_test_upgrade_SOURCES = t/unit/storage/test_upgrade.c $(STATEKIT)
t_unit_storage_test_upgrade_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_offline
t_unit_storage_test_offline_SOURCES = t/unit/storage/test_offline.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_offline_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_copies
t_unit_storage_test_copies_SOURCES = t/unit/storage/test_copies.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_copies_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_text
t_unit_storage_test_text_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)
UNIT_TESTS += t/unit/storage/test_housekeeping
t_unit_storage_test_housekeeping_SOURCES = t/unit/storage/test_housekeeping.c $(STATEKIT) \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_housekeeping_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_convert
t_unit_storage_test_convert_SOURCES = t/unit/storage/test_convert.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_convert_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
# fixtures: t/data/shards/make
EXTRA_PROGRAMS += t/unit/storage/make_shard
t_unit_storage_make_shard_SOURCES = t/unit/storage/make_shard.c t/unit/storage/shard_dump.c \
	t/unit/storage/shard_dump.h t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_make_shard_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
# end of fixtures
UNIT_TESTS += t/unit/storage/test_shards
t_unit_storage_test_shards_SOURCES = t/unit/storage/test_shards.c t/unit/storage/shard_dump.c \
	t/unit/storage/shard_dump.h t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_shards_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_reclaim
t_unit_storage_test_reclaim_SOURCES = t/unit/storage/test_reclaim.c \
	t/unit/storage/reclaimkit.c t/unit/storage/reclaimkit.h \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_reclaim_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_fsck
t_unit_storage_test_fsck_SOURCES = t/unit/storage/test_fsck.c $(SIEVEKIT)
t_unit_storage_test_fsck_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_order
t_unit_storage_test_order_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS)

UNIT_TESTS += t/unit/storage/test_push
t_unit_storage_test_push_SOURCES = t/unit/storage/test_push.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_push_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)

UNIT_TESTS += t/unit/storage/test_scripts
t_unit_storage_test_scripts_SOURCES = t/unit/storage/test_scripts.c $(SIEVEKIT)
t_unit_storage_test_scripts_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_deliver
t_unit_storage_test_deliver_SOURCES = t/unit/storage/test_deliver.c $(SIEVEKIT)
t_unit_storage_test_deliver_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_queue
t_unit_storage_test_queue_SOURCES = t/unit/storage/test_queue.c $(SIEVEKIT)
t_unit_storage_test_queue_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_sieve
SIEVERIG = t/unit/storage/rig.c t/unit/storage/rig.h t/unit/storage/sieverig.c \
	t/unit/storage/sieverig.h
t_unit_storage_test_sieve_SOURCES = t/unit/storage/test_sieve.c $(SIEVERIG)
t_unit_storage_test_sieve_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_events
t_unit_storage_test_events_SOURCES = t/unit/storage/test_events.c $(SIEVERIG)
t_unit_storage_test_events_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)

UNIT_TESTS += t/unit/storage/test_outgoing
t_unit_storage_test_outgoing_SOURCES = t/unit/storage/test_outgoing.c \
	t/unit/storage/rig.c t/unit/storage/rig.h
t_unit_storage_test_outgoing_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
UNIT_TESTS += t/unit/storage/test_deliver_of
t_unit_storage_test_deliver_of_SOURCES = t/unit/storage/test_deliver_of.c $(SIEVEKIT)
t_unit_storage_test_deliver_of_LDADD = $(TEST_LIBS) $(CMOCKA_LIBS) $(OUTSIDE_LIBS) $(DB_LIBS)
