/* common/conf/load.c
 * Reads files into the structs, by the tables.  A mistake of grammar ends its file;
 * after a wrong value reading goes on, so that one run tells all of them. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf/lex.h"
#include "common/conf/settings_priv.h"
#include "common/conf/value.h"
#include "common/util/fd.h"
#include "common/util/mem.h"

struct load {
	struct mansio_conf	*c;
	struct conf_errors	*err;
	bool			files;		/* includes, and files named must exist */
	unsigned		n_files, depth;
	struct stat		stack[CONF_INCLUDE_DEPTH_MAX];
};

/* One text being read. */
struct source {
	struct load		*ld;
	struct lex		lex;
	struct lex_token	t;		/* the one to look at */
	const char		*file;		/* in the arena */
};

void
conf_errors_fini(struct conf_errors *e)
{
	buf_fini(&e->text);
	e->count = 0;
}

void
conf_error(struct conf_errors *e, const char *file, unsigned line, const char *fmt, ...)
{
	va_list ap;
	size_t start;

	if (e->count++ >= CONF_ERRORS_MAX)
		return;
	start = e->text.len;
	if (line > 0)
		buf_addf(&e->text, "%s:%u: ", file, line);
	else
		buf_addf(&e->text, "%s: ", file);
	va_start(ap, fmt);
	buf_vaddf(&e->text, fmt, ap);
	va_end(ap);
	/* A quoted value may hold line ends: one error stays one line. */
	for (size_t i = start; i < e->text.len; i++)
		if ((unsigned char)e->text.data[i] < ' ')
			e->text.data[i] = '?';
	buf_add_c(&e->text, '\n');
}

/* ---- sections ---- */

size_t
conf_fields_count(const struct conf_field *f)
{
	size_t n = 0;

	while (f[n].name != NULL)
		n++;
	return n;
}

static void *
array_of(const struct mansio_conf *c, const struct conf_section *s)
{
	void *p;

	memcpy(&p, (const char *)c + s->offset, sizeof(p));
	return p;
}

static size_t *
count_of(const struct mansio_conf *c, const struct conf_section *s)
{
	return (size_t *)(void *)((char *)(uintptr_t)c + s->count_offset);
}

void *
conf_section_at(const struct mansio_conf *c, const struct conf_section *s, size_t i)
{
	if (s->max == 0)
		return i == 0 ? (char *)(uintptr_t)c + s->offset : NULL;
	return i < *count_of(c, s) ? (char *)array_of(c, s) + i * s->size : NULL;
}

static void
set_defaults(struct mansio_conf *c, const struct conf_section *s, void *at, const char *name)
{
	struct conf_head *head = at;

	head->name = arena_strndup(&c->mem, name, strlen(name));
	head->origins = arena_array(&c->mem, conf_fields_count(s->fields),
	    sizeof(*head->origins));
	for (const struct conf_field *f = s->fields; f->name != NULL; f++)
		conf_value_default(f, at, &c->mem);
}

/* There is room for it. */
static void *
add_named(struct mansio_conf *c, const struct conf_section *s, const char *name)
{
	size_t *n = count_of(c, s);
	void *at;

	if (*n == 0) {
		void *all = arena_array(&c->mem, s->max, s->size);

		memcpy((char *)c + s->offset, &all, sizeof(all));
	}
	at = (char *)array_of(c, s) + (*n)++ * s->size;
	set_defaults(c, s, at, name);
	return at;
}

static struct mansio_conf *
conf_new(void)
{
	struct mansio_conf *c = mem_zalloc(sizeof(*c));

	for (const struct conf_section *s = conf_sections; s->name != NULL; s++) {
		if (s->max == 0)
			set_defaults(c, s, conf_section_at(c, s, 0), "");
		for (size_t i = 0; s->names != NULL && s->names[i] != NULL; i++)
			add_named(c, s, s->names[i]);
	}
	return c;
}

void
conf_free(struct mansio_conf **conf)
{
	if (*conf == NULL)
		return;
	arena_fini(&(*conf)->mem);
	mem_free(conf);
}

/* ---- tokens ---- */

static void
advance(struct source *src)
{
	lex_next(&src->lex, &src->t);
}

static bool
syntax(struct source *src, const char *expected)
{
	char text[80];

	if (src->t.kind == LEX_ERROR)
		conf_error(src->ld->err, src->file, src->t.line, "%s", src->t.text);
	else
		conf_error(src->ld->err, src->file, src->t.line, "%s stands where %s is expected",
		    lex_describe(&src->t, text), expected);
	return false;
}

static bool
expect(struct source *src, enum lex_kind kind, const char *expected)
{
	if (src->t.kind != kind)
		return syntax(src, expected);
	advance(src);
	return true;
}

static bool
is_text(const struct lex_token *t)
{
	return t->kind == LEX_WORD || t->kind == LEX_STRING;
}

static bool
read_list(struct source *src, struct conf_text *v)
{
	v->list = true;
	advance(src);
	while (src->t.kind != LEX_LIST_END) {
		if (!is_text(&src->t))
			return syntax(src, "a value or ']'");
		if (v->n == CONF_LIST_MAX) {
			conf_error(src->ld->err, src->file, src->t.line,
			    "a list has more than %d values", CONF_LIST_MAX);
			return false;
		}
		v->v[v->n++] = src->t.text;
		advance(src);
		if (src->t.kind == LEX_COMMA)
			advance(src);
		else if (src->t.kind != LEX_LIST_END)
			return syntax(src, "',' or ']'");
	}
	advance(src);
	return true;
}

static bool
read_value(struct source *src, struct conf_text *v)
{
	v->n = 0;
	v->list = false;
	if (src->t.kind == LEX_LIST)
		return read_list(src, v);
	if (!is_text(&src->t))
		return syntax(src, "a value");
	v->v[v->n++] = src->t.text;
	advance(src);
	return true;
}

/* ---- keys ---- */

static const char *
next_key(void *arg)
{
	const struct conf_field **f = arg;

	return (*f)->name != NULL ? (*f)++->name : NULL;
}

static const char *
next_section(void *arg)
{
	const struct conf_section **s = arg;

	while ((*s)->name != NULL && (*s)->name[0] == '\0')
		(*s)++;
	return (*s)->name != NULL ? (*s)++->name : NULL;
}

static const struct conf_field *
find_field(const struct conf_section *s, const char *key)
{
	char name[CONF_NAME_MAX];

	for (const struct conf_field *f = s->fields; f->name != NULL; f++)
		if (strcmp(conf_key(f, name), key) == 0)
			return f;
	return NULL;
}

static void
unknown_key(struct source *src, const struct conf_section *s, const char *key, unsigned line)
{
	const struct conf_field *f = s->fields;
	const char *near = conf_nearest(key, next_key, &f);
	struct buf b = { 0 };
	char name[CONF_NAME_MAX];

	if (near != NULL)
		buf_addf(&b, "did you mean \"%s\"?",
		    conf_key(&(struct conf_field){ .name = near }, name));
	else
		for (f = s->fields; f->name != NULL; f++)
			buf_addf(&b, "%s%s", f == s->fields ? "allowed: " : ", ", conf_key(f, name));
	if (s->name[0] == '\0')
		conf_error(src->ld->err, src->file, line,
		    "unknown key \"%.64s\" outside of a section; %s", key, buf_cstr(&b));
	else
		conf_error(src->ld->err, src->file, line, "unknown key \"%.64s\" in %s; %s", key,
		    s->name, buf_cstr(&b));
	buf_fini(&b);
}

static void
check_file(struct source *src, const struct conf_field *f, const void *section, unsigned line)
{
	const char *path;
	char key[CONF_NAME_MAX];

	if (!src->ld->files || (f->flags & CONF_FILE) == 0)
		return;
	memcpy(&path, (const char *)section + f->offset, sizeof(path));
	if (path[0] != '\0' && access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
		conf_error(src->ld->err, src->file, line, "%s: there is no file \"%s\"",
		    conf_key(f, key), path);
}

static void
set_key(struct source *src, const struct conf_section *s, void *section, const char *key,
    unsigned line, const struct conf_text *v)
{
	const struct conf_field *f = find_field(s, key);
	struct conf_head *head = section;
	struct buf why = { 0 };
	struct conf_origin *o;

	if (f == NULL) {
		unknown_key(src, s, key, line);
		return;
	}
	o = &head->origins[f - s->fields];
	if (o->file != NULL) {
		conf_error(src->ld->err, src->file, line, "%s is set twice, first at %s:%u", key,
		    o->file, o->line);
		return;
	}
	*o = (struct conf_origin){ src->file, line };
	if (conf_value_parse(f, section, v, &src->ld->c->mem, &why)) {
		check_file(src, f, section, line);
	} else {
		buf_add_str(&why, "; allowed: ");
		conf_value_allowed(f, &why);
		conf_error(src->ld->err, src->file, line, "%s: %s", key, buf_cstr(&why));
	}
	buf_fini(&why);
}

/* "= value" behind a key. */
static bool
read_setting(struct source *src, const struct conf_section *s, void *section, const char *key,
    unsigned line)
{
	struct conf_text v;

	if (!expect(src, LEX_EQUALS, "'='") || !read_value(src, &v))
		return false;
	if (section != NULL)
		set_key(src, s, section, key, line, &v);
	return true;
}

/* ---- sections in files ---- */

static bool
name_allowed(const struct conf_section *s, const char *name)
{
	for (size_t i = 0; s->names[i] != NULL; i++)
		if (strcmp(s->names[i], name) == 0)
			return true;
	return false;
}

static void *
named_section(struct source *src, const struct conf_section *s, const char *name, unsigned line)
{
	struct mansio_conf *c = src->ld->c;
	struct conf_head *head;

	if (name[0] == '\0' || strlen(name) > CONF_NAME_MAX || !lex_is_word(name)) {
		conf_error(src->ld->err, src->file, line,
		    "%s: a name has 1 to %d characters, without blanks and {}[]=,#\"", s->name,
		    CONF_NAME_MAX);
		return NULL;
	}
	if (s->names != NULL && !name_allowed(s, name)) {
		conf_error(src->ld->err, src->file, line, "%s \"%.64s\" is unknown; allowed: %s or %s",
		    s->name, name, s->names[0], s->names[1]);
		return NULL;
	}
	for (size_t i = 0; (head = conf_section_at(c, s, i)) != NULL; i++)
		if (strcmp(head->name, name) == 0)
			return head;
	if (*count_of(c, s) == s->max) {
		conf_error(src->ld->err, src->file, line, "more than %zu sections %s", s->max,
		    s->name);
		return NULL;
	}
	return add_named(c, s, name);
}

/* The struct to fill; NULL: an error was told, and the section is read to find others. */
static void *
open_section(struct source *src, const struct conf_section *s, const char *name, unsigned line)
{
	struct conf_head *head;

	if (s->max == 0 && name != NULL) {
		conf_error(src->ld->err, src->file, line, "%s takes no name", s->name);
		return NULL;
	}
	if (s->max > 0 && name == NULL) {
		conf_error(src->ld->err, src->file, line, "%s needs a name: %s NAME { ... }", s->name,
		    s->name);
		return NULL;
	}
	head = s->max == 0 ? conf_section_at(src->ld->c, s, 0) :
	    named_section(src, s, name, line);
	if (head != NULL && head->at.file != NULL) {
		conf_error(src->ld->err, src->file, line, "section %s%s%s stands there twice, first at %s:%u",
		    s->name, name != NULL ? " " : "", name != NULL ? name : "", head->at.file,
		    head->at.line);
		return NULL;
	}
	if (head != NULL)
		head->at = (struct conf_origin){ src->file, line };
	return head;
}

static const struct conf_section *
find_section(struct source *src, const char *word, unsigned line)
{
	const struct conf_section *s;
	const char *near;

	for (s = conf_sections; s->name != NULL; s++)
		if (s->name[0] != '\0' && strcmp(s->name, word) == 0)
			return s;
	s = conf_sections;
	near = conf_nearest(word, next_section, &s);
	if (near != NULL)
		conf_error(src->ld->err, src->file, line,
		    "unknown section \"%.64s\"; did you mean \"%s\"?", word, near);
	else
		conf_error(src->ld->err, src->file, line,
		    "unknown section \"%.64s\"; allowed are those in mansio.conf(5)", word);
	return NULL;
}

static bool
read_section(struct source *src, const char *word, unsigned line)
{
	const struct conf_section *s;
	const char *name = NULL;
	void *section = NULL;

	if (!is_text(&src->t) && src->t.kind != LEX_OPEN)
		return syntax(src, "'=' or '{'");
	s = find_section(src, word, line);
	if (is_text(&src->t)) {
		name = src->t.text;
		advance(src);
	}
	if (!expect(src, LEX_OPEN, "'{'"))
		return false;
	if (s != NULL)
		section = open_section(src, s, name, line);
	while (src->t.kind != LEX_CLOSE) {
		const char *key = src->t.text;
		unsigned at = src->t.line;

		if (src->t.kind != LEX_WORD)
			return syntax(src, "a key or '}'");
		advance(src);
		if (!read_setting(src, s, section, key, at))
			return false;
	}
	advance(src);
	return true;
}

/* ---- files ---- */

static bool read_file(struct load *ld, const char *path, const char *from, unsigned line);

/* Relative to the folder of the file that includes. */
static bool
read_include(struct source *src, unsigned line)
{
	const char *slash = strrchr(src->file, '/');
	struct buf path = { 0 };
	bool ok;

	if (!is_text(&src->t))
		return syntax(src, "a path");
	if (!src->ld->files) {
		conf_error(src->ld->err, src->file, line, "include is not allowed here");
		return false;
	}
	if (src->t.text[0] != '/' && slash != NULL)
		buf_add(&path, src->file, (size_t)(slash - src->file) + 1);
	buf_add_str(&path, src->t.text);
	ok = read_file(src->ld, buf_cstr(&path), src->file, line);
	buf_fini(&path);
	advance(src);
	return ok;
}

static void
read_text(struct load *ld, struct span text, const char *name)
{
	struct source src = { .ld = ld, .t = { .kind = LEX_END } };
	bool ok = true;

	src.file = arena_strndup(&ld->c->mem, name, strlen(name));
	lex_init(&src.lex, text, &ld->c->mem);
	advance(&src);
	while (ok && src.t.kind != LEX_END) {
		const char *word = src.t.text;
		unsigned line = src.t.line;

		if (src.t.kind != LEX_WORD) {
			syntax(&src, "a key or a section");
			return;
		}
		advance(&src);
		if (src.t.kind == LEX_EQUALS)
			ok = read_setting(&src, conf_sections, &ld->c->global, word, line);
		else if (strcmp(word, "include") == 0)
			ok = read_include(&src, line);
		else
			ok = read_section(&src, word, line);
	}
}

static bool
enter(struct load *ld, int fd, const char *path, const char *from, unsigned line)
{
	struct stat *st = &ld->stack[ld->depth];

	if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) {
		conf_error(ld->err, from, line, "\"%s\" is not a file", path);
		return false;
	}
	for (unsigned i = 0; i < ld->depth; i++)
		if (ld->stack[i].st_dev == st->st_dev && ld->stack[i].st_ino == st->st_ino) {
			conf_error(ld->err, from, line, "\"%s\" includes itself", path);
			return false;
		}
	return true;
}

/* from, line: who asked for it; line 0: nobody in a file. */
static bool
read_file(struct load *ld, const char *path, const char *from, unsigned line)
{
	char *text = NULL;
	size_t len;
	bool ok = false;
	int fd = -1;

	if (ld->depth == CONF_INCLUDE_DEPTH_MAX || ld->n_files == CONF_FILES_MAX) {
		conf_error(ld->err, from, line, "\"%s\": more than %d %s", path,
		    ld->depth == CONF_INCLUDE_DEPTH_MAX ? CONF_INCLUDE_DEPTH_MAX : CONF_FILES_MAX,
		    ld->depth == CONF_INCLUDE_DEPTH_MAX ? "files include one another" : "files");
		return false;
	}
	/* Not to hang on a fifo. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		conf_error(ld->err, from, line, "\"%s\" cannot be read: %s", path, strerror(errno));
		goto out;
	}
	if (!enter(ld, fd, path, from, line))
		goto out;
	if (!fd_slurp(fd, CONF_FILE_MAX, &text, &len)) {
		if (errno == EFBIG)
			conf_error(ld->err, from, line, "\"%s\" is larger than %u bytes", path,
			    CONF_FILE_MAX);
		else
			conf_error(ld->err, from, line, "\"%s\" cannot be read: %s", path,
			    strerror(errno));
		goto out;
	}
	ld->depth++;
	ld->n_files++;
	read_text(ld, span(text, len), path);
	ld->depth--;
	ok = true;
out:
	fd_close(&fd);
	mem_free(&text);
	return ok;
}

static void
read_conf_d(struct load *ld, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct buf pattern = { 0 };
	glob_t g = { 0 };

	/* The folder's own name is no pattern. */
	for (const char *p = path; slash != NULL && p <= slash; p++) {
		if (strchr("*?[\\", *p) != NULL)
			buf_add_c(&pattern, '\\');
		buf_add_c(&pattern, *p);
	}
	buf_add_str(&pattern, "conf.d/*.conf");
	if (glob(buf_cstr(&pattern), 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			read_file(ld, g.gl_pathv[i], path, 0);
	globfree(&g);
	buf_fini(&pattern);
}

static bool
finish(struct load *ld, struct mansio_conf **conf)
{
	if (ld->err->count == 0) {
		conf_complete(ld->c);
		conf_check(ld->c, ld->err);
	}
	if (ld->err->count > CONF_ERRORS_MAX)
		buf_addf(&ld->err->text, "and %u more\n", ld->err->count - CONF_ERRORS_MAX);
	*conf = NULL;
	if (ld->err->count > 0)
		conf_free(&ld->c);
	*conf = ld->c;
	return ld->c != NULL;
}

bool
conf_load(const char *path, struct mansio_conf **conf, struct conf_errors *err)
{
	struct load ld = { .c = conf_new(), .err = err, .files = true };

	if (read_file(&ld, path, path, 0))
		read_conf_d(&ld, path);
	return finish(&ld, conf);
}

bool
conf_parse(struct span text, const char *name, struct mansio_conf **conf, struct conf_errors *err)
{
	struct load ld = { .c = conf_new(), .err = err };

	if (text.len > CONF_TEXT_MAX)
		conf_error(err, name, 0, "larger than %u bytes", CONF_TEXT_MAX);
	else
		read_text(&ld, text, name);
	return finish(&ld, conf);
}

struct mansio_conf *
conf_new_default(void)
{
	struct mansio_conf *c = conf_new();

	conf_complete(c);
	return c;
}
