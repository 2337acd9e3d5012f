#include "common/ipc/message.h"

#include <assert.h>
#include <string.h>

#include "common/util/bytes.h"

/* Wire form of a body: the fields in order; numbers big-endian in their width, BOOL
 * one byte, STR a u32 length and its bytes. */

const struct ipc_message *
ipc_find(const struct ipc_protocol *p, uint16_t no)
{
	for (const struct ipc_message *m = p->messages; m->no != 0; m++)
		if (m->no == no)
			return m;
	return NULL;
}

static uint64_t
load(const struct ipc_field *f, const char *at)
{
	uint64_t v64;
	uint32_t v32;
	bool b;

	switch (f->kind) {
	case IPC_K_BOOL:
		memcpy(&b, at, sizeof(b));
		return b ? 1 : 0;
	case IPC_K_U8:
		return *(const uint8_t *)at;
	case IPC_K_U32:
		memcpy(&v32, at, sizeof(v32));
		return v32;
	default:
		memcpy(&v64, at, sizeof(v64));
		return v64;
	}
}

static void
encode_field(const struct ipc_field *f, const char *at, struct buf *out)
{
	struct span s;
	uint64_t v;

	if (f->kind == IPC_K_STR) {
		memcpy(&s, at, sizeof(s));
		assert(s.len >= f->min && s.len <= f->max);
		put_u32(out, (uint32_t)s.len);
		buf_add_span(out, s);
		return;
	}
	v = load(f, at);
	assert(v >= f->min && v <= f->max);
	switch (f->kind) {
	case IPC_K_BOOL:
	case IPC_K_U8:
		put_u8(out, (uint8_t)v);
		break;
	case IPC_K_U32:
		put_u32(out, (uint32_t)v);
		break;
	default:
		put_u64(out, v);
	}
}

void
ipc_encode(const struct ipc_message *m, const void *msg, struct buf *out)
{
	size_t before = out->len;

	for (const struct ipc_field *f = m->fields; f != NULL && f->kind != IPC_K_END; f++)
		encode_field(f, (const char *)msg + f->offset, out);
	assert(out->len - before <= m->body_max);
}

static bool
decode_field(const struct ipc_field *f, struct reader *r, char *at)
{
	uint64_t v;
	uint32_t v32;
	struct span s;
	bool b;

	switch (f->kind) {
	case IPC_K_STR:
		v = get_u32(r);
		if (r->bad || v < f->min || v > f->max)
			return false;
		s = get_raw(r, (size_t)v);
		memcpy(at, &s, sizeof(s));
		return !r->bad;
	case IPC_K_BOOL:
	case IPC_K_U8:
		v = get_u8(r);
		break;
	case IPC_K_U32:
		v = get_u32(r);
		break;
	default:
		v = get_u64(r);
	}
	if (r->bad || v < f->min || v > f->max)
		return false;
	if (f->kind == IPC_K_BOOL) {
		b = v != 0;
		memcpy(at, &b, sizeof(b));
	} else if (f->kind == IPC_K_U8) {
		*(uint8_t *)at = (uint8_t)v;
	} else if (f->kind == IPC_K_U32) {
		v32 = (uint32_t)v;
		memcpy(at, &v32, sizeof(v32));
	} else {
		memcpy(at, &v, sizeof(v));
	}
	return true;
}

enum status
ipc_decode(const struct ipc_message *m, struct span body, void *out)
{
	struct reader r;

	if (m->size > 0)
		memset(out, 0, m->size);
	if (body.len > m->body_max)
		return ST_SYNTAX;
	reader_init(&r, body.p, body.len);
	for (const struct ipc_field *f = m->fields; f != NULL && f->kind != IPC_K_END; f++)
		if (!decode_field(f, &r, (char *)out + f->offset))
			return ST_SYNTAX;
	return ST_OK;
}

void
ipc_describe(const struct ipc_message *m, const void *msg, struct buf *out, size_t max)
{
	size_t start = out->len;

	buf_add_str(out, m->name);
	if ((m->flags & IPC_MSG_SECRET) != 0)
		return;
	for (const struct ipc_field *f = m->fields; f != NULL && f->kind != IPC_K_END; f++) {
		const char *at = (const char *)msg + f->offset;
		struct span s;

		buf_addf(out, " %s=", f->name);
		if (f->kind == IPC_K_STR) {
			memcpy(&s, at, sizeof(s));
			buf_addf(out, "(%zu)", s.len);
			for (size_t i = 0; i < s.len && i < 40; i++)
				buf_add_c(out, s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '.');
		} else {
			buf_add_u64(out, load(f, at));
		}
		if (out->len - start > max) {
			buf_cut(out, start + max);
			return;
		}
	}
}
