/* common/conf/value.c
 * Values of every type: parse, print, what is allowed. */
#include "common/conf/value.h"

#include <assert.h>
#include <string.h>

#include "common/conf/lex.h"
#include "common/util/mem.h"

struct unit {
	const char	*name;
	uint64_t	factor;
};

/* Largest first: printing takes the first that divides. */
static const struct unit size_units[] = {
	{ "T", 1ull << 40 }, { "G", 1u << 30 }, { "M", 1u << 20 }, { "K", 1u << 10 }, { "", 1 },
	{ NULL, 0 }
};
static const struct unit time_units[] = {
	{ "d", 86400 }, { "h", 3600 }, { "min", 60 }, { "s", 1 }, { NULL, 0 }
};
static const struct unit time_ms_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 },
	{ NULL, 0 }
};
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *
units_of(enum conf_type t)
{
	switch (t) {
	case CONF_T_SIZE:
		return size_units;
	case CONF_T_TIME:
		return time_units;
	case CONF_T_TIME_MS:
		return time_ms_units;
	default:
		return no_units;
	}
}

/* "64M": digits and one unit, nothing between them; 0 needs no unit. */
static bool
number_parse(enum conf_type t, const char *s, uint64_t *v)
{
	const struct unit *u;
	size_t digits = strspn(s, "0123456789");

	if (digits == 0 || !span_u64(span(s, digits), v))
		return false;
	if (*v == 0 && s[digits] == '\0')
		return true;
	for (u = units_of(t); u->name != NULL; u++)
		if (strcmp(u->name, s + digits) == 0)
			return !__builtin_mul_overflow(*v, u->factor, v);
	return false;
}

bool
conf_time_parse(const char *text, uint32_t *seconds)
{
	uint64_t v;

	if (!number_parse(CONF_T_TIME, text, &v) || v > UINT32_MAX)
		return false;
	*seconds = (uint32_t)v;
	return true;
}

static void
number_print(enum conf_type t, uint64_t v, struct buf *out)
{
	const struct unit *u = units_of(t);

	if (v == 0) {
		buf_add_c(out, '0');
		return;
	}
	while (v % u->factor != 0)
		u++;
	buf_addf(out, "%llu%s", (unsigned long long)(v / u->factor), u->name);
}

static uint64_t
limit(enum conf_type t, const char *s, uint64_t otherwise)
{
	uint64_t v = otherwise;

	if (s != NULL)
		number_parse(t, s, &v);
	return v;
}

static bool
number_store(const struct conf_field *f, void *at, const char *s, struct buf *why)
{
	uint64_t most = f->type == CONF_T_SIZE ? UINT64_MAX : UINT32_MAX, v;

	if (f->type == CONF_T_COUNT && strcmp(s, "auto") == 0) {
		*(uint32_t *)at = 0;
		return true;
	}
	if (!number_parse(f->type, s, &v)) {
		buf_addf(why, "\"%s\" is not a value", s);
		return false;
	}
	if (v < limit(f->type, f->min, 0) || v > limit(f->type, f->max, most)) {
		buf_addf(why, "%s is out of range", s);
		return false;
	}
	if (f->type == CONF_T_SIZE)
		*(uint64_t *)at = v;
	else
		*(uint32_t *)at = (uint32_t)v;
	return true;
}

static bool
mode_store(uint32_t *at, const char *s, struct buf *why)
{
	uint32_t v = 0;
	size_t n = strlen(s);

	if (n < 3 || n > 4 || strspn(s, "01234567") != n || (n == 4 && s[0] != '0')) {
		buf_addf(why, "\"%s\" is not a file mode", s);
		return false;
	}
	for (; *s != '\0'; s++)
		v = v << 3 | (uint32_t)(*s - '0');
	*at = v;
	return true;
}

static bool
bool_store(bool *at, const char *s, struct buf *why)
{
	if (strcmp(s, "yes") != 0 && strcmp(s, "no") != 0) {
		buf_addf(why, "\"%s\" is not a value", s);
		return false;
	}
	*at = s[0] == 'y';
	return true;
}

static bool
word_find(const struct conf_field *f, const char *s, uint8_t *at, struct buf *why)
{
	for (uint8_t i = 0; f->words[i] != NULL; i++)
		if (strcmp(f->words[i], s) == 0) {
			*at = i;
			return true;
		}
	buf_addf(why, "\"%s\" is not a value", s);
	return false;
}

static bool
path_store(const char **at, const char *s, struct arena *mem, struct buf *why)
{
	if (s[0] != '\0' && s[0] != '/') {
		buf_addf(why, "\"%s\" is not an absolute path", s);
		return false;
	}
	*at = arena_strndup(mem, s, strlen(s));
	return true;
}

/* ---- lists ---- */

static bool
enums_store(const struct conf_field *f, struct conf_enums *at, const struct conf_text *t,
    struct arena *mem, struct buf *why)
{
	uint8_t *v = arena_array(mem, t->n + 1, sizeof(*v));

	for (size_t i = 0; i < t->n; i++) {
		if (!word_find(f, t->v[i], &v[i], why))
			return false;
		if (memchr(v, v[i], i) != NULL) {
			buf_addf(why, "\"%s\" stands there twice", t->v[i]);
			return false;
		}
	}
	*at = (struct conf_enums){ v, t->n };
	return true;
}

static void
strings_store(struct conf_strings *at, const struct conf_text *t, struct arena *mem)
{
	const char **v = arena_array(mem, t->n + 1, sizeof(*v));

	for (size_t i = 0; i < t->n; i++)
		v[i] = arena_strndup(mem, t->v[i], strlen(t->v[i]));
	*at = (struct conf_strings){ v, t->n };
}

static bool
addrs_store(struct conf_addrs *at, const struct conf_text *t, struct arena *mem, struct buf *why)
{
	struct net_addr *v = arena_array(mem, t->n + 1, sizeof(*v));

	for (size_t i = 0; i < t->n; i++)
		if (!net_addr_parse(span_str(t->v[i]), &v[i])) {
			buf_addf(why, "\"%s\" is not an address", t->v[i]);
			return false;
		}
	*at = (struct conf_addrs){ v, t->n };
	return true;
}

static bool
cidrs_store(struct conf_cidrs *at, const struct conf_text *t, struct arena *mem, struct buf *why)
{
	struct cidr *v = arena_array(mem, t->n + 1, sizeof(*v));

	for (size_t i = 0; i < t->n; i++)
		if (!cidr_parse(span_str(t->v[i]), &v[i])) {
			buf_addf(why, "\"%s\" is not a network", t->v[i]);
			return false;
		}
	*at = (struct conf_cidrs){ v, t->n };
	return true;
}

static const char *const roles[] = {
	"drafts", "sent", "junk", "trash", "archive", NULL
};

/* "Sent Mail:sent": name, role. */
static bool
folder_parse(const char *s, struct conf_folder *out, struct arena *mem, struct buf *why)
{
	const char *colon = strrchr(s, ':');
	size_t n = colon != NULL ? (size_t)(colon - s) : strlen(s);

	*out = (struct conf_folder){ arena_strndup(mem, s, n), "" };
	if (n == 0 || s[0] == '/' || s[n - 1] == '/' || strstr(out->name, "//") != NULL) {
		buf_addf(why, "\"%s\" names no folder", s);
		return false;
	}
	if (colon == NULL || colon[1] == '\0')
		return true;
	for (size_t i = 0; roles[i] != NULL; i++)
		if (strcmp(roles[i], colon + 1) == 0) {
			out->role = roles[i];
			return true;
		}
	buf_addf(why, "\"%s\" is not a role", colon + 1);
	return false;
}

static bool
folders_store(struct conf_folders *at, const struct conf_text *t, struct arena *mem,
    struct buf *why)
{
	struct conf_folder *v = arena_array(mem, t->n + 1, sizeof(*v));

	for (size_t i = 0; i < t->n; i++) {
		if (!folder_parse(t->v[i], &v[i], mem, why))
			return false;
		for (size_t k = 0; k < i; k++)
			if (strcmp(v[k].name, v[i].name) == 0 ||
			    (v[i].role[0] != '\0' && strcmp(v[k].role, v[i].role) == 0)) {
				buf_addf(why, "\"%s\" and \"%s\" are one name or one role",
				    t->v[k], t->v[i]);
				return false;
			}
	}
	*at = (struct conf_folders){ v, t->n };
	return true;
}

/* ---- all types ---- */

bool
conf_value_is_list(const struct conf_field *f)
{
	switch (f->type) {
	case CONF_T_ENUMS:
	case CONF_T_STRINGS:
	case CONF_T_ADDRS:
	case CONF_T_CIDRS:
	case CONF_T_FOLDERS:
		return true;
	default:
		return false;
	}
}

static bool
list_store(const struct conf_field *f, void *at, const struct conf_text *t, struct arena *mem,
    struct buf *why)
{
	switch (f->type) {
	case CONF_T_ENUMS:
		return enums_store(f, at, t, mem, why);
	case CONF_T_ADDRS:
		return addrs_store(at, t, mem, why);
	case CONF_T_CIDRS:
		return cidrs_store(at, t, mem, why);
	case CONF_T_FOLDERS:
		return folders_store(at, t, mem, why);
	default:
		strings_store(at, t, mem);
		return true;
	}
}

bool
conf_value_parse(const struct conf_field *f, void *section, const struct conf_text *t,
    struct arena *mem, struct buf *why)
{
	void *at = (char *)section + f->offset;

	if (conf_value_is_list(f))
		return list_store(f, at, t, mem, why);
	if (t->list || t->n != 1) {
		buf_add_str(why, "a list stands where one value is expected");
		return false;
	}
	switch (f->type) {
	case CONF_T_BOOL:
		return bool_store(at, t->v[0], why);
	case CONF_T_MODE:
		return mode_store(at, t->v[0], why);
	case CONF_T_ENUM:
		return word_find(f, t->v[0], at, why);
	case CONF_T_PATH:
		return path_store(at, t->v[0], mem, why);
	case CONF_T_STRING:
		*(const char **)at = arena_strndup(mem, t->v[0], strlen(t->v[0]));
		return true;
	default:
		return number_store(f, at, t->v[0], why);
	}
}

void
conf_value_default(const struct conf_field *f, void *section, struct arena *mem)
{
	struct conf_text t = { .n = 0 };
	struct span rest = span_str(f->def);
	struct buf why = { 0 };
	bool ok;

	if (!conf_value_is_list(f))
		t.v[t.n++] = f->def;
	else
		while (rest.len > 0 && t.n < CONF_LIST_MAX) {
			struct span s = span_trim(span_cut(&rest, ','));

			t.v[t.n++] = arena_strndup(mem, s.p, s.len);
		}
	ok = conf_value_parse(f, section, &t, mem, &why);
	assert(ok);
	(void)ok;
	buf_fini(&why);
}

static void
cidr_print(const struct cidr *c, struct buf *out)
{
	char text[NET_IP_STR];

	buf_add_str(out, net_ip_print(&c->ip, text));
	if (c->ip.family != NET_UNIX)
		buf_addf(out, "/%u", c->bits);
}

static size_t
list_count(const struct conf_field *f, const void *at)
{
	switch (f->type) {
	case CONF_T_ENUMS:
		return ((const struct conf_enums *)at)->n;
	case CONF_T_ADDRS:
		return ((const struct conf_addrs *)at)->n;
	case CONF_T_CIDRS:
		return ((const struct conf_cidrs *)at)->n;
	case CONF_T_FOLDERS:
		return ((const struct conf_folders *)at)->n;
	default:
		return ((const struct conf_strings *)at)->n;
	}
}

static void
item_print(const struct conf_field *f, const void *at, size_t i, struct buf *out)
{
	const struct conf_folder *folder;
	char text[NET_ADDR_STR];

	switch (f->type) {
	case CONF_T_ENUMS:
		buf_add_str(out, f->words[((const struct conf_enums *)at)->v[i]]);
		break;
	case CONF_T_ADDRS:
		buf_add_str(out, net_addr_print(&((const struct conf_addrs *)at)->v[i], text));
		break;
	case CONF_T_CIDRS:
		cidr_print(&((const struct conf_cidrs *)at)->v[i], out);
		break;
	case CONF_T_FOLDERS:
		folder = &((const struct conf_folders *)at)->v[i];
		buf_add_str(out, folder->name);
		/* The last colon divides: a name that has one needs another behind it. */
		if (folder->role[0] != '\0' || strchr(folder->name, ':') != NULL)
			buf_addf(out, ":%s", folder->role);
		break;
	default:
		buf_add_str(out, ((const struct conf_strings *)at)->v[i]);
	}
}

static void
scalar_print(const struct conf_field *f, const void *at, struct buf *out)
{
	switch (f->type) {
	case CONF_T_BOOL:
		buf_add_str(out, *(const bool *)at ? "yes" : "no");
		break;
	case CONF_T_MODE:
		buf_addf(out, "0%03o", *(const uint32_t *)at);
		break;
	case CONF_T_ENUM:
		buf_add_str(out, f->words[*(const uint8_t *)at]);
		break;
	case CONF_T_STRING:
	case CONF_T_PATH:
		buf_add_str(out, *(const char *const *)at);
		break;
	case CONF_T_SIZE:
		number_print(f->type, *(const uint64_t *)at, out);
		break;
	case CONF_T_COUNT:
		if (*(const uint32_t *)at == 0) {
			buf_add_str(out, "auto");
			break;
		}
		/* fall through */
	default:
		number_print(f->type, *(const uint32_t *)at, out);
	}
}

void
conf_value_print(const struct conf_field *f, const void *section, struct buf *out)
{
	const void *at = (const char *)section + f->offset;
	size_t n = conf_value_is_list(f) ? list_count(f, at) : 1;
	struct buf one = { 0 };

	if (conf_value_is_list(f))
		buf_add_c(out, '[');
	for (size_t i = 0; i < n; i++) {
		buf_clear(&one);
		if (conf_value_is_list(f))
			item_print(f, at, i, &one);
		else
			scalar_print(f, at, &one);
		if (i > 0)
			buf_add_str(out, ", ");
		lex_quote(out, buf_cstr(&one));
	}
	if (conf_value_is_list(f))
		buf_add_c(out, ']');
	buf_fini(&one);
}

void
conf_value_plain(const struct conf_field *f, const void *section, struct buf *out)
{
	const void *at = (const char *)section + f->offset;

	if (!conf_value_is_list(f)) {
		scalar_print(f, at, out);
		return;
	}
	for (size_t i = 0; i < list_count(f, at); i++) {
		if (i > 0)
			buf_add_str(out, ", ");
		item_print(f, at, i, out);
	}
}

static void
allowed_range(const struct conf_field *f, const char *what, struct buf *out)
{
	buf_add_str(out, what);
	if (f->min != NULL && f->max != NULL)
		buf_addf(out, " from %s to %s", f->min, f->max);
	else if (f->min != NULL)
		buf_addf(out, ", at least %s", f->min);
	else if (f->max != NULL)
		buf_addf(out, ", at most %s", f->max);
}

static void
allowed_words(const char *const *words, const char *before, struct buf *out)
{
	buf_add_str(out, before);
	for (size_t i = 0; words[i] != NULL; i++)
		buf_addf(out, "%s%s", i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ", words[i]);
}

void
conf_value_allowed(const struct conf_field *f, struct buf *out)
{
	switch (f->type) {
	case CONF_T_BOOL:
		buf_add_str(out, "yes or no");
		break;
	case CONF_T_INT:
		allowed_range(f, "a number", out);
		break;
	case CONF_T_COUNT:
		allowed_range(f, "auto, or a number", out);
		break;
	case CONF_T_SIZE:
		allowed_range(f, "a size in bytes or with K, M, G, T", out);
		break;
	case CONF_T_TIME:
		allowed_range(f, "a time with s, min, h, d", out);
		break;
	case CONF_T_TIME_MS:
		allowed_range(f, "a time with ms, s, min, h, d", out);
		break;
	case CONF_T_MODE:
		buf_add_str(out, "an octal mode such as 0660");
		break;
	case CONF_T_ENUM:
		allowed_words(f->words, "", out);
		break;
	case CONF_T_ENUMS:
		allowed_words(f->words, "a list of ", out);
		break;
	case CONF_T_STRING:
		buf_add_str(out, "a string");
		break;
	case CONF_T_PATH:
		buf_add_str(out, "an absolute path");
		break;
	case CONF_T_STRINGS:
		buf_add_str(out, "a list of strings");
		break;
	case CONF_T_ADDRS:
		buf_add_str(out, "a list of addresses such as 127.0.0.1:143, \"[::1]:993\", "
		    "unix:/run/mansio/lmtp");
		break;
	case CONF_T_CIDRS:
		buf_add_str(out, "a list of networks such as 10.0.0.0/8, 2001:db8::/32, unix");
		break;
	case CONF_T_FOLDERS:
		allowed_words(roles, "a list of NAME:ROLE, with the role ", out);
		buf_add_str(out, ", or NAME alone");
		break;
	}
}

const char *
conf_key(const struct conf_field *f, char out[CONF_NAME_MAX])
{
	size_t n = 0;

	for (; f->name[n] != '\0' && n < CONF_NAME_MAX - 1; n++)
		out[n] = f->name[n] == '_' ? '-' : f->name[n];
	out[n] = '\0';
	return out;
}

static bool
same(char a, char b)
{
	return a == b || (a == '-' && b == '_') || (a == '_' && b == '-');
}

/* Levenshtein distance of short words; members' names stand for keys. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[CONF_NAME_MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > CONF_NAME_MAX || lb > CONF_NAME_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t up = row[j], best = corner + !same(a[i - 1], b[j - 1]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			corner = up;
		}
	}
	return row[lb];
}

const char *
conf_nearest(const char *to, const char *(*next)(void *arg), void *arg)
{
	size_t best = strlen(to) / 3 + 1, d;
	const char *found = NULL, *w;

	while ((w = next(arg)) != NULL) {
		d = distance(to, w);
		if (d <= best && (found == NULL || d < best)) {
			best = d;
			found = w;
		}
	}
	return found;
}
