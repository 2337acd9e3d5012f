jmapd_libjmapd_a_SOURCES += \
	jmapd/query/diff.c jmapd/query/diff.h \
	jmapd/query/email_query.c jmapd/query/email_snippet.c jmapd/query/filter.c \
	jmapd/query/filter.h jmapd/query/keys.c jmapd/query/keys.h jmapd/query/methods_priv.h \
	jmapd/query/results.c jmapd/query/results.h jmapd/query/run.c jmapd/query/run.h \
	jmapd/query/snippet.c jmapd/query/snippet.h jmapd/query/sort.c jmapd/query/sort.h
