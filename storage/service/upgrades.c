/* Renews the records that an earlier release wrote, a piece at a time: between two pieces
 * everybody is served.  A process that ends goes on where it was. */
#include "storage/service/service_priv.h"

#include "common/util/log.h"
#include "storage/state/upgrade.h"

#define PIECE_BYTES	(128u << 10)	/* read at a time: a millisecond or two */
#define REST_MS		5u
#define AGAIN_MS	60000u		/* the disk is full */

static void
say(struct service *svc, const char *event)
{
	struct state_schema sc;

	state_schema(svc->state, &sc);
	LOG(NULL, INFO, event, KV_UINT("shard", svc->cf.shard), KV_UINT("schema", sc.written),
	    KV_UINT("complete", sc.complete), KV_UINT("renewed", sc.renewed));
}

static void
on_timer(void *arg)
{
	struct service *svc = arg;
	bool more = false;
	enum status st;

	if (svc->dead || svc->closing)
		return;
	st = service_judge(svc, state_upgrade(svc->state, PIECE_BYTES, &more), "upgrade");
	if (svc->dead)
		return;
	if (st != ST_OK)
		loop_timer_set(svc->upgrade_timer, AGAIN_MS);
	else if (more)
		loop_timer_set(svc->upgrade_timer, REST_MS);
	else
		say(svc, "store.upgraded");
}

void
upgrades_start(struct service *svc)
{
	struct state_schema sc;

	state_schema(svc->state, &sc);
	if (sc.complete == sc.written)
		return;
	say(svc, "store.upgrade");
	svc->upgrade_timer = loop_timer_new(svc->loop, on_timer, svc);
	loop_timer_set(svc->upgrade_timer, REST_MS);
}

void
upgrades_stop(struct service *svc)
{
	loop_timer_free(&svc->upgrade_timer);
}
