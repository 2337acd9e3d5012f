/* The role that hands mail over. */
#include "common/util/log.h"
#include "common/worker/sandbox.h"
#include "outd/role.h"
#include "outd/submit.h"

static bool
prepare(void)
{
	return true;
}

static void *
make(struct loop *l)
{
	return submit_new(l);
}

static void
configure(void *x, struct mansio_conf *conf)
{
	submit_configure(x, conf);
}

static void
secrets(void *x, struct span blob)
{
	struct span ca = SPAN_NONE, password = SPAN_NONE;
	struct cert_pem pem;
	struct reader r;

	reader_init(&r, blob.p, blob.len);
	while (cert_pem_get(&r, &pem)) {
		if (span_eq_str(pem.name, "password"))
			password = pem.key;
		else
			ca = pem.chain;
	}
	if (!r.bad)
		submit_secrets(x, ca, password);
}

/* With a program it neither connects nor reads a file itself. */
static bool
confine(void *x)
{
	if (!submit_has_program(x))
		return role_confine_out();
	return submit_start_program(x) && sandbox_apply(SANDBOX_INDEX, NULL, 0);
}

static bool
connect_peer(void *x, const struct control_peer *p, int fd)
{
	if (p->program != PROGRAM_STORED)
		return false;
	submit_connect(x, p->slot, fd);
	return true;
}

static void
status(const void *x, struct buf *out)
{
	submit_status(x, out);
}

static void
end(void *x)
{
	struct submit *s = x;

	submit_free(&s);
}

const struct role role_submit = { "outd-submit", prepare, make, configure, secrets, confine,
    connect_peer, status, end };
