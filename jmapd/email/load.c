#include "jmapd/email/load.h"

#include "common/mime/digest.h"
#include "common/util/mem.h"

#define HELD_MAX	(256u << 10)	/* a blob up to this is read once */

struct email_load {
	struct jmap_call	*call;
	struct blob_id		id;
	struct email_object	object;
	struct blob_reader	*reader;
	struct mime_digest	*digest;
	struct buf		raw;		/* all of it, unless it is longer */
	bool			longer;
	email_load_fn		done;
	void			*arg;
};

static void
end(struct email_load *l, enum status st)
{
	blob_reader_free(&l->reader);
	if (st == ST_OK && l->object.pass.full)
		st = ST_LIMIT;
	l->done(l->arg, st, st == ST_OK ? &l->object : NULL);
}

static void
on_pass_data(void *arg, struct span piece)
{
	struct email_load *l = arg;

	pass_feed(&l->object.pass, piece);
}

static void
on_pass_done(void *arg, enum status st)
{
	struct email_load *l = arg;

	pass_finish(&l->object.pass);
	end(l, st);
}

static const struct blob_reader_ops pass_ops = { NULL, on_pass_data, on_pass_done };

/* A message begins with a field. */
static bool
is_message(const struct mime_structure *s)
{
	struct mime_part_view v;

	mime_structure_part(s, 0, &v);
	return v.at.header_len > 2;
}

static void
on_digested(struct email_load *l)
{
	struct email_object *o = &l->object;
	struct mime_digest_result r;

	mime_digest_finish(l->digest, &r);
	if (!email_open(o, r.list, r.structure) || !o->have_structure ||
	    !is_message(&o->structure)) {
		end(l, ST_SYNTAX);
		return;
	}
	if (!email_plan(o)) {
		end(l, ST_OK);
		return;
	}
	if (l->longer) {
		l->reader = blob_reader_start(l->call->host, l->call->account, &l->id, 0,
		    pass_end(&o->pass), &pass_ops, l);
		return;
	}
	pass_feed(&o->pass, buf_span(&l->raw));
	pass_finish(&o->pass);
	end(l, ST_OK);
}

static void
on_data(void *arg, struct span piece)
{
	struct email_load *l = arg;

	mime_digest_feed(l->digest, piece.p, piece.len);
	l->longer |= l->raw.len + piece.len > HELD_MAX;
	if (l->longer)
		buf_fini(&l->raw);
	else
		buf_add_span(&l->raw, piece);
}

static void
on_done(void *arg, enum status st)
{
	struct email_load *l = arg;

	blob_reader_free(&l->reader);
	if (st != ST_OK)
		end(l, st);
	else
		on_digested(l);
}

static const struct blob_reader_ops ops = { NULL, on_data, on_done };

struct email_load *
email_load_start(struct jmap_call *c, const struct blob_id *id, const struct email_want *want,
    size_t keep_max, void (*put_own)(void *own, struct json_writer *w, enum email_property p),
    void *own, email_load_fn done, void *arg)
{
	struct email_load *l = mem_zalloc(sizeof(*l));

	l->call = c;
	l->id = *id;
	l->object = (struct email_object){ .want = want, .blob = *id, .put_own = put_own,
	    .arg = own };
	email_object_init(&l->object, keep_max);
	l->done = done;
	l->arg = arg;
	l->digest = mime_digest_new(0);
	l->reader = blob_reader_start(c->host, c->account, id, 0, 0, &ops, l);
	return l;
}

void
email_load_free(struct email_load **lp)
{
	struct email_load *l = *lp;

	if (l == NULL)
		return;
	blob_reader_free(&l->reader);
	email_close(&l->object);
	mime_digest_free(&l->digest);
	buf_fini(&l->raw);
	mem_free(lp);
}
