#include "authd/referral.h"

#include "authd/admin_priv.h"
#include "authd/tickets.h"
#include "common/util/clock.h"
#include "common/util/mem.h"

#define SCHEME "imap://"

/* URLs ------------------------------------------------------------------------------ */

static bool
is_url_char(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != ']' && c != '[' && c != '<' &&
	    c != '>';
}

bool
referral_url_valid(struct span url)
{
	struct span host = span_sub(url, sizeof(SCHEME) - 1, url.len);

	for (size_t i = 0; i < url.len; i++)
		if (!is_url_char((unsigned char)url.p[i]))
			return false;
	return span_has_caseprefix(url, SCHEME) && url.len < DIR_REFERRAL_MAX / 2 &&
	    host.len > 0 && host.p[0] != '/';
}

/* What a URL may hold as it is of an address. */
static void
url_encode(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
		    c == '_')
			buf_add_c(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

void
referral_url_for(struct span url, struct span address, struct buf *out)
{
	struct span host = span_sub(url, sizeof(SCHEME) - 1, url.len);

	buf_add_str(out, SCHEME);
	if (span_find(host, '@') == host.len) {
		url_encode(address, out);
		buf_add_str(out, ";AUTH=*@");
	}
	buf_add_span(out, host);
	if (span_find(host, '/') == host.len)
		buf_add_c(out, '/');
}

/* Looking up ------------------------------------------------------------------------- */

bool
dir_apply_referral(struct dir_job *job, struct dir_account *a)
{
	struct span domain = address_domain(a->address);
	struct buf b = { 0 };
	const struct dir_rec *r;
	struct dir_referral f;

	if (a->referral.len > 0 || a->shared || domain.len == 0)
		return true;
	dir_key_referral(&b, domain);
	r = dir_get(job, buf_span(&b));
	buf_clear(&b);
	if (r != NULL && r->version != 0 && dir_referral_decode(&f, r->value)) {
		referral_url_for(f.url, a->address, &b);
		if (b.len > DIR_REFERRAL_MAX) {	/* a long name: he is asked for it there */
			buf_clear(&b);
			referral_url_for(f.url, SPAN_NONE, &b);
		}
		a->referral = arena_span(dir_arena(job), buf_span(&b));
		a->referral_stays = f.stays;
	}
	buf_fini(&b);
	return r != NULL;
}

/* What the admin asks ------------------------------------------------------------------ */

/* An optional url; *stays only with one. */
static enum status
take_args(struct admin_rq *rq, struct span *url, bool *stays)
{
	enum status st = admin_string(rq, "url", url);

	*stays = false;
	if (st == ST_OK)
		st = admin_bool(rq, "stays", stays);
	if (st == ST_OK && url->len > 0 && !referral_url_valid(*url))
		st = admin_error(rq, ST_SYNTAX, "the url is none of IMAP: imap://HOST/");
	*stays = *stays && url->len > 0;
	return st;
}

static enum status
run_account(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_account a = { 0 };
	struct span url = SPAN_NONE;
	struct buf whole = { 0 };
	bool stays;
	enum status st = admin_account(job, rq, "address", &a);

	if (st == ST_OK && !dir_waits(job))
		st = admin_has_logins(rq, &a);
	if (st == ST_OK)
		st = take_args(rq, &url, &stays);
	if (st != ST_OK || dir_waits(job))
		return st;
	if (url.len > 0)
		referral_url_for(url, a.address, &whole);
	if (whole.len > DIR_REFERRAL_MAX) {
		buf_fini(&whole);
		return admin_error(rq, ST_SYNTAX, "the url is too long");
	}
	a.referral = buf_span(&whole);
	a.referral_stays = stays;
	if (url.len == 0 || stays)
		rq->account = 0;	/* nobody has to go */
	dir_put_account(job, &a);
	admin_kv_id(&rq->w, "id", a.id);
	json_kv_string(&rq->w, "referral", a.referral);
	buf_fini(&whole);
	return ST_OK;
}

static enum status
run_domain(struct dir_job *job, struct admin_rq *rq)
{
	struct dir_referral f = { .stays = false };
	struct buf key = { 0 }, value = { 0 };
	const struct dir_rec *r;
	struct dir_domain d;
	struct span name;
	bool found;
	enum status st = admin_domain_arg(rq, "domain", 0, &name);

	if (st == ST_OK)
		st = take_args(rq, &f.url, &f.stays);
	if (st != ST_OK)
		return st;
	dir_key_referral(&key, name);
	r = dir_get(job, buf_span(&key));
	if (!dir_get_domain(job, name, &d, &found) || r == NULL) {
		buf_fini(&key);
		return ST_UNAVAILABLE;
	}
	dir_referral_encode(&f, &value);
	if (!found || d.alias_of.len > 0)
		st = admin_error(rq, ST_NOT_FOUND, "no such domain");
	else if (f.url.len > 0)
		dir_put(job, buf_span(&key), buf_span(&value));
	else if (r->version != 0)
		dir_del(job, buf_span(&key));
	/* whose logins end; nobody's when it is empty */
	buf_clear(&rq->label);
	if (f.url.len > 0 && !f.stays)
		buf_add_span(&rq->label, name);
	if (st == ST_OK) {
		json_kv_string(&rq->w, "domain", name);
		json_kv_string(&rq->w, "referral", f.url);
	}
	buf_fini(&key);
	buf_fini(&value);
	return st;
}

static bool
is_of_domain(const struct login *l, void *arg)
{
	const struct admin_rq *rq = arg;

	return l->user != NULL && span_eq(address_domain(span_str(l->user)), buf_span(&rq->label));
}

/* Those who have a referral of their own and stay come again. */
static void
end_domain_logins(struct admin_rq *rq)
{
	if (rq->label.len > 0)
		tickets_revoke(rq->a->tickets, is_of_domain, rq, clock_wall_s());
}

const struct admin_command admin_referral_commands[] = {
	{ "account-referral", " address url stays ", run_account, true, false, admin_revoke_account },
	{ "domain-referral", " domain url stays ", run_domain, true, false, end_domain_logins },
	{ 0 }
};
