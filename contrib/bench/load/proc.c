/* The server's process tree: CPU and memory. */
#define _GNU_SOURCE
#include "mailload.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct proc { pid_t pid, ppid; double cpu; };

static int tree(struct proc *out, int max)
{
    int n = 0, keep = 0;
    struct proc *all = xalloc(sizeof *all * 65536);
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d)) && n < 65536;) {
        char path[64], buf[1024];
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        snprintf(path, sizeof path, "/proc/%.20s/stat", e->d_name);
        int fd = open(path, O_RDONLY);
        ssize_t r = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
        if (fd >= 0)
            close(fd);
        if (r <= 0)
            continue;
        buf[r] = 0;
        char *p = strrchr(buf, ')');
        long ut, st, cut, cst;
        int ppid;
        if (!p || sscanf(p + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld",
                         &ppid, &ut, &st, &cut, &cst) != 5)
            continue;
        all[n++] = (struct proc){ atoi(e->d_name), ppid,
                                  (double)(ut + st + cut + cst) / sysconf(_SC_CLK_TCK) };
    }
    if (d)
        closedir(d);
    for (int i = 0; i < n && keep < max; i++)
        if (all[i].pid == O.pid)
            out[keep++] = all[i];
    for (int k = 0; k < keep; k++) /* breadth first */
        for (int i = 0; i < n && keep < max; i++)
            if (all[i].ppid == out[k].pid)
                out[keep++] = all[i];
    free(all);
    return keep;
}

double server_cpu(int *nproc)
{
    static struct proc p[65536];
    double s = 0;
    int n = O.pid ? tree(p, 65536) : 0;
    for (int i = 0; i < n; i++)
        s += p[i].cpu;
    if (nproc)
        *nproc = n;
    return s;
}

/* CPU seconds the whole machine has been busy: what others used meanwhile is the noise of a run */
double machine_cpu(void)
{
    double u = 0, n = 0, y = 0, idle, io, irq = 0, soft = 0, steal = 0;
    FILE *f = fopen("/proc/stat", "r");
    if (f && fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &u, &n, &y, &idle, &io, &irq, &soft, &steal) != 8)
        u = n = y = irq = soft = steal = 0;
    if (f)
        fclose(f);
    return (u + n + y + irq + soft + steal) / sysconf(_SC_CLK_TCK);
}

struct mem server_mem(void)
{
    static struct proc p[65536];
    struct mem m = { 0 };
    m.procs = O.pid ? tree(p, 65536) : 0;
    for (int i = 0; i < m.procs; i++) {
        char path[64], line[256];
        long v;
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)p[i].pid);
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof line, f))
            if (sscanf(line, "Rss: %ld", &v) == 1)
                m.rss += v;
            else if (sscanf(line, "Pss: %ld", &v) == 1)
                m.pss += v;
            else if (sscanf(line, "Private_Clean: %ld", &v) == 1 ||
                     sscanf(line, "Private_Dirty: %ld", &v) == 1)
                m.uss += v;
        if (f)
            fclose(f);
    }
    return m;
}
