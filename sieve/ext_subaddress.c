/* subaddress (RFC 5233): :user and :detail of "user+detail@domain". */
#include <string.h>

#include "sieve/ext.h"
#include "sieve/extensions.h"

/* Where the first of the separators stands; its end when there is none. */
static size_t
separator(struct sieve_run *r, struct span local)
{
	const char *set = sieve_settings(r)->address_separators;
	size_t i = 0;

	if (set == NULL)
		set = "+";
	while (i < local.len && (local.p[i] == '\0' || strchr(set, local.p[i]) == NULL))
		i++;
	return i;
}

static bool
get_user(struct sieve_run *r, const struct mime_addr *a, struct span *part)
{
	*part = span_sub(a->local, 0, separator(r, a->local));
	return true;
}

static bool
get_detail(struct sieve_run *r, const struct mime_addr *a, struct span *part)
{
	size_t at = separator(r, a->local);

	*part = at < a->local.len ? span_sub(a->local, at + 1, a->local.len - at - 1) : SPAN_NONE;
	return at < a->local.len;
}

static const struct sieve_address_part parts[] = {
	{ "user", get_user },
	{ "detail", get_detail },
	{ 0 }
};

const struct sieve_ext sieve_ext_subaddress = {
	.name = "subaddress", .address_parts = parts
};
