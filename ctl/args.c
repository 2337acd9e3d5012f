#include "ctl/args.h"

#include <string.h>

#include "common/util/span.h"
#include "ctl/ctl.h"

bool
ctl_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	struct span s = span_str(text);
	const char *unit;
	unsigned shift = 0;

	if (strcmp(text, "default") == 0) {
		*bytes = 0;
		return true;
	}
	if (s.len > 1 && (unit = strchr(units, ascii_upper(s.p[s.len - 1]))) != NULL &&
	    *unit != '\0') {
		shift = 10 * (unsigned)(unit - units + 1);
		s.len--;
	}
	if (!span_u64(s, bytes) || *bytes > (uint64_t)INT64_MAX >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

static const struct ctl_option *
find(const struct ctl_option *options, const char *arg, const char **value)
{
	*value = NULL;
	for (; options->name != NULL; options++) {
		size_t n = strlen(options->name);

		if (strncmp(arg, options->name, n) != 0)
			continue;
		if (arg[n] == '\0')
			return options;
		if (arg[n] == '=') {
			*value = arg + n + 1;
			return options;
		}
	}
	return NULL;
}

/* value: not NULL. */
static int
take(const struct ctl_option *o, const char *value)
{
	struct ctl_number *n = o->to;

	if (o->kind == CTL_TEXT) {
		*(const char **)o->to = value;
		return CTL_OK;
	}
	n->given = true;
	if (o->kind == CTL_SIZE && !ctl_size(value, &n->v))
		return ctl_usage("%s takes a size as 500M or 2G, or default, not \"%s\"", o->name,
		    value);
	if (o->kind == CTL_COUNT && strcmp(value, "default") == 0)
		n->v = 0;
	else if (o->kind == CTL_COUNT && !span_u64(span_str(value), &n->v))
		return ctl_usage("%s takes a number, or default, not \"%s\"", o->name, value);
	return CTL_OK;
}

int
ctl_options(const struct ctl_option *options, int *argc, char **argv, int least, int most)
{
	int kept = 0, rc = CTL_OK;

	for (int i = 0; i < *argc; i++) {
		const struct ctl_option *o;
		const char *value;

		/* a single "-" is standard input */
		if (argv[i][0] != '-' || argv[i][1] == '\0') {
			argv[kept++] = argv[i];
			continue;
		}
		if ((o = find(options, argv[i], &value)) == NULL)
			return ctl_usage("there is no option %s here", argv[i]);
		if (o->kind == CTL_FLAG) {
			if (value != NULL)
				return ctl_usage("%s takes no value", o->name);
			*(bool *)o->to = true;
			continue;
		}
		if (value == NULL && (value = argv[++i]) == NULL)
			return ctl_usage("%s needs a value", o->name);
		if ((rc = take(o, value)) != CTL_OK)
			return rc;
	}
	argv[kept] = NULL;
	*argc = kept;
	if (kept < least)
		return ctl_usage(kept == 0 ? "something is missing" : "something is missing behind \"%s\"",
		    kept > 0 ? argv[kept - 1] : "");
	if (kept > most)
		return ctl_usage("unexpected \"%s\"", argv[most]);
	return CTL_OK;
}
