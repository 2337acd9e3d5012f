noinst_LIBRARIES += imapd/libimapd.a
imapd_libimapd_a_SOURCES = \
	imapd/annotations.c imapd/annotations.h imapd/capability.c imapd/capability.h imapd/across.c imapd/appending.c imapd/appending.h imapd/cmd_any.c imapd/cmd_append.c imapd/cmd_auth.c imapd/cmd_copy.c \
	imapd/cmd_comparator.c imapd/cmd_esearch.c \
	imapd/context.c imapd/context.h imapd/cmd_list.c imapd/list.h \
	imapd/cmd_expunge.c imapd/cmd_fetch.c imapd/cmd_idle.c imapd/cmd_language.c imapd/cmd_mailbox.c \
	imapd/cmd_metadata.c imapd/metadata.h imapd/cmd_quota.c imapd/cmd_urlauth.c imapd/beside.c imapd/beside.h imapd/cmd_notify.c imapd/notify.c imapd/notify.h imapd/notify_known.c imapd/notify_metadata.c imapd/notify_priv.h imapd/cmd_batches.c \
	imapd/cmd_acl.c imapd/names.c imapd/names.h imapd/names_list.c \
	imapd/names_lookup.c imapd/names_priv.h \
	imapd/cmd_search.c imapd/cmd_select.c imapd/cmd_store.c imapd/commands.c \
	imapd/events.c imapd/events.h imapd/fetch.h imapd/filters.c imapd/filters.h imapd/fetch_big.c imapd/fetch_columns.c imapd/fetch_parse.c imapd/fetch_print.c \
	imapd/finding.c imapd/finding.h \
	imapd/sorter.c imapd/sorter.h \
	imapd/threader.c imapd/threader.h \
	imapd/limits.c imapd/limits.h imapd/progress.c imapd/progress.h \
	imapd/session.c imapd/session.h imapd/sync.c imapd/sync.h imapd/together.c imapd/together.h \
	imapd/uid_index.h imapd/url_source.c imapd/url_source.h \
	imapd/view.c imapd/view.h

mansiolibexec_PROGRAMS += imapd/imapd
imapd_imapd_SOURCES = imapd/main.c
imapd_imapd_LDADD = imapd/libimapd.a $(LIBS_FILTER) $(LIBS_FRONT) $(LIBS_COMMON) $(OUTSIDE_LIBS)
