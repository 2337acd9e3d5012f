/* mailload.h: what its files share.  One thread: a connection is a coroutine that runs a
 * straight-line script of its protocol with I/O that looks as if it blocked. */
#ifndef MAILLOAD_H
#define MAILLOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <ucontext.h>

/* mailload.c */
struct options {
    const char *host, *user, *pass, *mailbox, *corpus, *query, *cmd, *label, *jmap;
    int p_imap, p_pop3, p_lmtp, p_http;
    int users, first_user, conns, size, changes, limit_n, echo_cpu;
    long ops;
    double secs, hard, settle;
    long tag;
    pid_t pid;
    bool tls, verbose, quickack;
};
extern struct options O;

void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void *xalloc(size_t n); /* zeroed; never NULL */
uint64_t now_ns(void);

/* proc.c: of the server's process tree, and of the machine */
struct mem { double rss, pss, uss; int procs; }; /* KiB */
double server_cpu(int *nproc);
double machine_cpu(void);
struct mem server_mem(void);

/* conn.c: coroutines */
struct conn {
    ucontext_t ctx;
    void (*fn)(struct conn *);
    int id, user, fd, seq;
    bool done, dead, wake;
    SSL *ssl;
    char *rbuf;
    size_t rpos, rlen, rcap;
    uint64_t in_bytes;
    char err[200];
};
extern struct conn *conns;
extern int epfd, live;
extern SSL_CTX *tls;
void co_start(struct conn *c, int id, void (*fn)(struct conn *));
void co_resume(struct conn *c);
void co_yield(void);
void co_sleep(struct conn *c, double s);
void poll_once(int ms);

/* conn.c: streams; false, NULL: c->err says why */
bool fail(struct conn *c, const char *what, const char *detail);
bool cn_open(struct conn *c, int port);
void cn_close(struct conn *c);
bool cn_write(struct conn *c, const char *b, size_t n);
bool cn_printf(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *cn_line(struct conn *c, size_t *len); /* valid until the next cn_ call */
bool cn_skip(struct conn *c, uint64_t n);
char *cn_take(struct conn *c, uint64_t n); /* n bytes, malloc'd, NUL added */

/* measure.c */
extern struct measured {
    uint64_t t0, t1, deadline;
    double cpu0, cpu1, gen0, gen1, all0, all1;
    long started, ops, errors, items;
    uint64_t bytes, bytes0;
    int waiting, finished;
    double *lat;
    size_t nlat, caplat;
    char first_err[200], extra[2048];
} M;
double gen_cpu(void);
void barrier(struct conn *c); /* all connections are set up: start the clock together */
void wake_waiters(void);
bool next_op(void);
void op_done(uint64_t t, long items);
void lat_add(uint64_t ns);
void conn_error(struct conn *c);
void dead(struct conn *c); /* setup failed: still take part in the barrier */
int cmp_d(const void *a, const void *b);
double pct(const double *v, size_t n, double p); /* v is sorted */
void extra(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void report(const char *mode);

/* corpus.c: messages and users */
struct msg { char *b; size_t n; };
void load_corpus(void);
struct msg next_msg(void); /* b: malloc'd */
char *user_name(int u);
int user_of(struct conn *c, long k);

/* imap.c */
struct res {
    long fetches, exists, hits, vanished;
    unsigned long uidvalidity, uidnext;
    unsigned long long modseq;
    bool cont, multiappend, literalp;
    char line[512];
};
extern const char *repeat_fmt;
extern long expect_items;
extern bool sync_by_fetch;
bool imap_wait(struct conn *c, const char *tag, struct res *r);
bool imap_cmd(struct conn *c, struct res *r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool imap_login(struct conn *c, int user);

/* lmtp.c */
extern uint64_t *dot_stamp; /* if set: gets the time just before the message text is written */
bool lmtp_open(struct conn *c);
bool lmtp_send(struct conn *c, int user, struct msg m);

/* jmap.c */
enum jmap_mode { J_GET, J_QUERY, J_SEARCH, J_CHANGES };
extern enum jmap_mode jmode;

/* the workloads */
void w_imap_login(struct conn *c);
void w_imap_append(struct conn *c);
void w_populate(struct conn *c);
void w_imap_repeat(struct conn *c);
void w_imap_store(struct conn *c);
void w_imap_select(struct conn *c);
void w_imap_sync(struct conn *c);
void w_lmtp(struct conn *c);
void w_pop3(struct conn *c);
void w_pop3_pipe(struct conn *c);
void w_pop3_echo(struct conn *c);
void w_jmap(struct conn *c);
void w_idle(struct conn *c);
void idle_main(void);

#endif
