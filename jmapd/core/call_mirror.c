#include "jmapd/core/method.h"
#include "jmapd/mirror/mirror.h"

struct mirror *
jmap_host_mirror(const struct jmap_host *h, struct jmap_account *a)
{
	if (a->mirror == NULL) {
		a->mirror = mirror_new(h->mirrors, a->store);
		a->mirror_free = mirror_free;
	}
	return a->mirror;
}

struct mirror *
jmap_call_mirror(struct jmap_call *c)
{
	return jmap_host_mirror(c->host, c->account);
}
