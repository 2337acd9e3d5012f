jmapd_libjmapd_a_SOURCES += \
	jmapd/mailbox/changes.c jmapd/mailbox/get.c jmapd/mailbox/mailbox.h \
	jmapd/mailbox/mailboxes.c jmapd/mailbox/mailboxes.h jmapd/mailbox/methods.c \
	jmapd/mailbox/query.c jmapd/mailbox/set.c jmapd/mailbox/set_priv.h \
	jmapd/mailbox/set_read.c
