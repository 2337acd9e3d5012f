/* A delivery: what becomes of a message for one recipient, whole or not at all.  First all is read
 * and judged (conditions, where everything goes, quota), then written: mailboxes that are made, each
 * body once with all its memberships and queue entries, keys that are remembered.  Nothing is lost
 * for want of a place: what cannot be where it was asked for is in INBOX.  deliver_of.c has what is
 * different for a message that is there already. */
#include "storage/state/deliver.h"

#include "common/util/mem.h"

/* ---- reading it ---- */

/* Their pieces are in the order of the bodies. */
static enum status
read_bodies(struct delivery *d)
{
	struct apply *ap = d->ap;
	const struct op_deliver *p = &ap->op->u.deliver;
	struct op_append_item it;
	struct reader r;
	size_t pieces = 0;

	reader_init(&r, p->bodies.p, p->bodies.len);
	while (get_op_append_item(&r, &it)) {
		if (d->n_bodies == STORE_DELIVER_BODIES)
			return ST_LIMIT;
		if (it.pieces > ap->n_locs - pieces)
			return ST_BUG;
		it.message = it.thread = 0;
		d->bodies[d->n_bodies++] = (struct body){ .it = it, .locs = ap->locs + pieces };
		pieces += it.pieces;
	}
	if (!reader_done(&r))
		return ST_SYNTAX;
	return pieces == ap->n_locs ? ST_OK : ST_BUG;
}

static enum status
read_queue(struct delivery *d)
{
	const struct op_deliver *p = &d->ap->op->u.deliver;
	struct store_queue_new q;
	struct reader r;

	reader_init(&r, p->queue.p, p->queue.len);
	while (get_store_queue_new(&r, &q)) {
		if (d->n_queue == STORE_DELIVER_QUEUE)
			return ST_LIMIT;
		if (q.body >= d->n_bodies)
			return ST_SYNTAX;
		d->bodies[q.body].uses++;
		d->queue[d->n_queue++] = q;
	}
	return reader_done(&r) ? ST_OK : ST_SYNTAX;
}

/* ---- where it goes ---- */

static struct span
path_of_target(const struct delivery *d, const struct target *t)
{
	return span(d->paths.data + t->path, t->path_len);
}

static unsigned
target_add(struct delivery *d, const struct target *t)
{
	d->targets[d->n_targets] = *t;
	return d->n_targets++;
}

static unsigned
target_of(struct delivery *d, uint64_t mailbox)
{
	for (unsigned i = 0; i < d->n_targets; i++)
		if (d->targets[i].id == mailbox)
			return i;
	return target_add(d, &(struct target){ .id = mailbox });
}

/* A mailbox that is not there, when it can be made; UINT32_MAX: it cannot. */
static enum status
target_made(struct delivery *d, const struct store_deliver_place *p, struct span path,
    const struct path_at *at, unsigned *target)
{
	struct target t = { .path = d->paths.len, .path_len = path.len, .role = p->role };
	bool taken = false, fits = false;

	for (unsigned i = 0; i < d->n_targets; i++)
		if (d->targets[i].id == 0 && span_eq(path_of_target(d, &d->targets[i]), path)) {
			*target = i;
			return ST_OK;
		}
	if (!mailboxes_fit(d->ap, d->made + path_parts(at->rest)))
		return ST_OK;
	TRY(role_taken(d->ap, t.role, &taken));
	for (unsigned i = 0; i < d->n_targets; i++)
		taken |= d->targets[i].id == 0 && d->targets[i].role == t.role;
	if (taken || t.role == MAILBOX_ROLE_INBOX)
		t.role = MAILBOX_ROLE_NONE;
	if (p->subscribe)
		TRY(subscription_fits(d->ap, &fits));
	t.subscribe = fits;
	d->made += path_parts(at->rest);
	buf_add_span(&d->paths, path);
	*target = target_add(d, &t);
	return ST_OK;
}

/* By its path. */
static enum status
find_path(struct delivery *d, const struct store_deliver_place *p, unsigned *target, uint8_t *how)
{
	struct apply *ap = d->ap;
	struct buf path = { 0 };
	struct path_at at;
	enum status st = ST_OK;

	if (p->path.len > 0 && path_clean(p->path, &path)) {
		st = path_find(ap->s, ap->s->txn, ap->a->id, buf_span(&path), &at);
		if (st == ST_OK && at.id != 0)
			*target = target_of(d, at.id);
		else if (st == ST_OK && p->create)
			st = target_made(d, p, buf_span(&path), &at, target);
		if (st == ST_OK && *target != UINT32_MAX && at.id == 0)
			*how = PLACED_MADE;
	}
	buf_fini(&path);
	return st;
}

static enum status
find_inbox(struct delivery *d, unsigned *target)
{
	const struct store_deliver_place inbox = { .path = SPAN_LIT("INBOX"), .create = true };
	uint8_t how;

	TRY(find_path(d, &inbox, target, &how));
	return *target != UINT32_MAX ? ST_OK : refuse(d->ap, ST_LIMIT);
}

static enum status
find_place(struct delivery *d, const struct store_deliver_place *p, unsigned *target, uint8_t *how)
{
	struct mbox *m;
	uint64_t id;
	enum status st;

	*target = UINT32_MAX;
	*how = PLACED_AS_ASKED;
	if (p->mailbox != 0) {
		st = st_mbox(d->ap->s, d->ap->a, p->mailbox, &m);
		if (st == ST_OK && m->rec.deleted_ms == 0)
			*target = target_of(d, m->id);
		else if (st != ST_OK && st != ST_NOT_FOUND)
			return st;
	}
	if (*target == UINT32_MAX && p->role != MAILBOX_ROLE_NONE) {
		TRY(role_holder(d->ap, p->role, &id));
		if (id != 0)
			*target = target_of(d, id);
	}
	if (*target == UINT32_MAX)
		TRY(find_path(d, p, target, how));
	if (*target != UINT32_MAX)
		return ST_OK;
	if (p->mailbox != 0 || p->role != MAILBOX_ROLE_NONE || p->path.len > 0)
		*how = PLACED_INBOX;
	return find_inbox(d, target);
}

static void
add_drop(struct delivery *d, unsigned body, unsigned target, struct flags flags, uint8_t how)
{
	struct body *b = &d->bodies[body];
	unsigned i = 0;

	while (i < d->n_drops && (d->drops[i].body != body || d->drops[i].target != target))
		i++;
	if (i == d->n_drops)
		d->drops[d->n_drops++] = (struct drop){ .body = body, .target = target };
	d->drops[i].flags = flags_or(d->drops[i].flags, flags);
	d->places[d->n_places++] = (struct placed){ how, i };
	if (!b->dropped)
		b->uses++;
	b->dropped = true;
}

static enum status
find_places(struct delivery *d)
{
	const struct op_deliver *p = &d->ap->op->u.deliver;
	struct store_deliver_place at;
	unsigned target;
	struct reader r;
	uint8_t how;

	reader_init(&r, p->places.p, p->places.len);
	while (get_store_deliver_place(&r, &at)) {
		if (d->n_places == STORE_DELIVER_PLACES)
			return refuse(d->ap, ST_LIMIT);
		if (at.body >= d->n_bodies)
			return refuse(d->ap, ST_SYNTAX);
		TRY(find_place(d, &at, &target, &how));
		if (d->ap->r->status != ST_OK)
			return ST_OK;
		add_drop(d, at.body, target, at.flags, how);
	}
	return reader_done(&r) ? ST_OK : refuse(d->ap, ST_SYNTAX);
}

/* ---- judging ---- */

/* What the queue has no room for: a redirect is not lost, the others are for nobody but the moment. */
static enum status
judge_queue(struct delivery *d)
{
	const struct op_deliver *p = &d->ap->op->u.deliver;
	uint64_t n, bytes;
	unsigned target;

	if (d->n_queue == 0)
		return ST_OK;
	TRY(queue_count(d->ap, &n, &bytes));
	for (unsigned i = 0; i < d->n_queue; i++) {
		struct body *b = &d->bodies[d->queue[i].body];

		if ((p->queue_max == 0 || n < p->queue_max) &&
		    (p->queue_bytes == 0 || bytes + b->it.size <= p->queue_bytes)) {
			n++;
			bytes += b->it.size;
			continue;
		}
		d->left_out[i] = true;
		b->uses--;
		if (queue_once(d->queue[i].kind))
			continue;
		d->stays = d->of;
		if (d->stays)
			continue;
		target = UINT32_MAX;
		TRY(find_inbox(d, &target));
		if (d->ap->r->status != ST_OK)
			return ST_OK;
		add_drop(d, d->queue[i].body, target, flags_system(0), PLACED_INBOX);
	}
	return ST_OK;
}

static enum status
judge(struct delivery *d)
{
	struct apply *ap = d->ap;
	uint64_t bytes = 0;
	struct mbox *m;

	for (unsigned i = 0; i < d->n_drops; i++)
		bytes += d->bodies[d->drops[i].body].it.size;
	if (d->n_drops > 0 && !quota_fits(ap, bytes, d->n_drops))
		return refuse(ap, ST_OVER_QUOTA);
	for (unsigned i = 0; i < d->n_targets; i++) {
		if (d->targets[i].id == 0)
			continue;
		TRY(st_mbox(ap->s, ap->a, d->targets[i].id, &m));
		if (m->rec.uidnext >= UINT32_MAX - 1 - STORE_DELIVER_BODIES)
			return refuse(ap, ST_LIMIT);
	}
	return d->of ? deliver_of_judge(d) : ST_OK;
}

/* All verdicts. */
static enum status
prepare(struct delivery *d)
{
	struct apply *ap = d->ap;

	if (d->of)
		TRY(deliver_of_find(d));
	if (ap->r->status == ST_OK)
		ap->r->status = read_bodies(d);
	if (ap->r->status == ST_OK)
		ap->r->status = read_queue(d);
	if (ap->r->status == ST_OK)
		TRY(sieve_keys_judge(ap, ap->op->u.deliver.keys));
	if (ap->r->status == ST_OK)
		TRY(find_places(d));
	for (unsigned i = 0; ap->r->status == ST_OK && i < d->n_bodies; i++)
		if (d->bodies[i].uses == 0 && !d->bodies[i].there)
			return refuse(ap, ST_SYNTAX);
	if (ap->r->status == ST_OK)
		TRY(judge_queue(d));
	return ap->r->status == ST_OK ? judge(d) : ST_OK;
}

/* ---- writing ---- */

static enum status
make_mailboxes(struct delivery *d)
{
	struct apply *ap = d->ap;

	for (unsigned i = 0; i < d->n_targets; i++) {
		struct target *t = &d->targets[i];
		struct mbox *m = NULL;
		struct path_at at;
		struct span path;

		if (t->id != 0)
			continue;
		path = path_of_target(d, t);
		/* One that was made just now may be above it, or it itself above that one. */
		TRY(path_find(ap->s, ap->s->txn, ap->a->id, path, &at));
		t->id = at.id;
		if (t->id == 0) {
			TRY(mailbox_make(ap, &at, t->role, &m));
			t->id = m->id;
		}
		if (t->subscribe)
			TRY(subscription_set(ap, path, true));
	}
	return ST_OK;
}

/* The first membership makes the message, the others are added to it. */
static enum status
write_drops(struct delivery *d, unsigned body, const unsigned *bits, size_t n_bits)
{
	struct apply *ap = d->ap;
	struct body *b = &d->bodies[body];
	struct message *msg = &ap->s->msg;
	struct rec_index x = { .message = 0 };
	struct mbox *m;

	for (unsigned i = 0; i < d->n_drops; i++) {
		struct drop *at = &d->drops[i];
		struct flags flags = append_flags(at->flags, bits, n_bits);

		if (at->body != body)
			continue;
		TRY(st_mbox(ap->s, ap->a, d->targets[at->target].id, &m));
		if (b->message == 0) {
			TRY(message_make(ap, m, &b->it, b->extent, 0, flags, &at->uid));
			b->message = msg->id;
			b->thread = msg->rec.thread;
			x = (struct rec_index){ .message = msg->id, .thread = msg->rec.thread,
				.size = (uint32_t)b->it.size, .received_s = msg->rec.received_s,
				.received_zone = msg->rec.received_zone };
			TRY(message_load(ap->s, ap->a, b->message, msg));
			continue;
		}
		x.flags = flags;
		TRY(member_add(ap, m, msg, &x, &at->uid));
		TRY(message_save(ap->s, ap->a, msg));
	}
	return ST_OK;
}

static enum status
write_bodies(struct delivery *d, const unsigned *bits, size_t n_bits)
{
	struct apply *ap = d->ap;

	for (unsigned i = 0; i < d->n_bodies; i++) {
		struct body *b = &d->bodies[i];

		if (b->there) {
			TRY(deliver_of_write(d, bits, n_bits));
			continue;
		}
		if (b->uses > 0) {
			b->extent = st_new_id(ap->s);
			TRY(extent_put(ap, b->extent, b->locs, b->it.pieces, b->uses));
		}
		TRY(write_drops(d, i, bits, n_bits));
		put_u64(&ap->r->messages, b->message);
	}
	for (unsigned i = 0; i < d->n_queue; i++) {
		const struct body *b = &d->bodies[d->queue[i].body];

		if (!d->left_out[i])
			TRY(queue_add(ap, &d->queue[i], &b->it, b->extent, &d->queued[i]));
	}
	return ST_OK;
}

static enum status
answer(struct delivery *d)
{
	struct apply *ap = d->ap;
	struct store_delivered reply = { .modseq = ap->a->rec.modseq };
	struct buf places = { 0 }, queued = { 0 };
	enum status st = ST_OK;

	for (unsigned i = 0; st == ST_OK && i < d->n_places; i++) {
		const struct drop *at = &d->drops[d->places[i].drop];
		const struct body *b = &d->bodies[at->body];
		struct mbox *m;

		st = st_mbox(ap->s, ap->a, d->targets[at->target].id, &m);
		if (st != ST_OK)
			break;
		if (i == 0) {
			ap->r->mailbox = m->id;
			ap->r->uid = at->uid;
		}
		put_store_delivered_place(&places, &(struct store_delivered_place){
			d->places[i].how, m->id, m->rec.uidvalidity, at->uid, b->message, b->thread });
	}
	for (unsigned i = 0; i < d->n_queue; i++)
		put_u64(&queued, d->queued[i]);
	reply.places = buf_span(&places);
	reply.queued = buf_span(&queued);
	if (st == ST_OK)
		ap_reply(ap, STORE_DELIVERED, &reply);
	buf_fini(&places);
	buf_fini(&queued);
	return st;
}

/* Names for which there is no room are no reason to lose a message. */
static enum status
keywords(struct delivery *d, unsigned *bits, size_t *n)
{
	const struct op_deliver *p = &d->ap->op->u.deliver;
	enum status verdict;

	*n = 0;
	if (d->of)
		return deliver_of_keywords(d, bits, n);
	if (d->n_drops == 0 || p->keywords.len == 0)
		return ST_OK;
	TRY(keywords_bits(d->ap, p->keywords, true, bits, n, &verdict));
	if (verdict != ST_OK)
		*n = 0;
	return ST_OK;
}

static enum status
write(struct delivery *d)
{
	struct apply *ap = d->ap;
	const struct op_deliver *p = &ap->op->u.deliver;
	unsigned bits[KEYWORD_MAX + 1];
	size_t n;

	TRY(keywords(d, bits, &n));
	if (ap->r->status != ST_OK)
		return ST_OK;
	TRY(make_mailboxes(d));
	TRY(write_bodies(d, bits, n));
	TRY(sieve_keys_remember(ap, p->keys, p->keys_max));
	return answer(d);
}

enum status
apply_deliver(struct apply *ap)
{
	struct delivery *d = mem_zalloc(sizeof(*d));
	enum status st;

	d->ap = ap;
	d->of = ap->op->kind == OP_DELIVER_OF;
	st = prepare(d);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = write(d);
	buf_fini(&d->paths);
	buf_fini(&d->of_keys);
	mem_free(&d);
	return st;
}
