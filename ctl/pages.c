#include "ctl/pages.h"

#include "common/util/mem.h"
#include "common/worker/admin_proto.h"
#include "ctl/client.h"

/* One page: appends its rows to w.  more: JSON text of the next page's argument, empty at the
 * end. */
static int
page(struct ctl *ctl, struct ctl_client *c, const char *command, struct span args,
    const char *list, struct json_writer *w, struct buf *more)
{
	struct json_doc *doc = NULL;
	struct buf out = { 0 };
	const struct json *rows, *next;
	struct json_writer mw;
	enum status st;
	int rc = CTL_OK;

	if (!ctl_call(c, command, args, CTL_PATIENCE_S, &st, &out))
		rc = CTL_UNREACHABLE;
	else if (st != ST_OK)
		rc = ctl_failed(ctl, st, buf_span(&out));
	else if (json_parse(buf_span(&out), ADMIN_RESULT_MAX, &doc) != ST_OK)
		rc = ctl_error("the answer is not understood");
	if (rc == CTL_OK) {
		rows = json_member(json_root(doc), list);
		for (size_t i = 0; i < json_count(rows); i++)
			ctl_put_json(w, json_item(rows, i));
		buf_clear(more);
		if ((next = json_member(json_root(doc), "more")) != NULL) {
			json_writer_init(&mw, more);
			ctl_put_json(&mw, next);
		}
	}
	json_free(&doc);
	buf_fini(&out);
	return rc;
}

static int
print_table(struct span all, const char *list, const struct ctl_column *columns,
    const char *none)
{
	struct json_doc *doc = NULL;
	struct buf out = { 0 };
	int rc;

	if (json_parse(all, all.len, &doc) != ST_OK)
		return ctl_error("the answer is not understood");
	ctl_table(&out, columns, json_member(json_root(doc), list));
	if (out.len == 0)
		buf_addf(&out, "%s\n", none);
	rc = ctl_print(&out);
	json_free(&doc);
	buf_fini(&out);
	return rc;
}

int
ctl_pages(struct ctl *ctl, const char *command, const char *list, const char *next,
    const struct ctl_column *columns, const char *none, pages_args_fn args, void *arg)
{
	struct buf all = { 0 }, question = { 0 }, more = { 0 };
	struct json_writer w, qw;
	struct ctl_client *c;
	int rc = CTL_OK;

	if ((c = ctl_connect(ctl, &rc)) == NULL)
		return rc;
	json_writer_init(&w, &all);
	json_begin_object(&w);
	json_key(&w, list);
	json_begin_array(&w);
	do {
		buf_clear(&question);
		json_writer_init(&qw, &question);
		json_begin_object(&qw);
		args(&qw, arg);
		if (more.len > 0) {
			json_key(&qw, next);
			json_raw(&qw, buf_span(&more));
		}
		json_end_object(&qw);
		rc = page(ctl, c, command, buf_span(&question), list, &w, &more);
	} while (rc == CTL_OK && more.len > 0);
	json_end_array(&w);
	json_end_object(&w);
	if (rc == CTL_OK)
		rc = ctl->json ? ctl_print_json(buf_span(&all)) :
		    print_table(buf_span(&all), list, columns, none);
	ctl_disconnect(&c);
	buf_fini(&all);
	buf_fini(&question);
	buf_fini(&more);
	return rc;
}
