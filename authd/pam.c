#include "authd/pam.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/mem.h"

/* PAM frees the answers with free(), which is what mem_* uses. */
static int
converse(int n, const struct pam_message **msg, struct pam_response **resp, void *arg)
{
	const char *password = arg;
	struct pam_response *r;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	r = mem_array((size_t)n, sizeof(*r));
	for (int i = 0; i < n; i++)
		if (msg[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			r[i].resp = mem_strdup(password);
	*resp = r;
	return PAM_SUCCESS;
}

static enum status
to_status(int rc)
{
	switch (rc) {
	case PAM_SUCCESS:
		return ST_OK;
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_CRED_EXPIRED:
	case PAM_AUTHTOK_EXPIRED:
		return ST_EXPIRED;
	case PAM_AUTHINFO_UNAVAIL:
	case PAM_SYSTEM_ERR:
	case PAM_BUF_ERR:
	case PAM_ABORT:
	case PAM_OPEN_ERR:
	case PAM_SYMBOL_ERR:
	case PAM_SERVICE_ERR:
	case PAM_MODULE_UNKNOWN:
		return ST_UNAVAILABLE;
	default:
		return ST_DENIED;
	}
}

/* Modules would sleep in here; the caller keeps its own floor for failures, and a child of
 * the pool is too dear to sleep. */
static void
no_delay(int rc, unsigned usec, void *arg)
{
}

static bool
has_nul(struct span s)
{
	return span_find(s, '\0') < s.len;
}

enum status
pam_check(struct span service, struct span user, struct span password, struct span peer)
{
	char *s, *u, *p, *h;
	struct pam_conv conv = { converse, NULL };
	pam_handle_t *pam = NULL;
	int rc;

	if (has_nul(user) || has_nul(password) || user.len == 0 || password.len == 0)
		return ST_DENIED;
	s = span_dup(service);
	u = span_dup(user);
	p = span_dup(password);
	h = span_dup(peer);
	conv.appdata_ptr = p;
	rc = pam_start(s, u, &conv, &pam);
	if (rc == PAM_SUCCESS) {
		(void)pam_set_item(pam, PAM_FAIL_DELAY, (const void *)no_delay);
		if (h[0] != '\0')
			(void)pam_set_item(pam, PAM_RHOST, h);
		rc = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
		if (rc == PAM_SUCCESS)
			rc = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	}
	if (pam != NULL)
		(void)pam_end(pam, rc);
	mem_wipe(p, password.len);
	mem_free(&s);
	mem_free(&u);
	mem_free(&p);
	mem_free(&h);
	return to_status(rc);
}
