/* POP3. */
#define _GNU_SOURCE
#include "mailload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static char *pop3_cmd(struct conn *c, const char *cmd, const char *arg)
{
    char *l;
    if (cmd && !cn_printf(c, arg ? "%s %s\r\n" : "%s\r\n", cmd, arg))
        return NULL;
    if (!(l = cn_line(c, NULL)))
        return NULL;
    if (l[0] != '+') {
        fail(c, "POP3", l);
        return NULL;
    }
    return l;
}

static bool pop3_body(struct conn *c)
{
    for (;;) {
        size_t n;
        char *l = cn_line(c, &n);
        if (!l)
            return false;
        if (n == 1 && l[0] == '.')
            return true;
    }
}

/* One RETR after the other. */
static bool pop3_retr(struct conn *c, long n)
{
    char arg[32];
    for (long i = 1; i <= n; i++) {
        snprintf(arg, sizeof arg, "%ld", i);
        if (!pop3_cmd(c, "RETR", arg) || !pop3_body(c))
            return false;
    }
    return true;
}

/* RFC 2449 6.6: POP3_AHEAD commands are under way; half of them are sent at a time. */
#define POP3_AHEAD 128
static bool pop3_retr_ahead(struct conn *c, long n)
{
    long sent = 0;
    for (long got = 0; got < n; got++) {
        if (sent < n && sent - got <= POP3_AHEAD / 2) {
            char cmds[POP3_AHEAD * 24], *p = cmds;
            for (; sent < n && sent - got < POP3_AHEAD; sent++)
                p += sprintf(p, "RETR %ld\r\n", sent + 1);
            if (!cn_printf(c, "%s", cmds))
                return false;
        }
        if (!pop3_cmd(c, NULL, NULL) || !pop3_body(c))
            return false;
    }
    return true;
}

static void pop3_sessions(struct conn *c, bool (*retr)(struct conn *c, long n))
{
    barrier(c);
    for (long k = 0; next_op(); k++) {
        uint64_t t = now_ns();
        char *l = NULL;
        long n = 0;
        bool ok = cn_open(c, O.p_pop3) && pop3_cmd(c, NULL, NULL) &&
                  pop3_cmd(c, "USER", user_name(user_of(c, k * O.conns))) &&
                  pop3_cmd(c, "PASS", O.pass) && (l = pop3_cmd(c, "STAT", NULL));
        if (ok)
            n = atol(l + 4);
        ok = ok && retr(c, n) && pop3_cmd(c, "QUIT", NULL);
        if (ok)
            op_done(t, n);
        else
            conn_error(c);
        cn_close(c);
        if (M.errors > 20)
            break;
    }
}

void w_pop3(struct conn *c)
{
    pop3_sessions(c, pop3_retr);
}

void w_pop3_pipe(struct conn *c)
{
    pop3_sessions(c, pop3_retr_ahead);
}

/* What this machine's loopback gives: the same client against a child that answers RETR n
 * with as many octets as the server's message n has, out of memory, and does nothing else:
 * wait, read, write, as any server that waits for more than one connection must. */
static void echo_answer(int fd, const char *cmd, char *octets, const uint32_t *sizes, long n)
{
    long i = strncmp(cmd, "RETR ", 5) ? 0 : atol(cmd + 5);
    if (i < 1 || i > n) {
        char line[64];
        int len = snprintf(line, sizeof line, "+OK %ld 0\r\n", n);
        if (send(fd, line, (size_t)len, MSG_NOSIGNAL) < 0)
            _exit(1);
        return;
    }
    char keep[5], *end = octets + 20 + sizes[i - 1];
    memcpy(keep, end, 5);
    memcpy(end, "\r\n.\r\n", 5);
    for (char *p = octets; p < end + 5;) {
        ssize_t w = send(fd, p, (size_t)(end + 5 - p), MSG_NOSIGNAL);
        if (w < 0 && errno != EINTR)
            _exit(1);
        p += w > 0 ? w : 0;
    }
    memcpy(end, keep, 5);
}

static void echo_serve(int lfd, const uint32_t *sizes, long n)
{
    uint32_t max = 0;
    for (long i = 0; i < n; i++)
        max = sizes[i] > max ? sizes[i] : max;
    char *octets = xalloc(max + 64), in[4096];
    for (uint32_t k = 0; k < max + 60; k++)
        octets[k] = k % 76 == 74 ? '\r' : k % 76 == 75 ? '\n' : 'x';
    memcpy(octets, "+OK\r\n", 5);
    for (;;) {
        int fd = accept(lfd, NULL, NULL), one = 1, ep = epoll_create1(0);
        struct epoll_event e = { .events = EPOLLIN };
        ssize_t r;
        if (fd < 0 || ep < 0)
            _exit(1);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
        echo_answer(fd, "", octets, sizes, n);
        while (epoll_wait(ep, &e, 1, -1) >= 0 && (r = recv(fd, in, sizeof in - 1, 0)) > 0) {
            in[r] = 0;
            echo_answer(fd, in, octets, sizes, n);
        }
        close(ep);
        close(fd);
    }
}

static uint32_t *pop3_sizes(struct conn *c, long *n)
{
    char *l;
    if (!cn_open(c, O.p_pop3) || !pop3_cmd(c, NULL, NULL) ||
        !pop3_cmd(c, "USER", user_name(user_of(c, 0))) || !pop3_cmd(c, "PASS", O.pass) ||
        !(l = pop3_cmd(c, "STAT", NULL)))
        die("the sizes of the messages could not be asked: %s", c->err);
    *n = atol(l + 4);
    uint32_t *sizes = xalloc(sizeof *sizes * (size_t)*n);
    if (!pop3_cmd(c, "LIST", NULL))
        die("LIST: %s", c->err);
    for (long i = 0, k; i <= *n; i++) {
        unsigned size;
        if (!(l = cn_line(c, NULL)))
            die("LIST: %s", c->err);
        if (sscanf(l, "%ld %u", &k, &size) == 2 && k == i + 1 && i < *n)
            sizes[i] = size;
    }
    if (!pop3_cmd(c, "QUIT", NULL))
        die("QUIT: %s", c->err);
    cn_close(c);
    return sizes;
}

void w_pop3_echo(struct conn *c)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    long n;
    uint32_t *sizes = pop3_sizes(c, &n);
    int lfd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (O.conns != 1 || lfd < 0 || bind(lfd, (void *)&a, sizeof a) || listen(lfd, 1) ||
        getsockname(lfd, (void *)&a, &len) || (O.pid = fork()) < 0)
        die("pop3-echo: one connection, and a free port: %s", strerror(errno));
    if (O.pid == 0) {
        cpu_set_t cpu;
        CPU_ZERO(&cpu);
        CPU_SET(O.echo_cpu < 0 ? 0 : (unsigned)O.echo_cpu, &cpu);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (O.echo_cpu >= 0 && sched_setaffinity(0, sizeof cpu, &cpu))
            die("--echo-cpu: %s", strerror(errno));
        echo_serve(lfd, sizes, n);
    }
    close(lfd);
    O.host = "127.0.0.1";
    O.p_pop3 = ntohs(a.sin_port);
    pop3_sessions(c, pop3_retr);
}
