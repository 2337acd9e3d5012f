noinst_LIBRARIES += storage/journal/libjournal.a
storage_journal_libjournal_a_SOURCES = \
	storage/journal/jio.h \
	storage/journal/journal.h
