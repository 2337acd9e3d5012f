#include "storage/api/store_queue.h"

static const char *const kinds[] = {
	[QUEUE_REDIRECT] = "redirect", [QUEUE_VACATION] = "vacation", [QUEUE_REJECT] = "reject",
	[QUEUE_NOTIFY] = "notify", [QUEUE_REPORT] = "report",
};

const char *
queue_kind_name(uint8_t kind)
{
	return kind >= QUEUE_REDIRECT && kind <= QUEUE_KIND_MAX ? kinds[kind] : "unknown";
}

bool
queue_once(uint8_t kind)
{
	return kind != QUEUE_REDIRECT;
}

/* What goes into a command of SMTP has no control characters in it, and no space. */
static bool
printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

/* A quoted local part may have blanks. */
static bool
address_good(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f || s.p[i] == '<' ||
		    s.p[i] == '>')
			return false;
	return s.len <= STORE_QUEUE_ADDRESS_MAX;
}

void
put_store_queue_rcpt(struct buf *b, const struct store_queue_rcpt *p)
{
	put_span(b, p->address);
	put_u8(b, p->notify);
	put_span(b, p->orcpt);
}

bool
get_store_queue_rcpt(struct reader *r, struct store_queue_rcpt *p)
{
	if (reader_left(r) == 0)
		return false;
	p->address = get_span(r);
	p->notify = get_u8(r);
	p->orcpt = get_span(r);
	return reader_check(r, p->address.len > 0 && address_good(p->address) &&
	    p->notify <= QUEUE_NOTIFY_ALL && p->orcpt.len <= STORE_QUEUE_ORCPT_MAX &&
	    printable(p->orcpt));
}

bool
store_envelope_good(const struct store_envelope *e)
{
	struct store_queue_rcpt to;
	struct reader r;
	unsigned n = 0;

	reader_init(&r, e->rcpts.p, e->rcpts.len);
	while (get_store_queue_rcpt(&r, &to))
		n++;
	return reader_done(&r) && n >= 1 && n <= STORE_QUEUE_RCPTS_MAX && address_good(e->from) &&
	    e->envid.len <= STORE_QUEUE_ENVID_MAX && printable(e->envid) &&
	    e->ret <= QUEUE_RET_HDRS && e->by <= (QUEUE_BY_NOTIFY | QUEUE_BY_RETURN |
	    QUEUE_BY_TRACE);
}

static void
put_envelope(struct buf *b, const struct store_envelope *e)
{
	put_span(b, e->from);
	put_span(b, e->rcpts);
	put_span(b, e->envid);
	put_u8(b, e->ret);
	put_u8(b, e->by);
	put_u64(b, (uint64_t)e->by_ms);
	put_u8(b, (uint8_t)((e->utf8 ? 1 : 0) | (e->eight_bit ? 2 : 0)));
}

static bool
get_envelope(struct reader *r, struct store_envelope *e)
{
	uint8_t bits;

	e->from = get_span(r);
	e->rcpts = get_span(r);
	e->envid = get_span(r);
	e->ret = get_u8(r);
	e->by = get_u8(r);
	e->by_ms = (int64_t)get_u64(r);
	bits = get_u8(r);
	e->utf8 = (bits & 1) != 0;
	e->eight_bit = (bits & 2) != 0;
	return reader_check(r, !r->bad && store_envelope_good(e));
}

void
put_store_queue_new(struct buf *b, const struct store_queue_new *q)
{
	put_u8(b, q->kind);
	put_u8(b, q->body);
	put_envelope(b, &q->env);
}

bool
get_store_queue_new(struct reader *r, struct store_queue_new *q)
{
	if (reader_left(r) == 0)
		return false;
	q->kind = get_u8(r);
	q->body = get_u8(r);
	return get_envelope(r, &q->env) &&
	    reader_check(r, q->kind >= QUEUE_REDIRECT && q->kind <= QUEUE_KIND_MAX);
}

void
put_store_queue_entry(struct buf *b, const struct store_queue_entry *e)
{
	put_u64(b, e->account);
	put_u64(b, e->id);
	put_u8(b, e->kind);
	put_u64(b, (uint64_t)e->created_ms);
	put_u64(b, (uint64_t)e->next_ms);
	put_u64(b, (uint64_t)e->taken_ms);
	put_varint(b, e->attempts);
	put_varint(b, e->size);
	put_u64(b, e->extent);
	put_span(b, e->sha256);
	put_envelope(b, &e->env);
	put_span(b, e->answer);
}

bool
get_store_queue_entry(struct reader *r, struct store_queue_entry *e)
{
	if (reader_left(r) == 0)
		return false;
	e->account = get_u64(r);
	e->id = get_u64(r);
	e->kind = get_u8(r);
	e->created_ms = (int64_t)get_u64(r);
	e->next_ms = (int64_t)get_u64(r);
	e->taken_ms = (int64_t)get_u64(r);
	e->attempts = get_varint32(r);
	e->size = get_varint(r);
	e->extent = get_u64(r);
	e->sha256 = get_span(r);
	if (!get_envelope(r, &e->env))
		return false;
	e->answer = get_span(r);
	return reader_check(r, e->kind >= QUEUE_REDIRECT && e->kind <= QUEUE_KIND_MAX &&
	    e->sha256.len == 32 && e->size <= STORE_SIZE_MAX &&
	    e->answer.len <= STORE_QUEUE_ANSWER_MAX);
}
