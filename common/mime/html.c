#include "common/mime/html.h"

#include <string.h>
#include <unistr.h>

#include "common/util/mem.h"

#define NAME_MAX_LEN 15
#define ENTITY_MAX 12

enum state {
	TEXT, TAG_OPEN, TAG_NAME, TAG_REST, QUOTED, BANG, COMMENT, ENTITY, RAW
};

struct mime_html {
	enum state	state;
	char		quote;
	bool		closing;		/* "</" */
	char		name[NAME_MAX_LEN + 1];
	size_t		n_name;
	char		entity[ENTITY_MAX + 1];
	size_t		n_entity;
	unsigned	dashes;			/* of a comment's end */
	char		raw[NAME_MAX_LEN + 1];	/* inside this element text is dropped */
	size_t		match;			/* of "</raw" seen */
	bool		blank, line;		/* owed before the next text */
	bool		any;
};

static const struct { const char *name; uint32_t c; } entities[] = {
	{ "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' },
	{ "nbsp", ' ' }, { "iexcl", 0xa1 }, { "cent", 0xa2 }, { "pound", 0xa3 }, { "yen", 0xa5 },
	{ "sect", 0xa7 }, { "copy", 0xa9 }, { "laquo", 0xab }, { "reg", 0xae }, { "deg", 0xb0 },
	{ "plusmn", 0xb1 }, { "para", 0xb6 }, { "middot", 0xb7 }, { "raquo", 0xbb },
	{ "frac12", 0xbd }, { "iquest", 0xbf }, { "Agrave", 0xc0 }, { "Aacute", 0xc1 },
	{ "Acirc", 0xc2 }, { "Atilde", 0xc3 }, { "Auml", 0xc4 }, { "Aring", 0xc5 },
	{ "AElig", 0xc6 }, { "Ccedil", 0xc7 }, { "Egrave", 0xc8 }, { "Eacute", 0xc9 },
	{ "Ecirc", 0xca }, { "Euml", 0xcb }, { "Iacute", 0xcd }, { "Icirc", 0xce },
	{ "Ntilde", 0xd1 }, { "Oacute", 0xd3 }, { "Ocirc", 0xd4 }, { "Otilde", 0xd5 },
	{ "Ouml", 0xd6 }, { "times", 0xd7 }, { "Oslash", 0xd8 }, { "Uacute", 0xda },
	{ "Uuml", 0xdc }, { "szlig", 0xdf }, { "agrave", 0xe0 }, { "aacute", 0xe1 },
	{ "acirc", 0xe2 }, { "atilde", 0xe3 }, { "auml", 0xe4 }, { "aring", 0xe5 },
	{ "aelig", 0xe6 }, { "ccedil", 0xe7 }, { "egrave", 0xe8 }, { "eacute", 0xe9 },
	{ "ecirc", 0xea }, { "euml", 0xeb }, { "igrave", 0xec }, { "iacute", 0xed },
	{ "icirc", 0xee }, { "iuml", 0xef }, { "ntilde", 0xf1 }, { "ograve", 0xf2 },
	{ "oacute", 0xf3 }, { "ocirc", 0xf4 }, { "otilde", 0xf5 }, { "ouml", 0xf6 },
	{ "oslash", 0xf8 }, { "ugrave", 0xf9 }, { "uacute", 0xfa }, { "ucirc", 0xfb },
	{ "uuml", 0xfc }, { "ndash", 0x2013 }, { "mdash", 0x2014 }, { "lsquo", 0x2018 },
	{ "rsquo", 0x2019 }, { "sbquo", 0x201a }, { "ldquo", 0x201c }, { "rdquo", 0x201d },
	{ "bdquo", 0x201e }, { "bull", 0x2022 }, { "hellip", 0x2026 }, { "euro", 0x20ac },
	{ "trade", 0x2122 }, { "zwnj", 0 }, { "shy", 0 }
};

struct mime_html *
mime_html_new(void)
{
	return mem_zalloc(sizeof(struct mime_html));
}

void
mime_html_free(struct mime_html **h)
{
	mem_free(h);
}

static void
put_text(struct mime_html *h, const char *p, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n;) {
		size_t from = i;

		if ((unsigned char)p[i] <= 32) {
			h->blank = true;
			i++;
			continue;
		}
		if (h->any && (h->blank || h->line))
			buf_add_c(out, h->line ? '\n' : ' ');
		h->blank = h->line = false;
		h->any = true;
		while (i < n && (unsigned char)p[i] > 32)
			i++;
		buf_add(out, p + from, i - from);
	}
}

static bool
in_list(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

static void
tag_ends(struct mime_html *h)
{
	static const char *const block[] = {
		"p", "div", "br", "hr", "tr", "table", "li", "ul", "ol", "dl", "dt", "dd", "h1", "h2",
		"h3", "h4", "h5", "h6", "blockquote", "pre", "section", "article", "header", "footer",
		"body", "html", "form", "address", "center", "title"
	};
	static const char *const dropped[] = { "script", "style", "title" };
	static const char *const cell[] = { "td", "th" };

	h->name[h->n_name] = 0;
	h->state = TEXT;
	if (in_list(h->name, block, ARRAY_LEN(block)))
		h->line = true;
	else if (in_list(h->name, cell, ARRAY_LEN(cell)))
		h->blank = true;
	if (!h->closing && in_list(h->name, dropped, ARRAY_LEN(dropped))) {
		memcpy(h->raw, h->name, sizeof(h->raw));
		h->match = 0;
		h->state = RAW;
	}
}

static bool
entity_value(const char *name, uint32_t *c)
{
	if (name[0] == '#') {
		bool hex = name[1] == 'x' || name[1] == 'X';
		const char *p = name + 1 + hex;

		*c = 0;
		if (*p == 0)
			return false;
		for (; *p != 0; p++) {
			int d = ascii_hex(*p);

			if (d < 0 || (!hex && d > 9))
				return false;
			if (*c < 0x200000)
				*c = *c * (hex ? 16 : 10) + (uint32_t)d;
		}
		if (*c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) || *c < 32)
			*c = ' ';
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(entities); i++)
		if (strcmp(name, entities[i].name) == 0) {
			*c = entities[i].c;
			return true;
		}
	return false;
}

static void
entity_ends(struct mime_html *h, struct buf *out)
{
	uint8_t utf8[6];
	uint32_t c;
	int n;

	h->state = TEXT;
	h->entity[h->n_entity] = 0;
	if (!entity_value(h->entity, &c)) {
		put_text(h, "&", 1, out);
		put_text(h, h->entity, h->n_entity, out);
		return;
	}
	if (c == 0xa0)
		c = ' ';
	n = c == 0 ? 0 : u8_uctomb(utf8, c, sizeof(utf8));
	if (n > 0)
		put_text(h, (const char *)utf8, (size_t)n, out);
}

/* One byte outside text; false: it is text after all and is to be read again. */
static bool
step(struct mime_html *h, char c, struct buf *out)
{
	switch (h->state) {
	case TEXT:
		return false;
	case TAG_OPEN:
		h->n_name = 0;
		h->closing = c == '/';
		if (c == '!' || c == '?') {
			h->state = BANG;
			h->dashes = 0;
		} else if (c == '/' || ascii_isalpha((unsigned char)c)) {
			h->state = TAG_NAME;
			if (c != '/')
				h->name[h->n_name++] = ascii_lower(c);
		} else {
			h->state = TEXT;
			put_text(h, "<", 1, out);
			return false;
		}
		return true;
	case TAG_NAME:
		if (ascii_isalnum((unsigned char)c)) {
			if (h->n_name < NAME_MAX_LEN)
				h->name[h->n_name++] = ascii_lower(c);
			return true;
		}
		h->state = TAG_REST;
		return step(h, c, out);
	case TAG_REST:
		if (c == '>')
			tag_ends(h);
		else if (c == '"' || c == '\'') {
			h->quote = c;
			h->state = QUOTED;
		}
		return true;
	case QUOTED:
		if (c == h->quote)
			h->state = TAG_REST;
		return true;
	case BANG:
		if (c == '-' && ++h->dashes == 2) {
			h->state = COMMENT;
			h->dashes = 0;
		} else if (c == '>')
			h->state = TEXT;
		else if (c != '-')
			h->dashes = 9;		/* a declaration: ends at ">" */
		return true;
	case COMMENT:
		if (c == '>' && h->dashes >= 2)
			h->state = TEXT;
		h->dashes = c == '-' ? h->dashes + 1 : 0;
		return true;
	case ENTITY:
		if ((ascii_isalnum((unsigned char)c) || c == '#') && h->n_entity < ENTITY_MAX) {
			h->entity[h->n_entity++] = c;
			return true;
		}
		entity_ends(h, out);
		return c == ';';
	case RAW:
		if (h->match >= 2 && h->raw[h->match - 2] == 0) {
			if (c == '>') {
				h->state = TEXT;
				h->line = true;
			}
		} else if (h->match >= 2)
			h->match = ascii_lower(c) == h->raw[h->match - 2] ? h->match + 1 : c == '<';
		else if (h->match == 1)
			h->match = c == '/' ? 2 : c == '<';
		else
			h->match = c == '<';
		return true;
	}
	return true;
}

void
mime_html_feed(struct mime_html *h, struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len;) {
		size_t from = i;

		if (h->state != TEXT) {
			if (step(h, in.p[i], out))
				i++;
			continue;
		}
		while (i < in.len && in.p[i] != '<' && in.p[i] != '&')
			i++;
		put_text(h, in.p + from, i - from, out);
		if (i == in.len)
			break;
		h->state = in.p[i] == '<' ? TAG_OPEN : ENTITY;
		h->n_entity = 0;
		i++;
	}
}

void
mime_html_done(struct mime_html *h, struct buf *out)
{
	if (h->state == TAG_OPEN)
		put_text(h, "<", 1, out);
	else if (h->state == ENTITY)
		entity_ends(h, out);
	h->state = TEXT;
}
