/* Coroutines, and their streams. */
#define _GNU_SOURCE
#include "mailload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define STACK (192 * 1024)

static ucontext_t main_ctx;
static struct conn *cur;
struct conn *conns;
int epfd, live;
SSL_CTX *tls;

void co_yield(void) { swapcontext(&cur->ctx, &main_ctx); }

static void co_main(unsigned lo, unsigned hi)
{
    struct conn *c = (struct conn *)((uintptr_t)lo | (uintptr_t)hi << 32);
    c->fn(c);
    c->done = true;
    live--;
    co_yield();
}

void co_resume(struct conn *c)
{
    if (c->done)
        return;
    cur = c;
    swapcontext(&main_ctx, &c->ctx);
    cur = NULL;
}

void co_start(struct conn *c, int id, void (*fn)(struct conn *))
{
    *c = (struct conn){ .fd = -1, .id = id, .fn = fn };
    getcontext(&c->ctx);
    c->ctx.uc_stack.ss_sp = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (c->ctx.uc_stack.ss_sp == MAP_FAILED)
        die("mmap: %s", strerror(errno));
    c->ctx.uc_stack.ss_size = STACK;
    c->ctx.uc_link = &main_ctx;
    uintptr_t v = (uintptr_t)c;
    makecontext(&c->ctx, (void (*)(void))co_main, 2, (unsigned)v, (unsigned)(v >> 32));
    live++;
}

static void ep_add(struct conn *c, int fd)
{
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c };
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e))
        die("epoll_ctl: %s", strerror(errno));
}

void poll_once(int ms)
{
    struct epoll_event ev[512];
    int n = epoll_wait(epfd, ev, 512, ms);
    if (n < 0 && errno != EINTR)
        die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++)
        co_resume(ev[i].data.ptr);
}

void co_sleep(struct conn *c, double s)
{
    int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec it = { .it_value = { (time_t)s, (long)((s - (time_t)s) * 1e9) + 1 } };
    uint64_t v;
    timerfd_settime(t, 0, &it, NULL);
    ep_add(c, t);
    while (read(t, &v, sizeof v) != sizeof v)
        co_yield();
    close(t);
}

/* ----------------------------------------------------------- stream I/O */

void cn_close(struct conn *c)
{
    if (c->ssl) {
        SSL_set_quiet_shutdown(c->ssl, 1);
        SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
    }
    if (c->fd >= 0)
        close(c->fd);
    c->ssl = NULL;
    c->fd = -1;
    c->rpos = c->rlen = 0;
}

bool fail(struct conn *c, const char *what, const char *detail)
{
    if (!c->err[0])
        snprintf(c->err, sizeof c->err, "%s: %.150s", what, detail ? detail : strerror(errno));
    return false;
}

/* never let our delayed ACK hold back a peer that leaves Nagle's algorithm on */
static void ack_now(struct conn *c)
{
    int one = 1;
    if (O.quickack)
        setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
}

bool cn_open(struct conn *c, int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    int one = 1;
    socklen_t sl = sizeof one;
    if (inet_pton(AF_INET, O.host, &a.sin_addr) != 1)
        die("--host wants an IPv4 address");
    cn_close(c);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return fail(c, "socket", NULL);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&a, sizeof a) && errno != EINPROGRESS)
        return fail(c, "connect", NULL);
    ep_add(c, c->fd);
    for (;;) {
        struct sockaddr_in peer;
        socklen_t pl = sizeof peer;
        co_yield();
        int e = 0;
        sl = sizeof e;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &sl);
        if (e)
            return errno = e, fail(c, "connect", NULL);
        if (!getpeername(c->fd, (struct sockaddr *)&peer, &pl))
            break;
    }
    if (O.tls) {
        c->ssl = SSL_new(tls);
        SSL_set_fd(c->ssl, c->fd);
        for (int r; (r = SSL_connect(c->ssl)) != 1; co_yield(), ack_now(c)) {
            int e = SSL_get_error(c->ssl, r);
            if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
                return fail(c, "TLS", ERR_reason_error_string(ERR_peek_last_error()));
        }
    }
    return true;
}

bool cn_write(struct conn *c, const char *b, size_t n)
{
    while (n) {
        ssize_t w;
        if (c->ssl) {
            w = SSL_write(c->ssl, b, n > 1 << 20 ? 1 << 20 : (int)n);
            if (w <= 0) {
                int e = SSL_get_error(c->ssl, (int)w);
                if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
                    return fail(c, "TLS write", NULL);
                co_yield();
                continue;
            }
        } else if ((w = send(c->fd, b, n, MSG_NOSIGNAL)) < 0) {
            if (errno != EAGAIN && errno != EINTR)
                return fail(c, "write", NULL);
            co_yield();
            continue;
        }
        b += w;
        n -= w;
    }
    return true;
}

bool cn_printf(struct conn *c, const char *fmt, ...)
{
    char b[8192];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(b, sizeof b, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof b)
        die("command too long");
    if (O.verbose)
        fprintf(stderr, "[%d] C: %s", c->id, b);
    return cn_write(c, b, n);
}

static bool cn_fill(struct conn *c) /* append at least one byte to the buffer */
{
    if (c->rpos == c->rlen)
        c->rpos = c->rlen = 0;
    if (c->rlen == c->rcap && c->rpos) {
        memmove(c->rbuf, c->rbuf + c->rpos, c->rlen - c->rpos);
        c->rlen -= c->rpos;
        c->rpos = 0;
    }
    if (c->rlen == c->rcap) {
        c->rcap = c->rcap ? c->rcap * 2 : 16384;
        if (!(c->rbuf = realloc(c->rbuf, c->rcap + 1)))
            die("out of memory");
    }
    for (;;) {
        ssize_t r;
        size_t room = c->rcap - c->rlen;
        if (c->ssl) {
            r = SSL_read(c->ssl, c->rbuf + c->rlen, room > 1 << 30 ? 1 << 30 : (int)room);
            if (r <= 0) {
                int e = SSL_get_error(c->ssl, (int)r);
                if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
                    return fail(c, "TLS read", "closed");
                co_yield();
                ack_now(c);
                continue;
            }
        } else if ((r = recv(c->fd, c->rbuf + c->rlen, room, 0)) <= 0) {
            if (r == 0)
                return fail(c, "read", "connection closed");
            if (errno != EAGAIN && errno != EINTR)
                return fail(c, "read", NULL);
            co_yield();
            continue;
        }
        c->rlen += r;
        c->in_bytes += r;
        ack_now(c);
        if (c->rlen == c->rcap && c->rcap < 256 * 1024) { /* busy stream: read in bigger pieces */
            c->rcap *= 2;
            if (!(c->rbuf = realloc(c->rbuf, c->rcap + 1)))
                die("out of memory");
        }
        return true;
    }
}

char *cn_line(struct conn *c, size_t *len) /* valid until the next cn_ call */
{
    size_t from = 0;
    for (;;) {
        char *s = c->rbuf + c->rpos, *nl = NULL;
        if (c->rlen - c->rpos > from)
            nl = memchr(s + from, '\n', c->rlen - c->rpos - from);
        if (nl) {
            size_t n = nl - s;
            c->rpos += n + 1;
            if (n && s[n - 1] == '\r')
                n--;
            s[n] = 0;
            if (len)
                *len = n;
            if (O.verbose)
                fprintf(stderr, "[%d] S: %.300s\n", c->id, s);
            return s;
        }
        from = c->rlen - c->rpos;
        if (!cn_fill(c))
            return NULL;
    }
}

bool cn_skip(struct conn *c, uint64_t n)
{
    for (;;) {
        size_t have = c->rlen - c->rpos;
        if (have >= n) {
            c->rpos += n;
            return true;
        }
        n -= have;
        c->rpos = c->rlen;
        if (!cn_fill(c))
            return false;
    }
}

char *cn_take(struct conn *c, uint64_t n) /* n bytes, malloc'd, NUL added */
{
    char *out = xalloc(n + 1);
    for (uint64_t got = 0; got < n;) {
        size_t have = c->rlen - c->rpos;
        if (have > n - got)
            have = n - got;
        memcpy(out + got, c->rbuf + c->rpos, have);
        got += have;
        c->rpos += have;
        if (got < n && !cn_fill(c)) {
            free(out);
            return NULL;
        }
    }
    return out;
}
