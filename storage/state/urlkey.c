/* Mailbox access keys (RFC 4467): a row for each mailbox whose owner asked for an authorized
 * URL of it.  The key is never told; what leaves this file is the token of a URL, and whether
 * a token is right.
 *
 * A token is a byte that names how it was made, and
 *
 *	HMAC-SHA-256(key, "mansio urlauth" 0 method account rump)
 *
 * where account is that which "user+NAME" named when the token was made, else 0: so that who
 * asks is compared with it by his id alone, and a name that is given to somebody else gives him
 * nothing. */
#include "storage/state/state_priv.h"

#include <string.h>

#include "common/crypto/digest.h"
#include "common/proto/imap_url.h"
#include "common/util/mem.h"

#define METHOD		1		/* first byte of a token */
#define TOKEN_BYTES	(1 + SHA256_LEN)
_Static_assert(2 * TOKEN_BYTES == STORE_URL_TOKEN, "in hex");

struct urlkey {
	uint64_t	made;		/* modseq of the account then */
	uint64_t	reset;		/* modseq of the RESETKEY that made it; 0: none did */
	unsigned char	key[STORE_URL_KEY];
};

static enum status
load(struct state *s, struct engine_txn *txn, uint64_t account, uint64_t mailbox,
    struct urlkey *u)
{
	struct buf value = { 0 };
	struct span payload, raw;
	struct reader r;
	struct key k;
	enum status st;

	key_2(&k, account, mailbox);
	st = st_get(s, txn, TAB_URLKEY, &k, &value, &payload);
	if (st == ST_OK) {
		reader_init(&r, payload.p, payload.len);
		u->made = get_u64(&r);
		u->reset = get_u64(&r);
		raw = get_raw(&r, STORE_URL_KEY);
		if (!reader_done(&r))
			st = st_damaged(s, TAB_URLKEY, key_span(&k));
		else
			memcpy(u->key, raw.p, STORE_URL_KEY);
	}
	buf_fini_secret(&value);
	return st;
}

/* ---- operations ---- */

static enum status
key_put(struct apply *ap, uint64_t mailbox, uint64_t reset)
{
	struct buf *b = st_put_start(ap->s);
	struct key k;

	put_u64(b, ap->a->rec.modseq);
	put_u64(b, reset);
	buf_add_span(b, ap->op->u.url_key.key);
	key_2(&k, ap->a->id, mailbox);
	return st_put(ap->s, TAB_URLKEY, &k);
}

/* Tells the account's other sessions. */
static uint64_t
reset_modseq(struct apply *ap)
{
	ap->a->rec.urls_told = ap_modseq(ap);
	ap->reader_changed = true;	/* nobody but the owner has anything of it */
	return ap->modseq;
}

static enum status
key_of_path(struct apply *ap, struct span path)
{
	const struct op_url_key *p = &ap->op->u.url_key;
	struct urlkey old = { 0 };
	struct path_at at;
	enum status st;

	TRY(path_find(ap->s, ap->s->txn, ap->a->id, path, &at));
	if (at.id == 0)
		return refuse(ap, ST_NOT_FOUND);
	st = load(ap->s, ap->s->txn, ap->a->id, at.id, &old);
	mem_wipe(old.key, sizeof(old.key));
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	ap->r->mailbox = at.id;
	if (p->reset)
		return key_put(ap, at.id, reset_modseq(ap));
	if (st == ST_OK && old.made >= ap->a->rec.urls_reset)
		return ST_OK;
	return key_put(ap, at.id, st == ST_OK ? old.reset : 0);
}

/* Keys older than the account's last reset of all are none: they are not walked through. */
static enum status
reset_all(struct apply *ap)
{
	ap->a->rec.urls_reset = reset_modseq(ap);
	return ST_OK;
}

enum status
apply_url_key(struct apply *ap)
{
	const struct op_url_key *p = &ap->op->u.url_key;
	struct store_url_keyed reply;
	struct buf path = { 0 };
	enum status st;

	if (p->key.len != STORE_URL_KEY || (p->path.len == 0 && !p->reset))
		return refuse(ap, ST_SYNTAX);
	if (p->path.len == 0)
		st = reset_all(ap);
	else if (path_clean(p->path, &path))
		st = key_of_path(ap, buf_span(&path));
	else
		st = refuse(ap, ST_NOT_FOUND);
	buf_fini(&path);
	reply.modseq = ap->a->rec.modseq;
	if (st == ST_OK && ap->r->status == ST_OK)
		ap_reply(ap, STORE_URL_KEYED, &reply);
	return st;
}

enum status
urlkey_drop(struct apply *ap, uint64_t mailbox)
{
	struct key k;

	key_2(&k, ap->a->id, mailbox);
	return st_del_any(ap->s, TAB_URLKEY, &k);
}

/* ---- reading ---- */

static void
token_of(const unsigned char key[STORE_URL_KEY], uint64_t account, struct span rump,
    unsigned char out[TOKEN_BYTES])
{
	static const char about[] = "mansio urlauth";
	struct buf b = { 0 };

	out[0] = METHOD;
	buf_add(&b, about, sizeof(about));
	put_u8(&b, METHOD);
	put_u64(&b, account);
	buf_add_span(&b, rump);
	hmac_sha256(span(key, STORE_URL_KEY), buf_span(&b), out + 1);
	buf_fini(&b);
}

/* Either case: all URLs are, but for the rump (RFC 4467 §9). */
static bool
token_is(struct span hex, const unsigned char want[TOKEN_BYTES])
{
	unsigned char got[TOKEN_BYTES] = { 0 };
	bool good = hex.len == 2 * TOKEN_BYTES;

	for (size_t i = 0; i < TOKEN_BYTES && good; i++) {
		int high = ascii_hex(hex.p[2 * i]), low = ascii_hex(hex.p[2 * i + 1]);

		good = high >= 0 && low >= 0;
		got[i] = (unsigned char)(good ? high << 4 | low : 0);
	}
	return mem_equal_ct(got, want, TOKEN_BYTES) && good;
}

/* The mailbox that a URL names.  ST_NOT_FOUND. */
static enum status
find(struct state *s, uint64_t account, const struct imap_url *url, uint64_t *mailbox,
    struct rec_mailbox *m)
{
	struct buf value = { 0 };
	enum status st;

	if (!url->absolute || url->user.len == 0 || url->mailbox.len == 0)
		return ST_NOT_FOUND;
	TRY(state_find_mailbox(s, account, url->mailbox, mailbox));
	st = st_read_mailbox(s, NULL, account, *mailbox, m, &value);
	m->name = SPAN_NONE;
	buf_fini(&value);
	if (st == ST_OK && url->uidvalidity != 0 && url->uidvalidity != m->uidvalidity)
		return ST_NOT_FOUND;
	return st;
}

/* Its key in force.  ST_EXPIRED: it has none. */
static enum status
key_of(struct state *s, uint64_t account, uint64_t mailbox, struct urlkey *u)
{
	struct rec_account a;
	enum status st;

	TRY(st_read_account(s, NULL, account, &a));
	st = load(s, NULL, account, mailbox, u);
	if (st == ST_NOT_FOUND || (st == ST_OK && u->made < a.urls_reset))
		return ST_EXPIRED;
	return st;
}

static enum status
sign(struct state *s, uint64_t account, struct span rump, uint64_t who, struct arena *arena,
    struct buf *token)
{
	unsigned char raw[TOKEN_BYTES];
	struct imap_url url;
	struct rec_mailbox m;
	struct urlkey u;
	uint64_t mailbox;

	if (!imap_url_parse(rump, arena, &url) || url.access == URL_ACCESS_NONE ||
	    url.mechanism.len > 0)
		return ST_SYNTAX;
	TRY(find(s, account, &url, &mailbox, &m));
	TRY(key_of(s, account, mailbox, &u));
	token_of(u.key, url.access == URL_ACCESS_USER ? who : 0, rump, raw);
	mem_wipe(&u, sizeof(u));
	for (size_t i = 0; i < TOKEN_BYTES; i++)
		buf_addf(token, "%02x", raw[i]);
	mem_wipe(raw, sizeof(raw));
	return ST_OK;
}

enum status
state_url_sign(struct state *s, uint64_t account, struct span rump, uint64_t who,
    struct buf *token)
{
	struct arena arena = { 0 };
	enum status st = sign(s, account, rump, who, &arena, token);

	arena_fini(&arena);
	return st;
}

static bool
may_use(const struct imap_url *url, const struct state_url_asker *by)
{
	if (url->expires_s != INT64_MAX && by->now_s > url->expires_s)
		return false;
	return url->access != URL_ACCESS_SUBMIT || by->submits;
}

/* The token is computed whatever else is wrong, so that the time tells nothing of it. */
static enum status
judge(struct state *s, uint64_t account, struct span text, const struct state_url_asker *by,
    struct arena *arena, struct state_url *out)
{
	unsigned char want[TOKEN_BYTES];
	struct urlkey u = { 0 };
	struct imap_url url;
	struct rec_mailbox m = { 0 };
	bool good;
	enum status st;

	if (!imap_url_parse(text, arena, &url) || url.token.len == 0)
		return ST_NOT_FOUND;
	st = find(s, account, &url, &out->mailbox, &m);
	if (st == ST_OK)
		st = key_of(s, account, out->mailbox, &u);
	if (st != ST_OK && st != ST_NOT_FOUND && st != ST_EXPIRED)
		return st;
	token_of(u.key, url.access == URL_ACCESS_USER ? by->account : 0, url.rump, want);
	good = token_is(url.token, want) && st == ST_OK;
	mem_wipe(&u, sizeof(u));
	mem_wipe(want, sizeof(want));
	if (!good || !may_use(&url, by) || !span_caseeq_str(url.mechanism, "INTERNAL") ||
	    url.uid >= m.uidnext)
		return ST_NOT_FOUND;
	out->uid = url.uid;
	return ST_OK;
}

enum status
state_url_judge(struct state *s, uint64_t account, struct span url,
    const struct state_url_asker *by, struct state_url *out)
{
	struct arena arena = { 0 };
	enum status st = judge(s, account, url, by, &arena, out);

	arena_fini(&arena);
	return st;
}

enum status
state_url_reset(struct state *s, uint64_t account, uint64_t mailbox, uint64_t *modseq)
{
	struct rec_account a;
	struct urlkey u = { 0 };
	enum status st;

	*modseq = 0;
	TRY(st_read_account(s, NULL, account, &a));
	if (a.urls_told == 0)
		return ST_OK;
	st = load(s, NULL, account, mailbox, &u);
	mem_wipe(u.key, sizeof(u.key));
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	*modseq = u.reset > a.urls_reset ? u.reset : a.urls_reset;
	return ST_OK;
}

enum status
state_url_key_sum(struct state *s, uint64_t account, uint64_t mailbox,
    unsigned char out[SHA256_LEN])
{
	unsigned char token[TOKEN_BYTES];
	struct urlkey u;

	TRY(key_of(s, account, mailbox, &u));
	token_of(u.key, 0, SPAN_NONE, token);
	mem_wipe(&u, sizeof(u));
	memcpy(out, token + 1, SHA256_LEN);
	return ST_OK;
}
