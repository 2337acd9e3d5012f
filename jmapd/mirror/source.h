/* jmapd/mirror/source.h
 * What a mirror asks the store, so that tests can answer instead.  The functions are those of
 * storage/client/store.h of the same names. */
#ifndef JMAPD_MIRROR_SOURCE_H
#define JMAPD_MIRROR_SOURCE_H

#include "storage/client/store.h"

struct mirror;
struct mirror_pool;

struct mirror_source {
	void	*arg;
	void	*(*states)(void *arg, store_done_fn fn, void *fn_arg);
	void	*(*emails)(void *arg, const struct store_emails *rq, store_done_fn fn, void *fn_arg);
	void	*(*email_changes)(void *arg, const struct store_email_changes *rq, store_done_fn fn,
		    void *fn_arg);
	void	(*cancel)(void *arg, void **call);
};
/* Instead of mirror_new(); s is copied. */
struct mirror *mirror_new_from(struct mirror_pool *p, const struct mirror_source *s);

#endif
