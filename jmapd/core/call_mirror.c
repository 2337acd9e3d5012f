#include "jmapd/core/method.h"
#include "jmapd/mirror/mirror.h"

struct mirror *
jmap_call_mirror(struct jmap_call *c)
{
	struct jmap_account *a = c->account;

	if (a->mirror == NULL) {
		a->mirror = mirror_new(c->host->mirrors, a->store);
		a->mirror_free = mirror_free;
	}
	return a->mirror;
}
