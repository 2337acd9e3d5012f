/* stored --fsck DIR: proves a shard's folder that no stored serves, and prints its roots. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/json/writer.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"
#include "storage/service/offline.h"
#include "storage/state/fsck.h"

/* ---- what is printed ---- */

struct roots {
	struct digest	*all;
	struct buf	*out;
	struct json_writer *w;		/* NULL: text */
	uint64_t	accounts;
};

static void
put_root(struct roots *r, uint64_t account, const unsigned char root[SHA256_LEN])
{
	struct buf hex = { 0 };
	char id[17];

	snprintf(id, sizeof(id), "%016" PRIx64, account);
	hex_encode(span(root, SHA256_LEN), &hex);
	if (r->w != NULL) {
		json_begin_object(r->w);
		json_kv_str(r->w, "account", id);
		json_kv_string(r->w, "root", buf_span(&hex));
		json_end_object(r->w);
	} else {
		buf_addf(r->out, "account %s root %s\n", id, buf_cstr(&hex));
	}
	buf_fini(&hex);
}

static enum status
each_root(struct state *s, struct roots *r)
{
	unsigned char root[SHA256_LEN];
	struct state_account a = { 0 };
	struct buf id = { 0 };
	enum status st;

	while ((st = state_account_next(s, a.id, &a)) == ST_OK) {
		if (a.purged)
			continue;
		st = state_hash(s, a.id, root);
		if (st != ST_OK)
			break;
		put_root(r, a.id, root);
		buf_clear(&id);
		put_u64(&id, a.id);
		digest_add(r->all, id.data, id.len);
		digest_add(r->all, root, sizeof(root));
		r->accounts++;
	}
	buf_fini(&id);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static void
put_all(struct roots *r)
{
	unsigned char root[SHA256_LEN];
	struct buf hex = { 0 };

	digest_done(r->all, root);
	hex_encode(span(root, sizeof(root)), &hex);
	if (r->w != NULL)
		json_kv_string(r->w, "root", buf_span(&hex));
	else
		buf_addf(r->out, "accounts %" PRIu64 " root %s\n", r->accounts, buf_cstr(&hex));
	buf_fini(&hex);
}

enum status
offline_roots(struct state *s, struct buf *out)
{
	struct roots r = { .all = digest_new(DIGEST_SHA256), .out = out };
	enum status st = each_root(s, &r);

	if (st == ST_OK)
		put_all(&r);
	digest_free(&r.all);
	return st;
}

static void
put_findings(struct offline *o, struct json_writer *w, struct buf *out, struct span lines)
{
	static const char rebuilt[] =
	    "the database could not be opened: made anew from the journal";
	struct span line;

	if (w != NULL) {
		json_key(w, "wrong");
		json_begin_array(w);
	}
	if (offline_rebuilt(o) && w != NULL)
		json_str(w, rebuilt);
	else if (offline_rebuilt(o))
		buf_addf(out, "%s\n", rebuilt);
	while (w != NULL && lines.len > 0) {
		const char *nl = memchr(lines.p, '\n', lines.len);
		size_t n = nl != NULL ? (size_t)(nl - lines.p) : lines.len;

		line = span_sub(lines, 0, n);
		json_string(w, line);
		lines = span_sub(lines, nl != NULL ? n + 1 : n, lines.len);
	}
	if (w != NULL)
		json_end_array(w);
	else
		buf_add_span(out, lines);
}

/* ---- the check, with what the journal knows ---- */

struct proof {
	struct journal		*journal;
	struct journal_segment	*segments;
	size_t			 n_segments;
	struct buf		*lines;
	uint64_t		 wrong;
};

static void
put_wrong(struct proof *p, uint64_t account, const char *table, struct span key, const char *text)
{
	struct buf hex = { 0 };

	p->wrong++;
	hex_encode(key, &hex);
	buf_addf(p->lines, "account %016" PRIx64 ": %s %s: %s\n", account, table, buf_cstr(&hex),
	    text);
	buf_fini(&hex);
}

static void
on_found(void *arg, const struct fsck_finding *x)
{
	if (x->cure != CURE_NOTE)
		put_wrong(arg, x->account, x->table, x->key, x->text);
}

static bool
on_place(void *arg, struct journal_loc loc)
{
	const struct proof *p = arg;

	for (size_t i = 0; i < p->n_segments; i++)
		if (p->segments[i].segment == loc.segment)
			return loc.offset < p->segments[i].used &&
			    loc.length <= p->segments[i].used - loc.offset;
	return p->journal == NULL;
}

static bool
on_body(void *arg, uint64_t account, uint64_t message, const unsigned char sha256[32],
    uint64_t size, const struct journal_loc *locs, size_t n)
{
	struct proof *p = arg;
	unsigned char key[16];
	bool good = true;

	for (size_t i = 0; i < n && good; i++) {
		void *bytes = mem_alloc(locs[i].length > 0 ? locs[i].length : 1);

		good = journal_read_checked(p->journal, locs[i], bytes) == ST_OK;
		mem_free(&bytes);
	}
	put_be64(key, account);
	put_be64(key + 8, message);
	if (!good)
		put_wrong(p, account, "message", span(key, sizeof(key)), "its body cannot be read");
	return true;
}

static enum status
check(struct offline *o, bool bodies, struct buf *lines, uint64_t *wrong)
{
	struct proof p = { .journal = offline_journal(o), .lines = lines };
	const struct fsck_opts opts = { .check = true, .place = on_place,
		.body = bodies && p.journal != NULL ? on_body : NULL, .found = on_found, .arg = &p };
	struct state_fsck *f = state_fsck_new(offline_state(o), &opts);
	enum fsck_step step;
	enum status st;

	if (p.journal != NULL)
		journal_segments(p.journal, &p.segments, &p.n_segments);
	do
		step = state_fsck_step(f, 0, false);
	while (step == FSCK_MORE || step == FSCK_WAIT);
	st = state_fsck_status(f);
	state_fsck_free(&f);
	mem_free(&p.segments);
	*wrong = p.wrong;
	return st;
}

enum status
offline_fsck(struct offline *o, const struct offline_fsck *how, struct buf *out,
    uint64_t *wrong)
{
	static const char tag[] = "mansio installation 1";
	struct roots r = { .out = out };
	struct buf lines = { 0 };
	struct json_writer w;
	enum status st = ST_OK;

	*wrong = 0;
	if (how->json) {
		json_writer_init(&w, out);
		json_begin_object(&w);
		r.w = &w;
	}
	if (!how->roots)
		st = check(o, how->bodies, &lines, wrong);
	*wrong += offline_rebuilt(o);
	put_findings(o, r.w, out, buf_span(&lines));
	if (how->json) {
		json_key(&w, "accounts");
		json_begin_array(&w);
	}
	r.all = digest_new(DIGEST_SHA256);
	digest_add(r.all, tag, sizeof(tag) - 1);
	if (st == ST_OK)
		st = each_root(offline_state(o), &r);
	if (how->json)
		json_end_array(&w);
	put_all(&r);
	digest_free(&r.all);
	if (how->json) {
		json_end_object(&w);
		buf_add_c(out, '\n');
	}
	buf_fini(&lines);
	return st;
}

/* ---- the program ---- */

static int
usage(void)
{
	fputs("usage: stored --fsck DIR [--scratch DIR | --in-place] [--copy] [--bodies] "
	    "[--roots] [--json]\n",
	    stderr);
	return 2;
}

static bool
arguments(int argc, char **argv, struct offline_opts *opts, struct offline_fsck *how,
    bool *in_place)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--fsck") == 0 && i + 1 < argc && opts->dir == NULL)
			opts->dir = argv[++i];
		else if (strcmp(argv[i], "--scratch") == 0 && i + 1 < argc)
			opts->scratch = argv[++i];
		else if (strcmp(argv[i], "--in-place") == 0)
			*in_place = true;
		else if (strcmp(argv[i], "--copy") == 0)
			opts->copy = true;
		else if (strcmp(argv[i], "--roots") == 0)
			how->roots = true;
		else if (strcmp(argv[i], "--bodies") == 0)
			how->bodies = true;
		else if (strcmp(argv[i], "--json") == 0)
			how->json = true;
		else
			return false;
	}
	return opts->dir != NULL && !(*in_place && opts->scratch != NULL);
}

static int
prove(const struct offline_opts *opts, const struct offline_fsck *how)
{
	struct offline *o;
	struct buf out = { 0 };
	uint64_t wrong = 0;
	char why[200];
	enum status st = offline_open(opts, &o, why);
	int rc = 2;

	if (st != ST_OK) {
		fprintf(stderr, "stored: %s\n", why);
		return st == ST_CORRUPT ? 1 : 2;
	}
	st = offline_fsck(o, how, &out, &wrong);
	fwrite(out.data, 1, out.len, stdout);
	if (st != ST_OK)
		fprintf(stderr, "stored: the check ended early: %s\n", status_name(st));
	else if (fflush(stdout) == 0)
		rc = wrong > 0;
	if (st == ST_CORRUPT)
		rc = 1;
	if (wrong > 0)
		fprintf(stderr, "stored: %" PRIu64 " wrong\n", wrong);
	buf_fini(&out);
	offline_close(&o);
	return rc;
}

int
offline_main(int argc, char **argv)
{
	struct offline_opts opts = { 0 };
	struct offline_fsck how = { 0 };
	struct buf scratch = { 0 };
	const char *tmp = getenv("TMPDIR");
	bool in_place = false;
	int rc;

	if (!arguments(argc, argv, &opts, &how, &in_place))
		return usage();
	if (!in_place && opts.scratch == NULL) {
		buf_addf(&scratch, "%s/mansio-fsck-XXXXXX", tmp != NULL ? tmp : "/var/tmp");
		opts.scratch = mkdtemp((char *)(uintptr_t)buf_cstr(&scratch));
		if (opts.scratch == NULL) {
			perror("stored: a scratch folder");
			buf_fini(&scratch);
			return 2;
		}
	}
	rc = prove(&opts, &how);
	buf_fini(&scratch);
	return rc;
}
