/* The messages that are sent, and who gets them. */
#define _GNU_SOURCE
#include "mailload.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static struct msg *corpus;
static size_t ncorpus;

static int cmp_s(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

void load_corpus(void)
{
    char **names = NULL;
    size_t n = 0, cap = 0;
    DIR *d = O.corpus ? opendir(O.corpus) : NULL;
    if (!d)
        die("--corpus DIR with .eml files is needed for this workload");
    for (struct dirent *e; (e = readdir(d));) {
        size_t l = strlen(e->d_name);
        if (l < 5 || strcmp(e->d_name + l - 4, ".eml"))
            continue;
        if (n == cap)
            names = realloc(names, (cap = cap ? cap * 2 : 1024) * sizeof *names);
        names[n++] = strdup(e->d_name);
    }
    closedir(d);
    qsort(names, n, sizeof *names, cmp_s);
    corpus = xalloc(n * sizeof *corpus);
    for (size_t i = 0; i < n; i++) {
        char path[4096];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", O.corpus, names[i]);
        int fd = open(path, O_RDONLY);
        if (fd < 0 || fstat(fd, &st) || st.st_size == 0 ||
            (O.size && (st.st_size < O.size * 3 / 4 || st.st_size > O.size * 5 / 4))) {
            if (fd >= 0)
                close(fd);
            continue;
        }
        struct msg *m = &corpus[ncorpus++];
        m->b = xalloc(st.st_size);
        m->n = read(fd, m->b, st.st_size);
        close(fd);
    }
    if (!ncorpus)
        die("no usable .eml file in the corpus");
}

/* Message number i: the corpus cyclically, each copy made unique: a first header
 * X-Load-Id, and from the second cycle on a suffix in the ids of Message-ID,
 * References and In-Reply-To, so neither de-duplication nor threading merges copies. */
static struct msg build_msg(long i)
{
    struct msg *m = &corpus[i % ncorpus], o;
    long cycle = i / (long)ncorpus;
    char suf[64];
    int ns = snprintf(suf, sizeof suf, ".c%ld.%ld", O.tag, cycle);
    o.b = malloc(m->n + 128 + (cycle || O.tag ? m->n * 4 : 0));
    o.n = sprintf(o.b, "X-Load-Id: %ld.%ld\r\n", O.tag, i);
    if (cycle || O.tag) {
        size_t p = 0;
        bool in = false;
        while (p < m->n && !(m->b[p] == '\r' && p + 1 < m->n && m->b[p + 1] == '\n')) {
            char *nl = memchr(m->b + p, '\n', m->n - p);
            size_t e = nl ? (size_t)(nl - m->b) + 1 : m->n;
            if (m->b[p] != ' ' && m->b[p] != '\t')
                in = !strncasecmp(m->b + p, "Message-ID:", 11) ||
                     !strncasecmp(m->b + p, "References:", 11) ||
                     !strncasecmp(m->b + p, "In-Reply-To:", 12);
            for (; p < e; p++) {
                if (in && m->b[p] == '>' && o.n + ns < m->n * 3) {
                    memcpy(o.b + o.n, suf, ns);
                    o.n += ns;
                }
                o.b[o.n++] = m->b[p];
            }
        }
        memcpy(o.b + o.n, m->b + p, m->n - p);
        o.n += m->n - p;
    } else {
        memcpy(o.b + o.n, m->b, m->n);
        o.n += m->n;
    }
    return o;
}

struct msg next_msg(void)
{
    static long seq;
    return build_msg(seq++);
}

char *user_name(int u)
{
    static char b[4][256];
    static int k;
    char *r = b[k++ & 3];
    snprintf(r, 256, O.user, u); /* the pattern is the operator's own */
    return r;
}

int user_of(struct conn *c, long k) { return O.first_user + (int)((c->id + k) % O.users); }
