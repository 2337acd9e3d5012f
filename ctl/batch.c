#include "ctl/batch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/util/mem.h"
#include "common/util/table.h"
#include "ctl/client.h"
#include "ctl/output.h"

#define INPUT_MAX (64u << 20)
#define TRIES_MAX 100		/* of an account, while others are in the way */
#define LIST_PAGES_MAX 100	/* of accounts that are there, asked before any is made */

struct batch {
	struct ctl		*ctl;
	const struct batch_opts	*opts;
	struct ctl_client	*client;
	struct ctl_progress	progress;
	struct buf		args;
	unsigned		total, made, there, failed;
	bool			again;		/* some wait for another try */
};

struct item {
	struct batch	*b;
	unsigned	line, tries;
	bool		waits;
	struct span	address, password;	/* of the input */
};

bool
batch_next(struct span *rest, unsigned *line, struct span *address, struct span *password)
{
	while (rest->len > 0) {
		struct span s = span_trim(span_cut(rest, '\n'));
		size_t n = 0;

		(*line)++;
		if (s.len == 0 || s.p[0] == '#')
			continue;
		while (n < s.len && s.p[n] != ' ' && s.p[n] != '\t')
			n++;
		*address = span_sub(s, 0, n);
		*password = span_trim(span_sub(s, n, s.len));
		return true;
	}
	return false;
}

static void
complain(const struct item *it, struct span text, enum status st)
{
	struct json_doc *doc = NULL;
	struct span why = span_str(status_name(st));

	if (json_parse(text, text.len, &doc) == ST_OK)
		(void)json_get_string(json_root(doc), "error", &why);
	ctl_progress_end(&it->b->progress);
	ctl_error("line %u: %.*s: %.*s", it->line, (int)it->address.len, it->address.p,
	    (int)why.len, why.p);
	json_free(&doc);
}

/* Away: perhaps it was made, which is fine with --if-missing alone. */
static bool
goes_again(const struct batch *b, enum status st)
{
	return st == ST_LIMIT || st == ST_CONFLICT ||
	    (st == ST_UNAVAILABLE && b->opts->if_missing);
}

static void
on_answer(void *arg, enum status st, struct span text)
{
	struct item *it = arg;
	struct batch *b = it->b;

	if (st == ST_OK) {
		b->made++;
	} else if (st == ST_EXISTS && b->opts->if_missing) {
		b->there++;
	} else if (goes_again(b, st) && it->tries < TRIES_MAX) {
		it->waits = b->again = true;
	} else {
		complain(it, text, st);
		b->failed++;
	}
	ctl_progress_set(&b->progress, b->made + b->there + b->failed, b->total);
}

/* --if-missing: the server would hash each password before it finds that the address is
 * taken.  What is found in its list need not be asked. */
static bool
forget_existing(struct batch *b, const struct json *accounts, struct table *by_address)
{
	struct span address;

	for (size_t i = 0; i < json_count(accounts); i++) {
		struct item *it;

		if (!json_get_string(json_item(accounts, i), "address", &address) ||
		    (it = table_get(by_address, address)) == NULL || !it->waits)
			continue;
		it->waits = false;
		b->there++;
	}
	return b->there < b->total;
}

static bool
find_existing(struct batch *b, struct item *items)
{
	struct buf args = { 0 }, answer = { 0 };
	struct table by_address = { 0 };
	const struct json *more = NULL;
	struct json_doc *doc = NULL;
	bool ok = true, go_on = true;
	enum status st;

	for (unsigned i = 0; i < b->total; i++)
		table_put(&by_address, items[i].address, &items[i]);
	buf_add_str(&args, "{}");
	for (unsigned n = 0; ok && go_on && n < LIST_PAGES_MAX; n++) {
		struct span after;

		buf_clear(&answer);
		ok = ctl_call(b->client, "account-list", buf_span(&args), CTL_PATIENCE_S, &st, &answer);
		if (!ok || st != ST_OK || json_parse(buf_span(&answer), answer.len, &doc) != ST_OK)
			break;
		more = json_member(json_root(doc), "more");
		go_on = forget_existing(b, json_member(json_root(doc), "accounts"), &by_address) &&
		    json_as_string(more, &after);
		buf_clear(&args);
		if (go_on) {
			char *text = span_dup(after);

			ctl_args(&args, "after", text, NULL);
			mem_free(&text);
		}
		json_free(&doc);
	}
	table_fini(&by_address, NULL, NULL);
	buf_fini(&args);
	buf_fini(&answer);
	return ok;
}

static void
send_item(struct batch *b, struct item *it)
{
	struct json_writer w;

	it->tries++;
	it->waits = false;
	buf_clear(&b->args);
	json_writer_init(&w, &b->args);
	json_begin_object(&w);
	json_kv_string(&w, "address", it->address);
	json_kv_string(&w, "password", it->password);
	if (b->opts->cheap_hash)
		json_kv_bool(&w, "cheap", true);
	json_end_object(&w);
	ctl_ask(b->client, 0, "account-add", buf_span(&b->args), on_answer, it);
}

/* All that wait, a window at a time. */
static bool
send_all(struct batch *b, struct item *items, size_t n)
{
	do {
		if (b->again)
			(void)usleep(50000);
		b->again = false;
		for (size_t i = 0; i < n; i++) {
			if (!items[i].waits)
				continue;
			if (!ctl_wait(b->client, CTL_WINDOW - 1, CTL_PATIENCE_S))
				return false;
			send_item(b, &items[i]);
		}
		if (!ctl_wait(b->client, 0, CTL_PATIENCE_S))
			return false;
	} while (b->again);
	return true;
}

static bool
read_all(struct buf *in)
{
	ssize_t r;

	do {
		r = read(STDIN_FILENO, buf_reserve(in, 65536), 65536);
		if (r > 0)
			buf_added(in, (size_t)r);
	} while ((r > 0 && in->len <= INPUT_MAX) || (r < 0 && errno == EINTR));
	return r == 0;
}

static int
report(const struct batch *b)
{
	struct buf out = { 0 };
	int rc;

	if (b->ctl->json)
		buf_addf(&out, "{\"made\":%u,\"existing\":%u,\"failed\":%u}\n", b->made, b->there,
		    b->failed);
	else
		buf_addf(&out, "%u made, %u already there, %u failed\n", b->made, b->there,
		    b->failed);
	rc = ctl_print(&out);
	buf_fini(&out);
	return rc != CTL_OK || b->failed == 0 ? rc : CTL_FAILED;
}

/* Every line is checked before the first account is made. */
static int
take_items(struct batch *b, struct span in, struct item **items)
{
	struct span rest = in, address, password;
	unsigned line = 0;
	size_t n = 0;

	while (batch_next(&rest, &line, &address, &password)) {
		if (password.len == 0)
			return ctl_error("line %u: wanted: ADDRESS PASSWORD", line);
		b->total++;
	}
	*items = mem_array(b->total + 1, sizeof(**items));
	rest = in;
	line = 0;
	while (batch_next(&rest, &line, &address, &password))
		(*items)[n++] = (struct item){ b, line, 0, true, address, password };
	return CTL_OK;
}

int
batch_run(struct ctl *ctl, const struct batch_opts *opts)
{
	struct batch b = { .ctl = ctl, .opts = opts };
	struct item *items = NULL;
	struct buf in = { 0 };
	int rc = CTL_OK;

	if (!read_all(&in)) {
		rc = ctl_error("standard input cannot be read, or is longer than %u bytes", INPUT_MAX);
		goto out;
	}
	if ((rc = take_items(&b, buf_span(&in), &items)) != CTL_OK ||
	    (b.client = ctl_connect(ctl, &rc)) == NULL)
		goto out;
	ctl_progress_start(&b.progress, ctl, "accounts");
	if ((opts->if_missing && !find_existing(&b, items)) || !send_all(&b, items, b.total))
		rc = CTL_UNREACHABLE;
	ctl_progress_end(&b.progress);
	if (rc == CTL_OK)
		rc = report(&b);
out:
	ctl_disconnect(&b.client);
	buf_fini_secret(&b.args);
	buf_fini_secret(&in);
	mem_free(&items);
	return rc;
}
