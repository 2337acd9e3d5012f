/* idle-scale: sessions in IDLE, and what is delivered to them. */
#define _GNU_SOURCE
#include "mailload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t *dot_at;          /* per user: when the pending delivery's text went out */
static int *to_notify;            /* per user: notifications still to come */
static int idling, pending;
static bool idle_stop;
static double *lmtp_lat;

void w_idle(struct conn *c)
{
    struct res r;
    char tag[16];
    if (!imap_login(c, user_of(c, 0)) || !imap_cmd(c, &r, "SELECT \"%s\"", O.mailbox))
        dead(c);
    snprintf(tag, sizeof tag, "a%d", ++c->seq);
    if (!c->dead && (!cn_printf(c, "%s IDLE\r\n", tag) || !imap_wait(c, tag, &r) || !r.cont))
        dead(c);
    idling++;
    while (!c->dead) {
        char *l = cn_line(c, NULL);
        int u = c->user - O.first_user;
        if (!l) {
            if (!idle_stop)
                conn_error(c);
            break;
        }
        if (strstr(l, " EXISTS") && to_notify[u] > 0) {
            lat_add(now_ns() - dot_at[u]);
            to_notify[u]--;
            pending--;
        }
    }
    cn_close(c);
}

static void idle_deliver(struct conn *c)
{
    if (!lmtp_open(c)) {
        conn_error(c);
        return;
    }
    for (long k = 0; k < O.ops && (now_ns() - M.t0) / 1e9 < O.secs; k++) {
        int u = (int)(k % O.users);
        struct msg m = next_msg();
        bool ok;
        pending -= to_notify[u];
        to_notify[u] = O.conns / O.users + (u < O.conns % O.users);
        pending += to_notify[u];
        dot_stamp = &dot_at[u];
        ok = lmtp_send(c, O.first_user + u, m);
        lmtp_lat[M.ops] = (now_ns() - dot_at[u]) / 1e3;
        free(m.b);
        if (!ok) {
            conn_error(c);
            break;
        }
        M.ops++;
        for (int w = 0; w < 2500 && to_notify[u] > 0; w++) /* at most 5 s */
            co_sleep(c, 0.002);
        co_sleep(c, 0.01);
    }
    cn_close(c);
}

void idle_main(void)
{
    int K = O.conns, ok = 0;
    struct mem m0, m1, m2;
    struct conn *dl = xalloc(sizeof *dl);
    load_corpus();
    dot_at = xalloc(O.users * sizeof *dot_at);
    to_notify = xalloc(O.users * sizeof *to_notify);
    lmtp_lat = xalloc(O.ops * sizeof *lmtp_lat);
    m0 = server_mem();
    uint64_t t0 = now_ns();
    for (int i = 0; i < K;) { /* in groups of 50: listen queues are not what is measured */
        int g = i + 50 < K ? i + 50 : K;
        for (; i < g; i++) {
            co_start(&conns[i], i, w_idle);
            co_resume(&conns[i]);
        }
        while (idling < g)
            poll_once(1000);
    }
    double open_s = (now_ns() - t0) / 1e9, c0, quiet;
    usleep((useconds_t)(O.settle * 1e6));
    m1 = server_mem();
    for (int i = 0; i < K; i++)
        ok += !conns[i].dead;
    c0 = server_cpu(NULL); /* what idle sessions cost while nothing happens */
    sleep(5);
    quiet = server_cpu(NULL) - c0;
    M.cpu0 = server_cpu(NULL);
    M.gen0 = gen_cpu();
    M.all0 = machine_cpu();
    M.t0 = now_ns();
    co_start(dl, -1, idle_deliver);
    co_resume(dl);
    while (!dl->done)
        poll_once(1000);
    M.t1 = now_ns();
    M.all1 = machine_cpu();
    M.cpu1 = server_cpu(NULL);
    M.gen1 = gen_cpu();
    m2 = server_mem();
    qsort(lmtp_lat, M.ops, sizeof *lmtp_lat, cmp_d);
    M.items = M.nlat;
    extra(",\"idle_ok\":%d,\"open_secs\":%.2f,\"procs0\":%d,\"procs1\":%d,\"pss0_mb\":%.1f,\"pss1_mb\":%.1f,"
          "\"pss_per_conn_kb\":%.1f,\"uss_per_conn_kb\":%.1f,\"rss_per_conn_kb\":%.1f,\"pss_end_mb\":%.1f,"
          "\"idle_cpu_ms_per_s\":%.2f,\"missed\":%d,\"lmtp_p50_us\":%.0f,\"lmtp_p99_us\":%.0f",
          ok, open_s, m0.procs, m1.procs, m0.pss / 1024, m1.pss / 1024, (m1.pss - m0.pss) / K,
          (m1.uss - m0.uss) / K, (m1.rss - m0.rss) / K, m2.pss / 1024, quiet * 200, pending,
          pct(lmtp_lat, M.ops, .5), pct(lmtp_lat, M.ops, .99));
    idle_stop = true;
    for (int i = 0; i < K; i++)
        cn_close(&conns[i]);
}
