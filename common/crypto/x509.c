#include "common/crypto/x509.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/util/mem.h"

static char *
name_text(const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	const char *p;
	long n;

	if (bio == NULL)
		abort();
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
	n = BIO_get_mem_data(bio, &p);
	text = mem_strndup(n > 0 ? p : "", n > 0 ? (size_t)n : 0);
	BIO_free(bio);
	return text;
}

static int64_t
seconds(const ASN1_TIME *t)
{
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm);
}

static void
add_name(struct x509_info *info, const void *p, int len)
{
	if (info->n_names >= X509_NAMES_MAX || len <= 0 || memchr(p, 0, (size_t)len) != NULL)
		return;
	info->names = mem_realloc_array(info->names, info->n_names + 1, sizeof(char *));
	info->names[info->n_names++] = mem_strndup(p, (size_t)len);
}

static void
read_names(X509 *cert, struct x509_info *info)
{
	GENERAL_NAMES *alt = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at;

	for (int i = 0; i < sk_GENERAL_NAME_num(alt); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(alt, i);

		if (g->type == GEN_DNS)
			add_name(info, ASN1_STRING_get0_data(g->d.dNSName),
			    ASN1_STRING_length(g->d.dNSName));
	}
	GENERAL_NAMES_free(alt);
	at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (info->n_names == 0 && at >= 0) {
		const ASN1_STRING *cn =
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));

		add_name(info, ASN1_STRING_get0_data(cn), ASN1_STRING_length(cn));
	}
}

enum status
x509_info_read(struct span pem, struct x509_info *info)
{
	BIO *bio = NULL;
	X509 *cert = NULL;

	memset(info, 0, sizeof(*info));
	if (pem.len == 0 || pem.len > INT32_MAX)
		return ST_SYNTAX;
	bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	if (bio == NULL)
		abort();
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (cert == NULL)
		return ST_SYNTAX;
	info->subject = name_text(X509_get_subject_name(cert));
	info->issuer = name_text(X509_get_issuer_name(cert));
	info->not_before_s = seconds(X509_get0_notBefore(cert));
	info->not_after_s = seconds(X509_get0_notAfter(cert));
	read_names(cert, info);
	X509_free(cert);
	return ST_OK;
}

void
x509_info_fini(struct x509_info *info)
{
	for (size_t i = 0; i < info->n_names; i++)
		mem_free(&info->names[i]);
	mem_free(&info->names);
	mem_free(&info->subject);
	mem_free(&info->issuer);
	memset(info, 0, sizeof(*info));
}
