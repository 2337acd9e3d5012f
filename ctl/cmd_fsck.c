/* ctl/cmd_fsck.c
 * Proves the mail of an account, or of the whole server, while it runs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/output.h"

struct root {
	uint64_t	account;
	unsigned char	hash[SHA256_LEN];
	bool		known;
};

struct proof {
	struct ctl		*ctl;
	struct ctl_progress	 progress;
	struct buf		 found;		/* JSON: objects with commas; else lines */
	struct root		*roots;
	size_t			 n_roots, room;
};

/* ---- what comes ---- */

static const char *
cure_text(struct span cure, bool mended)
{
	if (mended)
		return ": mended";
	if (span_eq_str(cure, "repair"))
		return ": --repair mends it";
	if (span_eq_str(cure, "quarantine"))
		return ": --repair takes it away and keeps its bytes";
	if (span_eq_str(cure, "rebuild"))
		return ": --rebuild makes the database anew from the journal, which has it";
	return span_eq_str(cure, "note") ? "" : ": the message stays listed, its body is lost; look "
	    "for it in a backup";
}

static struct span
text_of(const struct json *v, const char *key)
{
	struct span s = SPAN_NONE;

	(void)json_get_string(v, key, &s);
	return s;
}

/* Cursors of the bar go first: a line of its own for each finding. */
static void
say_found(struct proof *p, const struct json *v)
{
	struct span table = text_of(v, "table"), key = text_of(v, "key");
	struct span text = text_of(v, "text"), account = text_of(v, "account");
	struct span shard = text_of(v, "shard");
	bool mended = false;

	(void)json_get_bool(v, "mended", &mended);
	if (p->progress.shown && p->progress.last_ms != 0)
		fprintf(stderr, "\r\033[K");
	printf("shard %.*s account %.*s: %.*s %.*s %.*s%s\n", (int)shard.len, shard.p,
	    (int)account.len, account.p, (int)table.len, table.p, (int)key.len, key.p,
	    (int)text.len, text.p, cure_text(text_of(v, "cure"), mended));
	fflush(stdout);
}

static void
take_found(struct proof *p, const struct json *list)
{
	struct json_writer w;

	for (size_t i = 0; i < json_count(list); i++) {
		if (!p->ctl->json) {
			say_found(p, json_item(list, i));
			continue;
		}
		if (p->found.len > 0)
			buf_add_c(&p->found, ',');
		json_writer_init(&w, &p->found);
		ctl_put_json(&w, json_item(list, i));
	}
}

static bool
take_root(const struct json *v, struct root *r)
{
	struct buf raw = { 0 };
	bool ok = hex_decode(text_of(v, "account"), 8, &raw) && raw.len == 8;

	*r = (struct root){ .account = ok ? get_be64(raw.data) : 0 };
	buf_clear(&raw);
	if (ok && hex_decode(text_of(v, "root"), SHA256_LEN, &raw) && raw.len == SHA256_LEN) {
		memcpy(r->hash, raw.data, SHA256_LEN);
		r->known = true;
	}
	buf_fini(&raw);
	return ok;
}

static void
on_part(void *arg, struct span text)
{
	struct proof *p = arg;
	struct json_doc *doc = NULL;
	const struct json *list;

	if (json_parse(text, ADMIN_RESULT_MAX, &doc) != ST_OK)
		return;
	take_found(p, json_member(json_root(doc), "found"));
	list = json_member(json_root(doc), "roots");
	for (size_t i = 0; i < json_count(list); i++) {
		if (p->n_roots == p->room) {
			p->room = p->room == 0 ? 64 : p->room * 2;
			p->roots = mem_realloc_array(p->roots, p->room, sizeof(*p->roots));
		}
		p->n_roots += take_root(json_item(list, i), &p->roots[p->n_roots]);
	}
	json_free(&doc);
}

static void
on_progress(void *arg, uint64_t done, uint64_t total)
{
	ctl_progress_set(&((struct proof *)arg)->progress, done, total);
}

/* ---- what is told at the end ---- */

static int
by_account(const void *a, const void *b)
{
	const struct root *x = a, *y = b;

	return (x->account > y->account) - (x->account < y->account);
}

/* Of all accounts; false: one of them has none. */
static bool
root_of_all(const struct proof *p, struct buf *hex)
{
	static const char tag[] = "mansio installation 1";
	struct digest *d = digest_new(DIGEST_SHA256);
	unsigned char hash[SHA256_LEN];
	bool known = true;

	digest_add(d, tag, sizeof(tag) - 1);
	for (size_t i = 0; i < p->n_roots; i++) {
		unsigned char id[8];

		put_be64(id, p->roots[i].account);
		digest_add(d, id, sizeof(id));
		digest_add(d, p->roots[i].hash, SHA256_LEN);
		known &= p->roots[i].known;
	}
	digest_done(d, hash);
	digest_free(&d);
	if (known)
		hex_encode(span(hash, sizeof(hash)), hex);
	return known;
}

static void
put_root(struct json_writer *w, const char *key, struct span hex)
{
	json_key(w, key);
	if (hex.len > 0)
		json_string(w, hex);
	else
		json_null(w);
}

static void
show_roots(const struct proof *p, struct buf *out, bool all)
{
	struct buf hex = { 0 };

	for (size_t i = 0; i < p->n_roots; i++) {
		buf_clear(&hex);
		if (p->roots[i].known)
			hex_encode(span(p->roots[i].hash, SHA256_LEN), &hex);
		buf_addf(out, "account %016" PRIx64 " root %s\n", p->roots[i].account,
		    hex.len > 0 ? buf_cstr(&hex) : "unknown: it changes too fast, or is damaged");
	}
	buf_clear(&hex);
	if (all && p->n_roots > 0)
		buf_addf(out, "accounts %zu root %s\n", p->n_roots,
		    root_of_all(p, &hex) ? buf_cstr(&hex) : "unknown");
	buf_fini(&hex);
}

static void
json_roots(const struct proof *p, struct json_writer *w, bool all)
{
	struct buf hex = { 0 };
	char id[17];

	json_key(w, "roots");
	json_begin_array(w);
	for (size_t i = 0; i < p->n_roots; i++) {
		json_begin_object(w);
		snprintf(id, sizeof(id), "%016" PRIx64, p->roots[i].account);
		json_kv_str(w, "account", id);
		buf_clear(&hex);
		if (p->roots[i].known)
			hex_encode(span(p->roots[i].hash, SHA256_LEN), &hex);
		put_root(w, "root", buf_span(&hex));
		json_end_object(w);
	}
	json_end_array(w);
	buf_clear(&hex);
	if (all)
		(void)root_of_all(p, &hex);
	put_root(w, "root", buf_span(&hex));
	buf_fini(&hex);
}

/* Not whole: something is wrong that was not mended. */
static int
tell(struct proof *p, struct span answer, bool all)
{
	static const char *const numbers[] = { "wrong", "mended", "notes", "bodies" };
	uint64_t n[ARRAY_LEN(numbers)] = { 0 };
	struct json_doc *doc = NULL;
	struct json_writer w;
	struct buf out = { 0 };
	int rc;

	if (json_parse(answer, ADMIN_RESULT_MAX, &doc) != ST_OK)
		return ctl_error("the answer is not understood");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		(void)json_get_uint(json_root(doc), numbers[i], &n[i]);
	json_free(&doc);
	if (p->n_roots > 1)
		qsort(p->roots, p->n_roots, sizeof(*p->roots), by_account);
	if (p->ctl->json) {
		json_writer_init(&w, &out);
		json_begin_object(&w);
		json_key(&w, "found");
		buf_add_c(&out, '[');
		buf_add_span(&out, buf_span(&p->found));
		json_raw(&w, SPAN_LIT("]"));
		json_roots(p, &w, all);
		for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
			json_kv_uint(&w, numbers[i], n[i]);
		json_end_object(&w);
		buf_add_c(&out, '\n');
	} else {
		show_roots(p, &out, all);
		if (n[0] > 0)
			buf_addf(&out, "%" PRIu64 " wrong, %" PRIu64 " mended\n", n[0], n[1]);
		else
			buf_add_str(&out, "nothing is wrong\n");
	}
	rc = ctl_print(&out);
	buf_fini(&out);
	return rc == CTL_OK && n[0] > n[1] ? CTL_FAILED : rc;
}

/* ---- the command ---- */

struct wish {
	const char		*account;
	bool			 all, bodies, repair, rebuild, roots;
	struct ctl_number	 rate, body_rate;
};

static void
put_args(struct buf *out, const struct wish *x)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_begin_object(&w);
	if (x->account != NULL)
		json_kv_str(&w, "address", x->account);
	json_kv_bool(&w, "check", !x->roots);
	json_kv_bool(&w, "roots", true);
	json_kv_bool(&w, "bodies", x->bodies);
	json_kv_bool(&w, "repair", x->repair);
	json_kv_bool(&w, "rebuild", x->rebuild);
	if (x->rate.given)
		json_kv_uint(&w, "share", x->rate.v);
	if (x->body_rate.given)
		json_kv_uint(&w, "body_rate", x->body_rate.v);
	json_end_object(&w);
}

static int
judge(const struct wish *x)
{
	if (x->all && x->account != NULL)
		return ctl_usage("one account, or all");
	if (x->rate.given && (x->rate.v < 1 || x->rate.v > 100))
		return ctl_usage("--rate is a number of per cent, 1 to 100");
	if (x->roots && (x->bodies || x->repair || x->rebuild))
		return ctl_usage("--roots checks nothing");
	if (x->rebuild && x->account != NULL)
		return ctl_usage("--rebuild is for a whole database");
	return CTL_OK;
}

static int
fsck(struct ctl *ctl, int argc, char **argv)
{
	struct wish x = { .all = false };
	const struct ctl_option options[] = { { "--account", CTL_TEXT, &x.account },
		{ "--all", CTL_FLAG, &x.all }, { "--rate", CTL_COUNT, &x.rate },
		{ "--body-rate", CTL_SIZE, &x.body_rate }, { "--bodies", CTL_FLAG, &x.bodies },
		{ "--repair", CTL_FLAG, &x.repair }, { "--rebuild", CTL_FLAG, &x.rebuild },
		{ "--roots", CTL_FLAG, &x.roots }, { NULL, CTL_FLAG, NULL } };
	struct proof p = { .ctl = ctl };
	const struct ctl_parts parts = { on_part, on_progress, &p };
	struct buf args = { 0 }, answer = { 0 };
	int rc = ctl_options(options, &argc, argv, 0, 0);

	if (rc == CTL_OK)
		rc = judge(&x);
	if (rc != CTL_OK)
		return rc;
	put_args(&args, &x);
	ctl_progress_start(&p.progress, ctl, "messages");
	rc = ctl_run_parts(ctl, "fsck", buf_span(&args), &parts, &answer);
	ctl_progress_end(&p.progress);
	if (rc == CTL_OK)
		rc = tell(&p, buf_span(&answer), x.account == NULL);
	mem_free(&p.roots);
	buf_fini(&p.found);
	buf_fini(&args);
	buf_fini(&answer);
	return rc;
}

const struct ctl_command ctl_cmds_fsck[] = {
	{ "fsck", "[--account ADDRESS | --all] [--rate PERCENT] [--bodies [--body-rate SIZE]] "
	    "[--repair] [--rebuild] | --roots [--account ADDRESS]",
	    "proves that the mail is whole, while everybody is served", fsck },
	{ .name = NULL }
};
