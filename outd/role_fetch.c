/* The role that fetches keys, asks about tokens and pushes. */
#include <string.h>

#include "common/util/mem.h"
#include "common/worker/sandbox.h"
#include "outd/fetch.h"
#include "outd/role.h"
#include "outd/server.h"

/* Names are resolved by the C library's own files and DNS: it can load no module any more. */
bool
role_confine_out(void)
{
	static const char *const readable[] = { "/etc", "/run/systemd/resolve", "/run/resolvconf",
	    "/run/NetworkManager", "/run/connman", "/usr/share/ca-certificates",
	    "/usr/local/share/ca-certificates", "/var/lib/ca-certificates" };

	return sandbox_apply(SANDBOX_OUT, readable, ARRAY_LEN(readable));
}

static void *
make(struct loop *l)
{
	return outd_new(l);
}

static void
configure(void *x, struct mansio_conf *conf)
{
	outd_configure(x, conf);
}

static void
secrets(void *x, struct span blob)
{
	struct cert_pem pem;
	struct outd_secrets s = { 0 };
	struct reader r;

	reader_init(&r, blob.p, blob.len);
	while (cert_pem_get(&r, &pem)) {
		if (span_eq_str(pem.name, "oauth"))
			s.client = pem.key;
		else if (span_eq_str(pem.name, "push"))
			s.vapid = pem.key;
		else
			s.ca = pem.chain;
	}
	if (!r.bad)
		outd_secrets(x, &s);
}

static bool
confine(void *x)
{
	return role_confine_out();
}

static bool
connect_peer(void *x, const struct control_peer *p, int fd)
{
	bool known = p->program == PROGRAM_AUTHD || p->program == PROGRAM_STORED;

	if (known)
		outd_connect(x, (enum program)p->program, p->slot, fd);
	return known;
}

static void
status(const void *x, struct buf *out)
{
	outd_status(x, out);
}

static void
end(void *x)
{
	struct outd *o = x;

	outd_free(&o);
}

const struct role role_fetch = { "outd", fetch_init, make, configure, secrets, confine, connect_peer,
    status, end };
