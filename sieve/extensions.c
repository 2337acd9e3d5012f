/* All extensions of the language, in the order in which the hooks of their tags run. */
#include <stdlib.h>
#include <string.h>

#include "sieve/core.h"
#include "sieve/extensions.h"

const struct sieve_ext *const sieve_extensions[] = {
	&sieve_ext_base,
	&sieve_ext_comparator_octet,
	&sieve_ext_comparator_casemap,
	&sieve_ext_comparator_numeric,
	&sieve_ext_comparator_unicode,
	&sieve_ext_envelope,
	&sieve_ext_fileinto,
	&sieve_ext_copy,
	&sieve_ext_relational,
	&sieve_ext_variables,
	&sieve_ext_ihave,
	&sieve_ext_include,
	&sieve_ext_imap4flags,
	&sieve_ext_imapsieve,
	&sieve_ext_mailbox,
	&sieve_ext_special_use,
	&sieve_ext_mailboxid,
	&sieve_ext_fcc,
	&sieve_ext_vacation,
	&sieve_ext_vacation_seconds,
	&sieve_ext_reject,
	&sieve_ext_ereject,
	&sieve_ext_duplicate,
	&sieve_ext_enotify,
	&sieve_ext_mboxmetadata,
	&sieve_ext_servermetadata,
	&sieve_ext_redirect_dsn,
	&sieve_ext_redirect_deliverby,
	&sieve_ext_envelope_dsn,
	&sieve_ext_envelope_deliverby,
	&sieve_ext_extlists,
	&sieve_ext_body,
	&sieve_ext_date,
	&sieve_ext_editheader,
	&sieve_ext_enclose,
	&sieve_ext_encoded_character,
	&sieve_ext_environment,
	&sieve_ext_extracttext,
	&sieve_ext_foreverypart,
	&sieve_ext_index,
	&sieve_ext_mime,
	&sieve_ext_regex,
	&sieve_ext_replace,
	&sieve_ext_spamtest,
	&sieve_ext_spamtestplus,
	&sieve_ext_subaddress,
	&sieve_ext_virustest,
	NULL
};

static bool
is_off(const struct sieve_options *o, const struct sieve_ext *e)
{
	unsigned offers = o->offers != 0 ? o->offers : (unsigned)SIEVE_OFFER_DELIVERY;

	if ((e->needs & ~offers) != 0 || ((e->flags & SIEVE_EXT_TRUSTED) != 0 && !o->trusted))
		return true;
	for (const char *const *off = o->off; off != NULL && *off != NULL; off++)
		if (strcmp(*off, e->name) == 0)
			return true;
	return false;
}

size_t
sieve_available(const struct sieve_options *o, const struct sieve_ext **v)
{
	size_t n = 0;

	for (size_t i = 0; sieve_extensions[i] != NULL && n < SIEVE_EXTS_MAX; i++)
		if (!is_off(o, sieve_extensions[i]))
			v[n++] = sieve_extensions[i];
	for (size_t i = 0; o->more != NULL && o->more[i] != NULL && n < SIEVE_EXTS_MAX; i++)
		v[n++] = o->more[i];
	return n;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(const struct sieve_ext *const *)a)->name,
	    (*(const struct sieve_ext *const *)b)->name);
}

void
sieve_capabilities(const struct sieve_options *o, struct buf *out)
{
	const struct sieve_ext *v[SIEVE_EXTS_MAX];
	size_t n = sieve_available(o, v), from = out->len;

	qsort(v, n, sizeof(v[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		if ((v[i]->flags & (SIEVE_EXT_BASE | SIEVE_EXT_HIDDEN)) != 0)
			continue;
		if (out->len > from)
			buf_add_c(out, ' ');
		buf_add_str(out, v[i]->name);
	}
}
