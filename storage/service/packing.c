/* Puts what is kept of delivered messages together (storage/state/cold.h) while nobody is waiting: a
 * piece, then everybody's requests.  Deliveries that never pause are not waited for for ever. */
#include "storage/service/service_priv.h"

#define PIECE_BYTES	(128u << 10)	/* of rows: two or three milliseconds */
#define LOOK_MS		1000u
#define REST_MS		4u
#define QUIET_OPS	20u		/* of a second: nobody is busy */
#define HURRY_OPS	50000u		/* so much was done since the last walk */

static bool
busy(struct service *svc)
{
	uint64_t ops = svc->n_ops - svc->packing_ops;

	svc->packing_ops = svc->n_ops;
	svc->packing_left += ops;
	return ops >= QUIET_OPS && svc->packing_left < HURRY_OPS;
}

static void
on_timer(void *arg)
{
	struct service *svc = arg;
	bool more = false;

	if (svc->dead || svc->closing)
		return;
	if (!svc->packing && busy(svc)) {
		loop_timer_set(svc->packing_timer, LOOK_MS);
		return;
	}
	if (!svc->packing)
		svc->packing_at = (struct state_packing){ 0 };
	(void)service_judge(svc, state_pack(svc->state, &svc->packing_at, PIECE_BYTES, &more),
	    "pack");
	svc->packing = more && !svc->dead;
	if (svc->packing)
		loop_timer_set(svc->packing_timer, REST_MS);
	else
		svc->packing_left = 0;
}

void
packing_wanted(struct service *svc)
{
	if (!loop_timer_is_set(svc->packing_timer))
		loop_timer_set(svc->packing_timer, LOOK_MS);
}

void
packing_start(struct service *svc)
{
	svc->packing_timer = loop_timer_new(svc->loop, on_timer, svc);
	packing_wanted(svc);		/* for what the last process left */
}

void
packing_stop(struct service *svc)
{
	loop_timer_free(&svc->packing_timer);
}
