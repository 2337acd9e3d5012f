#include "pop3d/uidl.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/util/mem.h"

#define PAGE 5000u

static void
put_number(char how, unsigned width, uint64_t v, struct buf *out)
{
	switch (how) {
	case 'X':
		buf_addf(out, "%0*" PRIX64, (int)width, v);
		break;
	case 'x':
		buf_addf(out, "%0*" PRIx64, (int)width, v);
		break;
	default:
		if (width == 0)
			buf_add_u64(out, v);
		else
			buf_addf(out, "%0*" PRIu64, (int)width, v);
	}
}

void
uidl_format(const char *p, const struct uidl_numbers *n, struct buf *out)
{
	while (*p != '\0') {
		unsigned width = 0;
		char how = 'd';

		if (*p != '%') {
			buf_add_c(out, *p++);
			continue;
		}
		p++;
		if (p[0] == '0' && p[1] != '\0') {
			width = (unsigned)(p[1] - '0');
			p += 2;
		}
		if (*p == 'X' || *p == 'x')
			how = *p++;
		put_number(how, width, *p == 'u' ? n->uid : *p == 'v' ? n->uidvalidity :
		    *p == 'm' ? n->mailbox : n->email, out);
		p += *p != '\0';
	}
}

void
uidls_init(struct uidls *u, struct maildrop *drop, struct store *store, const char *format)
{
	u->drop = drop;
	u->store = store;
	u->format = mem_strdup(format);
}

void
uidls_fini(struct uidls *u)
{
	store_cancel(&u->call);
	buf_fini(&u->list);
	mem_free(&u->format);
}

static void
step(struct uidls *u)
{
	struct reader r;

	reader_init(&r, u->list.data, u->list.len);
	u->at = (struct store_uidl){ 0 };
	if (u->pos >= u->list.len)
		return;
	r.p += u->pos;
	if (!get_store_uidl(&r, &u->at))
		u->at = (struct store_uidl){ 0 };
	u->pos = u->list.len - reader_left(&r);
}

static void
on_page(void *arg, enum status st, bool more, const void *msg)
{
	struct uidls *u = arg;
	const struct store_uidls_are *are = msg;

	if (more)
		return;
	u->call = NULL;
	buf_clear(&u->list);
	u->pos = 0;
	u->last = 0;
	if (st == ST_NOT_FOUND)		/* the mailbox is gone; its messages keep their numbers */
		st = ST_OK;
	if (st == ST_OK) {
		if (are != NULL)
			buf_add_span(&u->list, are->list);
		u->to = are != NULL && are->resume != 0 ? are->resume : UINT32_MAX;
		step(u);
	} else {
		u->mailbox = 0;
	}
	u->came(u->arg, st);
}

static void
ask(struct uidls *u, const struct drop_box *box, uint32_t uid, bool many)
{
	const struct store_uidls rq = { box->mailbox, uid, many ? PAGE : 1 };

	u->mailbox = box->mailbox;
	u->from = uid;
	u->call = store_do_uidls(u->store, &rq, on_page, u);
}

/* The page tells about this message: moves on to it. */
static bool
page_has(struct uidls *u, const struct drop_box *box, uint32_t uid)
{
	if (u->mailbox != box->mailbox || uid < u->from || uid >= u->to)
		return false;
	if (uid < u->last) {		/* may have been passed */
		u->pos = 0;
		step(u);
	}
	u->last = uid;
	while (u->at.uid != 0 && u->at.uid < uid)
		step(u);
	return true;
}

bool
uidls_put(struct uidls *u, uint32_t index, bool many, struct buf *out)
{
	struct drop_box *box = maildrop_box(u->drop, index);
	uint32_t uid = u->drop->uid[index];
	const struct uidl_numbers n = { box->mailbox,
		u->drop->email != NULL ? u->drop->email[index] : 0, box->uidvalidity, uid };

	if (!box->no_uidls) {
		if (!page_has(u, box, uid)) {
			ask(u, box, uid, many);
			return false;
		}
		if (many && u->from <= u->drop->uid[box->first] && u->to == UINT32_MAX &&
		    u->list.len == 0)
			box->no_uidls = true;
		if (u->at.uid == uid && u->at.text.len > 0) {
			buf_add_span(out, u->at.text);
			return true;
		}
	}
	uidl_format(u->format, &n, out);
	return true;
}
