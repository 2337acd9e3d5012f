/* The clock, what is counted, and the report. */
#define _GNU_SOURCE
#include "mailload.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct measured M;

double gen_cpu(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void measure_begin(void)
{
    M.cpu0 = server_cpu(NULL);
    M.gen0 = gen_cpu();
    M.bytes0 = 0;
    for (int i = 0; i < O.conns; i++)
        M.bytes0 += conns[i].in_bytes;
    M.all0 = machine_cpu();
    M.t0 = now_ns();
    M.deadline = M.t0 + (uint64_t)(O.secs * 1e9);
}

void barrier(struct conn *c) /* all connections are set up: start the clock together */
{
    if (++M.waiting < O.conns) {
        while (M.waiting < O.conns)
            co_yield();
        return;
    }
    measure_begin();
    for (int i = 0; i < O.conns; i++) /* the main loop resumes the others */
        conns[i].wake = &conns[i] != c && !conns[i].done;
}

void wake_waiters(void)
{
    for (int i = 0; i < O.conns; i++)
        if (conns[i].wake) {
            conns[i].wake = false;
            co_resume(&conns[i]);
        }
}

bool next_op(void)
{
    if (M.started >= O.ops || (M.t0 && now_ns() >= M.deadline))
        return false;
    M.started++;
    return true;
}

void lat_add(uint64_t ns)
{
    if (M.nlat == M.caplat) {
        M.caplat = M.caplat ? M.caplat * 2 : 4096;
        M.lat = realloc(M.lat, M.caplat * sizeof *M.lat);
    }
    M.lat[M.nlat++] = ns / 1e3;
}

void op_done(uint64_t t, long items)
{
    M.t1 = now_ns();
    lat_add(M.t1 - t);
    M.ops++;
    M.items += items;
}

int cmp_d(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double pct(const double *v, size_t n, double p)
{
    return n ? v[(size_t)(p * (n - 1) + 0.5)] : 0;
}

void extra(const char *fmt, ...)
{
    size_t n = strlen(M.extra);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(M.extra + n, sizeof M.extra - n, fmt, ap);
    va_end(ap);
}

void report(const char *mode)
{
    double s = M.ops ? (M.t1 - M.t0) / 1e9 : 0, mean = 0, other, gen = M.gen1 - M.gen0, cpu = M.cpu1 - M.cpu0;
    if (s <= 0)
        s = 1e-9;
    other = O.pid && M.all1 > M.all0 ? (M.all1 - M.all0 - cpu - gen) / s : -1;
    qsort(M.lat, M.nlat, sizeof *M.lat, cmp_d);
    for (size_t i = 0; i < M.nlat; i++)
        mean += M.lat[i] / M.nlat;
    printf("{\"label\":\"%s\",\"workload\":\"%s\",\"tls\":%d,\"quickack\":%d,\"conns\":%d,\"ops\":%ld,\"errors\":%ld,"
           "\"secs\":%.3f,\"ops_per_s\":%.1f,\"items\":%ld,\"items_per_s\":%.1f,\"mb_per_s\":%.2f,"
           "\"p50_us\":%.0f,\"p95_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f,\"mean_us\":%.0f,"
           "\"server_cpu_s\":%.2f,\"server_cpu_us_per_op\":%.1f,\"server_cpu_us_per_item\":%.2f,"
           "\"gen_cpu_s\":%.2f,\"other_cpu\":%.2f%s}\n",
           O.label, mode, O.tls, O.quickack, O.conns, M.ops, M.errors, s, M.ops / s, M.items, M.items / s,
           M.bytes / s / 1e6, pct(M.lat, M.nlat, .5), pct(M.lat, M.nlat, .95),
           pct(M.lat, M.nlat, .99), M.nlat ? M.lat[M.nlat - 1] : 0, mean, cpu,
           M.ops ? cpu * 1e6 / M.ops : 0, M.items ? cpu * 1e6 / M.items : 0, gen, other, M.extra);
    if (M.errors)
        fprintf(stderr, "mailload: %ld errors, first: %s\n", M.errors, M.first_err);
}

void conn_error(struct conn *c)
{
    M.errors++;
    if (!M.first_err[0])
        snprintf(M.first_err, sizeof M.first_err, "%s", c->err);
    c->err[0] = 0;
}

void dead(struct conn *c) /* setup failed: still take part in the barrier */
{
    conn_error(c);
    c->dead = true;
    cn_close(c);
}
