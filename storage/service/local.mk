noinst_LIBRARIES += storage/service/libservice.a
storage_service_libservice_a_SOURCES = \
	storage/service/attach.c \
	storage/service/background.c storage/service/background.h \
	storage/service/chores.c storage/service/compact.c \
	storage/service/events.c \
	storage/service/fsck.c \
	storage/service/fsck_texts.c storage/service/fsck_texts.h \
	storage/service/index.c storage/service/index.h \
	storage/service/backup.c storage/service/copies.c storage/service/copies.h \
	storage/service/copy_files.c storage/service/copy_files.h \
	storage/service/copy_manifest.c storage/service/copy_manifest.h \
	storage/service/lease.c \
	storage/service/live.c storage/service/live.h \
	storage/service/ops.c storage/service/ops_bodies.c storage/service/ops_priv.h \
	storage/service/peer.c \
	storage/service/push.c storage/service/push.h \
	storage/service/queue.c storage/service/queue.h storage/service/queue_priv.h \
	storage/service/queue_send.c \
	storage/service/rebuild.c storage/service/rebuild.h \
	storage/service/reclaim.c storage/service/reclaim.h \
	storage/service/pool.c storage/service/pool.h \
	storage/service/read_texts.c storage/service/texts.c storage/service/texts.h \
	storage/service/readers.c storage/service/readers.h \
	storage/service/reads.c storage/service/reads_bodies.c storage/service/reads_priv.h \
	storage/service/reads_emails.c storage/service/reads_sieve.c \
	storage/service/record.c storage/service/record.h \
	storage/service/replay.c \
	storage/service/convert.c storage/service/convert.h storage/service/convert_main.c \
	storage/service/restore.c \
	storage/service/offline.c storage/service/offline.h storage/service/offline_main.c \
	storage/service/opened.c storage/service/share.c \
	storage/service/service.c storage/service/service.h storage/service/service_priv.h \
	storage/service/staging.c storage/service/tick.c \
	storage/service/tickets.c \
	storage/service/packing.c storage/service/stock.c storage/service/upgrades.c

mansiolibexec_PROGRAMS += storage/service/stored
storage_service_stored_SOURCES = storage/service/main.c
storage_service_stored_LDADD = $(LIBS_STORE) $(LIBS_COMMON) $(OUTSIDE_LIBS) $(DB_LIBS)
