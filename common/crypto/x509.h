/* common/crypto/x509.h
 * What an operator wants to know about a certificate. */
#ifndef COMMON_CRYPTO_X509_H
#define COMMON_CRYPTO_X509_H

#include <stddef.h>
#include <stdint.h>

#include "common/util/span.h"
#include "common/util/status.h"

struct x509_info {
	char	*subject, *issuer;	/* RFC 2253 text */
	char	**names;		/* DNS names of subjectAltName, or the common name */
	size_t	n_names;
	int64_t	not_before_s, not_after_s;	/* since 1970 UTC */
};

#define X509_NAMES_MAX 256		/* further ones are left out */

/* The first certificate in pem.  ST_SYNTAX: none that can be read. */
enum status x509_info_read(struct span pem, struct x509_info *info);
void x509_info_fini(struct x509_info *info);

#endif
