/* JMAP over HTTP/1.1. */
#define _GNU_SOURCE
#include "mailload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char jmap_path[512], jmap_acct[256];

static void b64(const char *s, char *o)
{
    static const char t[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint8_t)s[i] << 16 | (i + 1 < n ? (uint8_t)s[i + 1] << 8 : 0) |
                     (i + 2 < n ? (uint8_t)s[i + 2] : 0);
        *o++ = t[v >> 18];
        *o++ = t[v >> 12 & 63];
        *o++ = i + 1 < n ? t[v >> 6 & 63] : '=';
        *o++ = i + 2 < n ? t[v & 63] : '=';
    }
    *o = 0;
}

/* one HTTP exchange; returns the body (malloc'd) and status, location in loc */
static char *http(struct conn *c, const char *method, const char *path, const char *body, int *status,
                  char *loc, size_t *blen)
{
    char cred[512], auth[700], hd[2048];
    snprintf(cred, sizeof cred, "%s:%s", user_name(c->user), O.pass);
    b64(cred, auth);
    size_t bl = body ? strlen(body) : 0;
    int hn = snprintf(hd, sizeof hd,
                      "%s %s HTTP/1.1\r\nHost: %s:%d\r\nAuthorization: Basic %s\r\n"
                      "Accept: application/json\r\n%s%sContent-Length: %zu\r\n\r\n",
                      method, path, O.host, O.p_http, auth,
                      body ? "Content-Type: application/json\r\n" : "", "", bl);
    char *req = xalloc(hn + bl + 1);
    memcpy(req, hd, hn);
    memcpy(req + hn, body ? body : "", bl);
    bool ok = cn_write(c, req, hn + bl);
    free(req);
    if (O.verbose)
        fprintf(stderr, "C: %.*s%s\n", hn, hd, body ? body : "");
    if (!ok)
        return NULL;
    int64_t clen = -1;
    bool chunked = false, close_after = false;
    char *l = cn_line(c, NULL), *out = NULL;
    size_t n = 0;
    if (!l || strncmp(l, "HTTP/1.", 7)) {
        fail(c, "HTTP", l ? l : "closed");
        return NULL;
    }
    *status = atoi(l + 9);
    while ((l = cn_line(c, NULL)) && *l) {
        if (!strncasecmp(l, "Content-Length:", 15))
            clen = atoll(l + 15);
        else if (!strncasecmp(l, "Transfer-Encoding:", 18) && strcasestr(l, "chunked"))
            chunked = true;
        else if (!strncasecmp(l, "Connection:", 11) && strcasestr(l, "close"))
            close_after = true;
        else if (loc && !strncasecmp(l, "Location:", 9))
            snprintf(loc, 512, "%s", l + 9 + strspn(l + 9, " "));
    }
    if (!l)
        return NULL;
    if (chunked) {
        out = xalloc(1);
        for (;;) {
            if (!(l = cn_line(c, NULL)))
                goto bad;
            size_t k = strtoul(l, NULL, 16);
            if (!k) {
                while ((l = cn_line(c, NULL)) && *l)
                    ;
                break;
            }
            char *part = cn_take(c, k);
            if (!part || !cn_line(c, NULL)) {
                free(part);
                goto bad;
            }
            out = realloc(out, n + k + 1);
            memcpy(out + n, part, k + 1);
            n += k;
            free(part);
        }
    } else {
        n = clen < 0 ? 0 : clen;
        if (!(out = cn_take(c, n)))
            return NULL;
    }
    if (close_after)
        cn_close(c);
    if (blen)
        *blen = n;
    if (O.verbose)
        fprintf(stderr, "S: %d %.2000s\n", *status, out);
    return out;
bad:
    free(out);
    return NULL;
}

/* value of the first "key":"..." in s */
static bool json_str(const char *s, const char *key, char *out, size_t cap)
{
    char k[128];
    snprintf(k, sizeof k, "\"%s\"", key);
    const char *p = s ? strstr(s, k) : NULL;
    if (!p)
        return false;
    p += strlen(k);
    p += strspn(p, " :");
    if (*p++ != '"')
        return false;
    size_t n = 0;
    while (*p && *p != '"' && n + 1 < cap) {
        if (*p == '\\' && p[1])
            p++;
        out[n++] = *p++;
    }
    out[n] = 0;
    return true;
}

static long count(const char *s, const char *what)
{
    long n = 0;
    for (size_t l = strlen(what); (s = strstr(s, what)); s += l)
        n++;
    return n;
}

static bool jmap_setup(struct conn *c)
{
    char path[512], loc[512] = "", url[512] = "";
    int st = 0;
    c->err[0] = 0;
    snprintf(path, sizeof path, "%s", O.jmap ? O.jmap : "/.well-known/jmap");
    for (int hop = 0; hop < 5; hop++) {
        if (c->fd < 0 && !cn_open(c, O.p_http))
            return false;
        char *b = http(c, "GET", path, NULL, &st, loc, NULL);
        if (!b)
            return false;
        if (st >= 300 && st < 400) {
            char *p = strstr(loc, "://");
            p = p ? strchr(p + 3, '/') : loc;
            snprintf(path, sizeof path, "%s", p ? p : "/");
            free(b);
            continue;
        }
        if (st != 200) {
            snprintf(c->err, sizeof c->err, "JMAP session: HTTP %d %.100s", st, b);
            free(b);
            return false;
        }
        char *prim = strstr(b, "\"primaryAccounts\"");
        bool ok = json_str(b, "apiUrl", url, sizeof url) &&
                  json_str(prim, "urn:ietf:params:jmap:mail", jmap_acct, sizeof jmap_acct);
        free(b);
        if (!ok)
            return fail(c, "JMAP session", "no apiUrl or account");
        char *p = strstr(url, "://");
        p = p ? strchr(p + 3, '/') : url;
        if (*p == '/')
            snprintf(jmap_path, sizeof jmap_path, "%s", p);
        else
            snprintf(jmap_path, sizeof jmap_path, "%.250s%.250s", path, p);
        return c->fd >= 0 || cn_open(c, O.p_http);
    }
    return fail(c, "JMAP session", "too many redirects");
}

static char *jmap_post(struct conn *c, const char *calls, size_t *n)
{
    char *b = xalloc(strlen(calls) + 200), *r;
    int st = 0;
    sprintf(b, "{\"using\":[\"urn:ietf:params:jmap:core\",\"urn:ietf:params:jmap:mail\"],"
               "\"methodCalls\":[%s]}", calls);
    if (c->fd < 0 && !cn_open(c, O.p_http))
        return NULL;
    r = http(c, "POST", jmap_path, b, &st, NULL, n);
    free(b);
    if (r && (st != 200 || strstr(r, "[\"error\"") || !strstr(r, "methodResponses"))) {
        snprintf(c->err, sizeof c->err, "JMAP: HTTP %d %.150s", st, r);
        free(r);
        return NULL;
    }
    return r;
}

#define LIST_PROPS "\"id\",\"blobId\",\"threadId\",\"mailboxIds\",\"keywords\",\"size\",\"receivedAt\"," \
                   "\"from\",\"to\",\"subject\",\"preview\",\"hasAttachment\""
enum jmap_mode jmode;

void w_jmap(struct conn *c)
{
    char calls[4096], state[256] = "";
    size_t n;
    c->user = user_of(c, 0);
    if (!jmap_setup(c))
        dead(c);
    if (!c->dead && jmode == J_CHANGES) { /* remember a state, then change --changes e-mails */
        snprintf(calls, sizeof calls,
                 "[\"Email/get\",{\"accountId\":\"%s\",\"ids\":[]},\"0\"],"
                 "[\"Email/query\",{\"accountId\":\"%s\",\"limit\":%d},\"1\"]", jmap_acct, jmap_acct, O.changes);
        char *r = jmap_post(c, calls, &n), *p, *up = xalloc(65536);
        if (!r || !json_str(r, "state", state, sizeof state)) {
            fail(c, "JMAP", "no state");
            dead(c);
        } else if ((p = strstr(strstr(r, "\"Email/query\""), "\"ids\""))) {
            int k = sprintf(up, "[\"Email/set\",{\"accountId\":\"%s\",\"update\":{", jmap_acct);
            char id[128];
            p = strchr(p, '[') + 1;
            for (int i = 0; *p && *p != ']'; i++) {
                p += strcspn(p, "\"]");
                if (*p != '"')
                    break;
                size_t l = strcspn(p + 1, "\"");
                snprintf(id, sizeof id, "%.*s", (int)l, p + 1);
                k += sprintf(up + k, "%s\"%s\":{\"keywords/$flagged\":true,\"keywords/load%ld\":true}", i ? "," : "",
                             id, (long)(now_ns() / 1000000 % 1000000));
                p += l + 2;
                p += strspn(p, ", ");
            }
            sprintf(up + k, "}},\"0\"]");
            free(r);
            if (!(r = jmap_post(c, up, &n)))
                dead(c);
        }
        free(r);
        free(up);
    }
    if (jmode == J_GET)
        snprintf(calls, sizeof calls,
                 "[\"Email/query\",{\"accountId\":\"%s\",\"sort\":[{\"property\":\"receivedAt\",\"isAscending\":false}],"
                 "\"limit\":%d},\"0\"],[\"Email/get\",{\"accountId\":\"%s\",\"#ids\":{\"resultOf\":\"0\","
                 "\"name\":\"Email/query\",\"path\":\"/ids\"},\"properties\":[" LIST_PROPS "]},\"1\"]",
                 jmap_acct, O.limit_n, jmap_acct);
    else if (jmode == J_CHANGES)
        snprintf(calls, sizeof calls, "[\"Email/changes\",{\"accountId\":\"%s\",\"sinceState\":\"%s\"},\"0\"],"
                 "[\"Email/get\",{\"accountId\":\"%s\",\"#ids\":{\"resultOf\":\"0\",\"name\":\"Email/changes\","
                 "\"path\":\"/updated\"},\"properties\":[\"id\",\"keywords\",\"mailboxIds\"]},\"1\"]",
                 jmap_acct, state, jmap_acct);
    else
        snprintf(calls, sizeof calls,
                 "[\"Email/query\",{\"accountId\":\"%s\",%s%s%s\"sort\":[{\"property\":\"receivedAt\","
                 "\"isAscending\":false}],\"limit\":%d},\"0\"]", jmap_acct,
                 jmode == J_SEARCH ? "\"filter\":{\"text\":\"" : "", jmode == J_SEARCH ? O.query : "",
                 jmode == J_SEARCH ? "\"}," : "", O.limit_n);
    barrier(c);
    while (!c->dead && next_op()) {
        uint64_t t = now_ns();
        char *r = jmap_post(c, calls, &n);
        if (!r) {
            conn_error(c);
            break;
        }
        op_done(t, jmode == J_GET ? count(r, "\"receivedAt\":") : jmode == J_CHANGES ? count(r, "\"keywords\":") : 1);
        free(r);
    }
    cn_close(c);
}
