/* LMTP. */
#define _GNU_SOURCE
#include "mailload.h"

#include <stdlib.h>
#include <string.h>

static bool smtp_reply(struct conn *c, int want)
{
    char *l;
    do {
        if (!(l = cn_line(c, NULL)))
            return false;
    } while (strlen(l) > 3 && l[3] == '-');
    return l[0] - '0' == want ? true : fail(c, "LMTP", l);
}

bool lmtp_open(struct conn *c)
{
    c->err[0] = 0;
    return cn_open(c, O.p_lmtp) && smtp_reply(c, 2) && cn_printf(c, "LHLO load.test\r\n") &&
           smtp_reply(c, 2);
}

uint64_t *dot_stamp;

bool lmtp_send(struct conn *c, int user, struct msg m)
{
    char *b = malloc(m.n * 2 + 16);
    size_t n = 0;
    bool bol = true, ok;
    for (size_t i = 0; i < m.n; i++) { /* dot stuffing */
        if (bol && m.b[i] == '.')
            b[n++] = '.';
        bol = m.b[i] == '\n';
        b[n++] = m.b[i];
    }
    if (!bol) {
        b[n++] = '\r';
        b[n++] = '\n';
    }
    memcpy(b + n, ".\r\n", 3);
    n += 3;
    ok = cn_printf(c, "MAIL FROM:<load@bench.test>\r\n") && smtp_reply(c, 2) &&
         cn_printf(c, "RCPT TO:<%s>\r\n", user_name(user)) && smtp_reply(c, 2) &&
         cn_printf(c, "DATA\r\n") && smtp_reply(c, 3);
    if (dot_stamp)
        *dot_stamp = now_ns();
    ok = ok && cn_write(c, b, n) && smtp_reply(c, 2);
    free(b);
    return ok;
}

void w_lmtp(struct conn *c)
{
    if (!lmtp_open(c))
        dead(c);
    barrier(c);
    for (long k = 0; !c->dead && next_op(); k++) {
        struct msg m = next_msg();
        uint64_t t = now_ns();
        bool ok = lmtp_send(c, user_of(c, k * O.conns), m);
        if (ok) {
            op_done(t, 1);
            M.bytes += m.n;
        } else
            conn_error(c);
        free(m.b);
        if (!ok && (M.errors > 20 || !lmtp_open(c)))
            break;
    }
    if (c->fd >= 0 && cn_printf(c, "QUIT\r\n"))
        smtp_reply(c, 2);
    cn_close(c);
}
