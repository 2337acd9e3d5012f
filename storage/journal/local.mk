noinst_LIBRARIES += storage/journal/libjournal.a
storage_journal_libjournal_a_SOURCES = \
	storage/journal/jio.c storage/journal/jio.h \
	storage/journal/journal.c storage/journal/journal.h \
	storage/journal/journal_format.c storage/journal/journal_format.h \
	storage/journal/journal_priv.h \
	storage/journal/scan.c \
	storage/journal/segment.c \
	storage/journal/tick.c
