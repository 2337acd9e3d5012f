/* common/conf/print.c
 * Everything that is printed from the tables: the effective configuration, for people
 * and for processes, the sample and the manual's list. */
#include <string.h>

#include "common/conf/lex.h"
#include "common/conf/settings_priv.h"
#include "common/conf/value.h"
#include "common/json/writer.h"
#include "common/util/mem.h"

/* Calls fn for each value, in the order of the tables. */
typedef void (*each_fn)(const struct conf_section *s, const struct conf_head *h,
    const struct conf_field *f, void *arg);

static void
each_value(const struct mansio_conf *c, each_fn fn, void *arg)
{
	const struct conf_head *h;

	for (const struct conf_section *s = conf_sections; s->name != NULL; s++)
		for (size_t i = 0; (h = conf_section_at(c, s, i)) != NULL; i++)
			for (const struct conf_field *f = s->fields; f->name != NULL; f++)
				fn(s, h, f, arg);
}

static void
add_path(struct buf *out, const struct conf_section *s, const struct conf_head *h,
    const struct conf_field *f)
{
	char key[CONF_NAME_MAX];

	if (s->name[0] != '\0')
		buf_addf(out, "%s.", s->name);
	if (h->name[0] != '\0')
		buf_addf(out, "%s.", h->name);
	buf_add_str(out, conf_key(f, key));
}

static const struct conf_origin *
origin_of(const struct conf_section *s, const struct conf_head *h, const struct conf_field *f)
{
	return &h->origins[f - s->fields];
}

static void
open_section(struct buf *out, const struct conf_section *s, const struct conf_head *h)
{
	buf_addf(out, "%s ", s->name);
	if (s->max > 0) {
		lex_quote(out, h->name);
		buf_add_c(out, ' ');
	}
	buf_add_str(out, "{\n");
}

static void
print_text(const struct mansio_conf *c, bool origins, struct buf *out)
{
	const struct conf_head *h;
	char key[CONF_NAME_MAX];

	for (const struct conf_section *s = conf_sections; s->name != NULL; s++)
		for (size_t i = 0; (h = conf_section_at(c, s, i)) != NULL; i++) {
			if (s->name[0] != '\0')
				open_section(out, s, h);
			for (const struct conf_field *f = s->fields; f->name != NULL; f++) {
				const struct conf_origin *o = origin_of(s, h, f);

				buf_addf(out, "%s%s = ", s->name[0] != '\0' ? "\t" : "", conf_key(f, key));
				conf_value_print(f, h, out);
				if (origins && o->file != NULL)
					buf_addf(out, "\t# %s:%u", o->file, o->line);
				else if (origins)
					buf_add_str(out, "\t# default");
				buf_add_c(out, '\n');
			}
			if (s->name[0] != '\0')
				buf_add_str(out, "}\n");
		}
}

void
conf_print(const struct mansio_conf *conf, struct buf *out)
{
	print_text(conf, true, out);
}

void
conf_effective_encode(const struct mansio_conf *conf, struct buf *out)
{
	print_text(conf, false, out);
}

struct mansio_conf *
conf_effective_decode(struct span text)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *c;

	conf_parse(text, "effective", &c, &err);
	conf_errors_fini(&err);
	return c;
}

/* ---- asked for by key ---- */

struct asked {
	const char		*key;		/* NULL: everything */
	struct buf		*out;
	struct json_writer	*json;		/* NULL: text */
	unsigned		found;
};

static bool
is_asked(struct asked *a, const char *path)
{
	size_t n;

	if (a->key == NULL)
		return true;
	n = strlen(a->key);
	return strncmp(a->key, path, n) == 0 && (path[n] == '\0' || path[n] == '.');
}

static void
print_json_value(const struct conf_section *s, const struct conf_head *h,
    const struct conf_field *f, const char *path, struct json_writer *w)
{
	const struct conf_origin *o = origin_of(s, h, f);
	struct buf b = { 0 };

	json_begin_object(w);
	json_kv_str(w, "key", path);
	conf_value_plain(f, h, &b);
	json_kv_string(w, "value", buf_span(&b));
	buf_clear(&b);
	if (o->file != NULL)
		buf_addf(&b, "%s:%u", o->file, o->line);
	else
		buf_add_str(&b, "default");
	json_kv_string(w, "origin", buf_span(&b));
	json_end_object(w);
	buf_fini(&b);
}

static void
print_asked(const struct conf_section *s, const struct conf_head *h, const struct conf_field *f,
    void *arg)
{
	struct asked *a = arg;
	struct buf path = { 0 };

	add_path(&path, s, h, f);
	if (is_asked(a, buf_cstr(&path))) {
		a->found++;
		if (a->json != NULL) {
			print_json_value(s, h, f, buf_cstr(&path), a->json);
		} else {
			buf_addf(a->out, "%s = ", buf_cstr(&path));
			conf_value_print(f, h, a->out);
			buf_add_c(a->out, '\n');
		}
	}
	buf_fini(&path);
}

static unsigned
print_values(const struct mansio_conf *conf, const char *key, bool json, struct buf *out)
{
	struct json_writer w;
	struct asked a = { .key = key, .out = out, .json = json ? &w : NULL };

	json_writer_init(&w, out);
	if (json)
		json_begin_array(&w);
	each_value(conf, print_asked, &a);
	if (json) {
		json_end_array(&w);
		buf_add_c(out, '\n');
	}
	return a.found;
}

void
conf_print_json(const struct mansio_conf *conf, struct buf *out)
{
	print_values(conf, NULL, true, out);
}

bool
conf_print_key(const struct mansio_conf *conf, const char *key, bool json, struct buf *out)
{
	return print_values(conf, key, json, out) > 0;
}

/* ---- comparing ---- */

struct compare {
	const struct mansio_conf	*other;
	unsigned			flags;
	bool				both;	/* values that both have are compared */
	struct buf			*out;
	size_t				count;
	const struct conf_head		*told;	/* section told as missing */
};

static const struct conf_head *
counterpart(const struct mansio_conf *c, const struct conf_section *s, const char *name)
{
	const struct conf_head *h;

	for (size_t i = 0; (h = conf_section_at(c, s, i)) != NULL; i++)
		if (strcmp(h->name, name) == 0)
			return h;
	return NULL;
}

static void
compare_value(const struct conf_section *s, const struct conf_head *h, const struct conf_field *f,
    void *arg)
{
	struct compare *c = arg;
	const struct conf_head *o = counterpart(c->other, s, h->name);
	struct buf mine = { 0 }, theirs = { 0 };

	if (o == NULL) {
		if (c->flags == 0 && c->told != h) {
			buf_addf(c->out, "%s.%s\n", s->name, h->name);
			c->count++;
		}
		c->told = h;
		return;
	}
	if (!c->both || (f->flags & c->flags) != c->flags)
		return;
	conf_value_print(f, h, &mine);
	conf_value_print(f, o, &theirs);
	if (!span_eq(buf_span(&mine), buf_span(&theirs))) {
		add_path(c->out, s, h, f);
		buf_add_c(c->out, '\n');
		c->count++;
	}
	buf_fini(&mine);
	buf_fini(&theirs);
}

size_t
conf_changed(const struct mansio_conf *a, const struct mansio_conf *b, unsigned flags,
    struct buf *out)
{
	struct compare c = { .other = b, .flags = flags, .both = true, .out = out };

	each_value(a, compare_value, &c);
	c.other = a;
	c.both = false;
	c.told = NULL;
	each_value(b, compare_value, &c);
	return c.count;
}

/* ---- the sample ---- */

/* Words of text as comment lines of at most 78 columns. */
static void
add_comment(struct buf *out, const char *indent, const char *text)
{
	size_t column = 0;

	for (const char *p = text; *p != '\0';) {
		size_t n = strcspn(p, " ");

		if (column == 0 || column + 1 + n > 76) {
			buf_addf(out, "%s%s#", column == 0 ? "" : "\n", indent);
			column = 1;
		}
		buf_add_c(out, ' ');
		buf_add(out, p, n);
		column += n + 1;
		p += n;
		p += strspn(p, " ");
	}
	buf_add_c(out, '\n');
}

static void
sample_field(const struct conf_field *f, const void *section, bool set, struct buf *out)
{
	char key[CONF_NAME_MAX];
	struct buf b = { 0 };

	buf_add_str(&b, "Allowed: ");
	conf_value_allowed(f, &b);
	buf_add_c(&b, '.');
	if ((f->flags & CONF_RESTART) != 0)
		buf_add_str(&b, " A change needs a restart.");
	buf_add_c(out, '\n');
	add_comment(out, "", f->doc);
	add_comment(out, "", buf_cstr(&b));
	buf_addf(out, "#%s = ", conf_key(f, key));
	if (set)
		buf_add_str(out, "...");
	else
		conf_value_print(f, section, out);
	buf_add_c(out, '\n');
	buf_fini(&b);
}

/* Defaults of a section, as a struct; freed with the arena. */
static void *
defaults_of(const struct conf_section *s, struct arena *mem)
{
	void *at = arena_zalloc(mem, s->size);

	for (const struct conf_field *f = s->fields; f->name != NULL; f++)
		conf_value_default(f, at, mem);
	return at;
}

static void
sample_example(const char *text, struct buf *out)
{
	for (struct span rest = span_str(text); rest.len > 0;) {
		struct span line = span_cut(&rest, '\n');

		buf_add_c(out, '#');
		buf_add_span(out, line);
		buf_add_c(out, '\n');
	}
}

void
conf_print_sample(struct buf *out)
{
	struct arena mem = { 0 };

	buf_add_str(out,
	    "# /etc/mansio/mansio.conf: configuration of the mail-access server Mansio.\n"
	    "#\n"
	    "# Every setting stands here with its default, commented out.  Keep what you\n"
	    "# change.  Files conf.d/*.conf beside this one are read after it.  A section\n"
	    "# stands once, in one file.  Check with: mansioctl config check\n"
	    "# Printed by: mansioctl config defaults sample; explained in mansio.conf(5).\n");
	for (const struct conf_section *s = conf_sections; s->name != NULL; s++) {
		void *at = defaults_of(s, &mem);

		buf_add_str(out, "\n# ----------------------------------------------------------------\n");
		add_comment(out, "", s->doc);
		if (s->example != NULL) {
			buf_add_c(out, '\n');
			sample_example(s->example, out);
		}
		if (s->name[0] != '\0')
			buf_addf(out, "\n#%s %s{\n", s->name, s->max > 0 ? "NAME " : "");
		for (const struct conf_field *f = s->fields; f->name != NULL; f++)
			sample_field(f, at, (f->flags & CONF_REQUIRED) != 0, out);
		if (s->name[0] != '\0')
			buf_add_str(out, "#}\n");
	}
	arena_fini(&mem);
}

/* ---- the manual ---- */

/* roff: a backslash and a line's first dot or quote mean something. */
static void
add_roff(struct buf *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		buf_add_str(out, "\\&");
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			buf_add_str(out, "\\e");
		else if (*text == '-')
			buf_add_str(out, "\\-");
		else
			buf_add_c(out, *text);
	}
}

static void
man_field(const struct conf_field *f, const void *section, struct buf *out)
{
	char key[CONF_NAME_MAX];
	struct buf b = { 0 };

	buf_add_str(out, ".TP\n.B ");
	add_roff(out, conf_key(f, key));
	buf_add_c(out, '\n');
	add_roff(out, f->doc);
	buf_add_str(&b, "Allowed: ");
	conf_value_allowed(f, &b);
	buf_add_str(&b, ".  ");
	if ((f->flags & CONF_REQUIRED) != 0) {
		buf_add_str(&b, "Must be set.");
	} else {
		buf_add_str(&b, "Default: ");
		conf_value_print(f, section, &b);
		buf_add_c(&b, '.');
	}
	if ((f->flags & CONF_RESTART) != 0)
		buf_add_str(&b, "  A change needs a restart.");
	buf_add_c(out, '\n');
	add_roff(out, buf_cstr(&b));
	buf_add_c(out, '\n');
	buf_fini(&b);
}

void
conf_print_man(struct buf *out)
{
	struct arena mem = { 0 };

	for (const struct conf_section *s = conf_sections; s->name != NULL; s++) {
		void *at = defaults_of(s, &mem);

		buf_add_str(out, ".SS ");
		if (s->name[0] == '\0')
			buf_add_str(out, "Outside of sections");
		else
			buf_addf(out, "%s%s {}", s->name, s->max > 0 ? " NAME" : "");
		buf_add_c(out, '\n');
		add_roff(out, s->doc);
		buf_add_c(out, '\n');
		for (const struct conf_field *f = s->fields; f->name != NULL; f++)
			man_field(f, at, out);
	}
	arena_fini(&mem);
}
