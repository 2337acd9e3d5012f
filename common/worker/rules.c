#include "common/worker/rules.h"

#include <errno.h>
#include <string.h>

#include "common/util/fd.h"
#include "common/util/mem.h"

void
rule_file_put(struct buf *out, const struct rule_file *f)
{
	put_u8(out, f->kind);
	put_span(out, f->domain);
	put_span(out, f->name);
	put_span(out, f->path);
	put_span(out, f->text);
}

bool
rule_file_get(struct reader *r, struct rule_file *f)
{
	if (r->bad || reader_left(r) == 0)
		return false;
	f->kind = get_u8(r);
	f->domain = get_span(r);
	f->name = get_span(r);
	f->path = get_span(r);
	f->text = get_span(r);
	if (f->kind < RULE_BEFORE || f->kind > RULE_KIND_MAX)
		r->bad = true;
	return !r->bad;
}

/* Where files come together. */
struct reading {
	struct buf		*out;
	struct conf_errors	*err;
};

static void
read_file(struct reading *rd, uint8_t kind, const char *domain, struct span name,
    const char *path)
{
	struct rule_file f = { .kind = kind, .domain = span_str(domain), .name = name,
	    .path = span_str(path) };
	size_t len, max = kind == RULE_LIST ? RULES_LIST_MAX : RULES_SCRIPT_MAX;
	char *text;

	if (!fd_slurp_path(path, max, &text, &len)) {
		conf_error(rd->err, path, 0, "cannot be read: %s", strerror(errno));
		return;
	}
	f.text = span(text, len);
	if (rd->out->len + len + 8192 > RULES_BLOB_MAX)
		conf_error(rd->err, path, 0, "scripts and lists are too long, all together");
	else
		rule_file_put(rd->out, &f);
	mem_free(&text);
}

static void
read_paths(struct reading *rd, uint8_t kind, const char *domain, const struct conf_strings *v)
{
	for (size_t i = 0; i < v->n; i++)
		read_file(rd, kind, domain, SPAN_NONE, v->v[i]);
}

static void
read_named(struct reading *rd, uint8_t kind, const struct conf_strings *v)
{
	struct span name;
	const char *path;

	for (size_t i = 0; i < v->n; i++)
		if (conf_named_file(v->v[i], &name, &path))
			read_file(rd, kind, "", name, path);
}

bool
rules_read(const struct mansio_conf *conf, struct buf *out, struct conf_errors *err)
{
	const struct conf_sieve *s = &conf->sieve;
	struct reading rd = { out, err };
	unsigned before = err->count;

	read_paths(&rd, RULE_BEFORE, "", &s->before);
	for (size_t i = 0; i < conf->n_sieve_domains; i++) {
		const struct conf_sieve_domain *d = &conf->sieve_domains[i];

		read_paths(&rd, RULE_BEFORE, d->head.name, &d->before);
		if (d->default_script[0] != '\0')
			read_file(&rd, RULE_DEFAULT, d->head.name, SPAN_NONE, d->default_script);
		read_paths(&rd, RULE_AFTER, d->head.name, &d->after);
	}
	if (s->default_script[0] != '\0')
		read_file(&rd, RULE_DEFAULT, "", SPAN_NONE, s->default_script);
	read_paths(&rd, RULE_AFTER, "", &s->after);
	read_named(&rd, RULE_GLOBAL, &s->global_scripts);
	read_named(&rd, RULE_LIST, &s->lists);
	return err->count == before;
}
