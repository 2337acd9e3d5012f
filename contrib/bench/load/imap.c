/* IMAP. */
#define _GNU_SOURCE
#include "mailload.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool imap_wait(struct conn *c, const char *tag, struct res *r)
{
    size_t tl = strlen(tag), n;
    memset(r, 0, sizeof *r);
    for (;;) {
        char *l = cn_line(c, &n), *p;
        bool final = false, ok = false;
        if (!l)
            return false;
        if (l[0] == '+') {
            r->cont = true;
            return true;
        }
        if (!strncmp(l, tag, tl) && l[tl] == ' ') {
            final = true;
            ok = !strncasecmp(l + tl + 1, "OK", 2);
            snprintf(r->line, sizeof r->line, "%.500s", l);
        }
        if (l[0] == '*' && l[1] == ' ') {
            if (isdigit((unsigned char)l[2])) {
                long v = strtol(l + 2, &p, 10);
                if (!strncmp(p, " FETCH", 6))
                    r->fetches++;
                else if (!strncmp(p, " EXISTS", 7))
                    r->exists = v;
            } else if (!strncmp(l + 2, "SEARCH", 6) || !strncmp(l + 2, "SORT", 4)) {
                for (p = l + 2; (p = strchr(p, ' ')); p++)
                    r->hits += isdigit((unsigned char)p[1]) != 0;
            } else if (!strncmp(l + 2, "THREAD", 6)) {
                for (p = l + 8; *p; p++)
                    r->hits += isdigit((unsigned char)*p) && !isdigit((unsigned char)p[-1]);
            } else if (!strncmp(l + 2, "VANISHED", 8))
                r->vanished++;
            else if (!strncmp(l + 2, "CAPABILITY", 10) || !strncmp(l + 2, "OK [", 4)) {
                if ((p = strstr(l, "[UIDVALIDITY ")))
                    r->uidvalidity = strtoul(p + 13, NULL, 10);
                if ((p = strstr(l, "[UIDNEXT ")))
                    r->uidnext = strtoul(p + 9, NULL, 10);
                if ((p = strstr(l, "[HIGHESTMODSEQ ")))
                    r->modseq = strtoull(p + 15, NULL, 10);
                if (!strncmp(l + 2, "CAPABILITY", 10)) {
                    r->multiappend = strcasestr(l, " MULTIAPPEND");
                    r->literalp = strcasestr(l, " LITERAL+");
                }
            }
        }
        while (n && l[n - 1] == '}' && (p = memrchr(l, '{', n)) && isdigit((unsigned char)p[1])) {
            if (!cn_skip(c, strtoull(p + 1, NULL, 10)) || !(l = cn_line(c, &n)))
                return false;
        }
        if (final)
            return ok ? true : fail(c, "IMAP", r->line);
    }
}

bool imap_cmd(struct conn *c, struct res *r, const char *fmt, ...)
{
    char b[8192], tag[16];
    va_list ap;
    snprintf(tag, sizeof tag, "a%d", ++c->seq);
    int n = snprintf(b, sizeof b, "%s ", tag);
    va_start(ap, fmt);
    n += vsnprintf(b + n, sizeof b - n - 2, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof b - 3)
        die("command too long");
    memcpy(b + n, "\r\n", 3);
    if (O.verbose)
        fprintf(stderr, "[%d] C: %s", c->id, b);
    return cn_write(c, b, n + 2) && imap_wait(c, tag, r);
}

bool imap_login(struct conn *c, int user)
{
    struct res r;
    char *l;
    c->err[0] = 0;
    c->user = user;
    if (!cn_open(c, O.p_imap) || !(l = cn_line(c, NULL)))
        return false;
    if (strncmp(l, "* OK", 4))
        return fail(c, "greeting", l);
    return imap_cmd(c, &r, "LOGIN %s %s", user_name(user), O.pass);
}

static void logout(struct conn *c)
{
    struct res r;
    if (c->fd >= 0)
        imap_cmd(c, &r, "LOGOUT");
    cn_close(c);
    c->err[0] = 0;
}

void w_imap_login(struct conn *c)
{
    struct res r;
    barrier(c);
    for (long k = 0; next_op(); k++) {
        uint64_t t = now_ns();
        if (imap_login(c, user_of(c, k * O.conns)) && imap_cmd(c, &r, "LOGOUT"))
            op_done(t, 1);
        else
            conn_error(c);
        cn_close(c);
        if (M.errors > 100)
            break;
    }
}

static bool append_one(struct conn *c, struct msg m, bool literalp)
{
    struct res r;
    char tag[16];
    snprintf(tag, sizeof tag, "a%d", ++c->seq);
    if (!cn_printf(c, "%s APPEND \"%s\" {%zu%s}\r\n", tag, O.mailbox, m.n, literalp ? "+" : ""))
        return false;
    if (!literalp && (!imap_wait(c, tag, &r) || !r.cont))
        return false;
    return cn_write(c, m.b, m.n) && cn_write(c, "\r\n", 2) && imap_wait(c, tag, &r);
}

void w_imap_append(struct conn *c)
{
    struct res r;
    bool lp = false;
    if (!imap_login(c, user_of(c, 0)) || !imap_cmd(c, &r, "CAPABILITY"))
        dead(c);
    else
        lp = r.literalp;
    barrier(c);
    while (!c->dead && next_op()) {
        struct msg m = next_msg();
        uint64_t t = now_ns();
        bool ok = append_one(c, m, lp);
        if (ok) {
            op_done(t, 1);
            M.bytes += m.n;
        } else
            conn_error(c);
        free(m.b);
        if (!ok)
            break;
    }
    logout(c);
}

/* fill a mailbox with --ops messages quickly: not a measurement of single appends */
void w_populate(struct conn *c)
{
    struct res r;
    bool multi = false, lp = false;
    if (!imap_login(c, user_of(c, 0)) || !imap_cmd(c, &r, "CAPABILITY"))
        dead(c);
    else {
        multi = r.multiappend && r.literalp;
        lp = r.literalp;
        if (strcasecmp(O.mailbox, "INBOX") && !imap_cmd(c, &r, "CREATE \"%s\"", O.mailbox))
            c->err[0] = 0;
    }
    barrier(c);
    while (!c->dead && M.started < O.ops) {
        int n = multi ? (O.ops - M.started < 100 ? (int)(O.ops - M.started) : 100) : 1;
        uint64_t t = now_ns();
        bool ok = true;
        char tag[16];
        M.started += n;
        snprintf(tag, sizeof tag, "a%d", ++c->seq);
        if (multi) {
            ok = cn_printf(c, "%s APPEND \"%s\"", tag, O.mailbox);
            for (int i = 0; i < n && ok; i++) {
                struct msg m = next_msg();
                ok = cn_printf(c, " {%zu+}\r\n", m.n) && cn_write(c, m.b, m.n);
                M.bytes += m.n;
                free(m.b);
            }
            ok = ok && cn_write(c, "\r\n", 2) && imap_wait(c, tag, &r);
        } else {
            struct msg m = next_msg();
            ok = append_one(c, m, lp);
            M.bytes += m.n;
            free(m.b);
        }
        if (!ok) {
            conn_error(c);
            break;
        }
        op_done(t, n);
    }
    logout(c);
}

/* log in, select, then repeat one command; the workhorse of the read workloads */
const char *repeat_fmt;
long expect_items;

void w_imap_repeat(struct conn *c)
{
    struct res r;
    if (!imap_login(c, user_of(c, 0)) || !imap_cmd(c, &r, "SELECT \"%s\"", O.mailbox))
        dead(c);
    barrier(c);
    while (!c->dead && next_op()) {
        uint64_t t = now_ns();
        if (!imap_cmd(c, &r, "%s", repeat_fmt)) {
            conn_error(c);
            break;
        }
        op_done(t, r.fetches ? r.fetches : r.hits);
        expect_items = r.fetches ? r.fetches : r.hits;
    }
    logout(c);
}

void w_imap_store(struct conn *c)
{
    struct res r;
    long n = 1;
    if (!imap_login(c, user_of(c, 0)) || !imap_cmd(c, &r, "SELECT \"%s\"", O.mailbox))
        dead(c);
    else
        n = r.exists;
    if (!c->dead && n == 0) {
        fail(c, "store", "mailbox is empty");
        dead(c);
    }
    barrier(c);
    for (long k = 0; !c->dead && next_op(); k++) { /* +, then - on the same message: always a real change */
        uint64_t t = now_ns();
        long at = (k / 2 * 7919 + c->id * 101) % n + 1;
        if (!imap_cmd(c, &r, "STORE %ld %cFLAGS (\\Flagged)", at, k & 1 ? '-' : '+')) {
            conn_error(c);
            break;
        }
        op_done(t, 1);
    }
    logout(c);
}

void w_imap_select(struct conn *c) 
{
    struct res r;
    if (!imap_login(c, user_of(c, 0)))
        dead(c);
    barrier(c);
    while (!c->dead && next_op()) {
        uint64_t t = now_ns();
        if (!imap_cmd(c, &r, "SELECT \"%s\"", O.mailbox)) {
            conn_error(c);
            break;
        }
        op_done(t, r.exists);
        if (!imap_cmd(c, &r, "UNSELECT")) {
            conn_error(c);
            break;
        }
    }
    logout(c);
}

/* --changes flag changes are made first; then every op resynchronises from before them */
bool sync_by_fetch;

void w_imap_sync(struct conn *c)
{
    struct res r;
    unsigned long uv = 0;
    unsigned long long ms = 0;
    if (!imap_login(c, user_of(c, 0)) || !imap_cmd(c, &r, "ENABLE QRESYNC") ||
        !imap_cmd(c, &r, "SELECT \"%s\"", O.mailbox))
        dead(c);
    else {
        long n = r.exists;
        uv = r.uidvalidity;
        ms = r.modseq;
        for (int i = 0; i < O.changes && i < n; i++)
            if (!imap_cmd(c, &r, "STORE %ld +FLAGS (\\Answered)", (long)i * (n / O.changes) + 1) ||
                !imap_cmd(c, &r, "STORE %ld -FLAGS (\\Answered)", (long)i * (n / O.changes) + 1)) {
                dead(c);
                break;
            }
        if (!c->dead && !sync_by_fetch && !imap_cmd(c, &r, "UNSELECT"))
            dead(c);
    }
    barrier(c);
    while (!c->dead && next_op()) {
        uint64_t t = now_ns();
        bool ok = sync_by_fetch ? imap_cmd(c, &r, "UID FETCH 1:* (FLAGS) (CHANGEDSINCE %llu VANISHED)", ms)
                                : imap_cmd(c, &r, "SELECT \"%s\" (QRESYNC (%lu %llu))", O.mailbox, uv, ms);
        if (!ok) {
            conn_error(c);
            break;
        }
        op_done(t, r.fetches);
        if (!sync_by_fetch && !imap_cmd(c, &r, "UNSELECT")) {
            conn_error(c);
            break;
        }
    }
    logout(c);
}
