/* X-Forwarded-For, -Proto, -Host and Forwarded (RFC 7239), believed of those alone whom the
 * configuration lists: each proxy adds the peer it saw at the end, so the last address that is not a
 * proxy of ours is the client's. */
#include "common/http/priv.h"

#include <stdio.h>

/* "192.0.2.1", "192.0.2.1:4711", "[2001:db8::1]:4711", with quotes or without. */
static bool
parse_node(struct span s, struct net_ip *ip)
{
	if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
		s = span_sub(s, 1, s.len - 2);
	if (span_has_prefix(s, "["))
		return net_ip_parse(span_sub(s, 1, span_find(s, ']') - 1), ip);
	if (net_ip_parse(s, ip))
		return true;
	return net_ip_parse(span_sub(s, 0, span_find(s, ':')), ip);
}

struct client {
	struct http_request	*rq;
	bool			known;
	struct net_ip		ip;
	struct span		proto, host;
};

static void
take_node(struct client *cl, struct span node)
{
	const struct http_conf *conf = cl->rq->c->srv->conf;
	struct net_ip ip;

	if (!parse_node(node, &ip)) {
		cl->known = false;		/* "unknown": who it was nobody says */
	} else if (!cidr_match_any(conf->proxies, conf->n_proxies, &ip)) {
		cl->known = true;
		cl->ip = ip;
	}
}

static struct span
unquoted(struct span s)
{
	return s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"' ? span_sub(s, 1, s.len - 2) : s;
}

/* for=...;proto=...;host=... */
static void
take_element(struct client *cl, struct span element)
{
	while (element.p != NULL && element.len > 0) {
		struct span value = span_trim(span_cut(&element, ';')), name = span_cut(&value, '=');

		if (value.p == NULL)
			continue;
		if (span_caseeq_str(name, "for"))
			take_node(cl, value);
		else if (span_caseeq_str(name, "proto"))
			cl->proto = unquoted(value);
		else if (span_caseeq_str(name, "host"))
			cl->host = unquoted(value);
	}
}

static void
take_field(struct client *cl, const struct http_field *f)
{
	struct span list = f->value, one;

	if (span_caseeq_str(f->name, "X-Forwarded-For")) {
		while (http_list_next(&list, &one))
			take_node(cl, one);
	} else if (span_caseeq_str(f->name, "Forwarded")) {
		while (http_list_next(&list, &one))
			take_element(cl, one);
	} else if (span_caseeq_str(f->name, "X-Forwarded-Proto")) {
		cl->proto = f->value;
	} else if (span_caseeq_str(f->name, "X-Forwarded-Host")) {
		cl->host = f->value;
	}
}

static bool
good_host(struct span host)
{
	for (size_t i = 0; i < host.len; i++)
		if (!ascii_isalnum(host.p[i]) && (host.p[i] == '\0' ||
		    strchr("-._~:[]", host.p[i]) == NULL))
			return false;
	return host.len > 0;
}

void
http_forwarded(struct http_request *rq)
{
	const struct http_conf *conf = rq->c->srv->conf;
	struct client cl = { .rq = rq };

	if (!cidr_match_any(conf->proxies, conf->n_proxies, &rq->c->ip))
		return;
	for (size_t i = 0; i < rq->n_fields; i++)
		take_field(&cl, &rq->fields[i]);
	if (cl.known)
		net_ip_print(&cl.ip, rq->peer);
	if (cl.proto.len > 0)
		rq->encrypted = span_caseeq_str(cl.proto, "https");
	if (good_host(cl.host))
		rq->host = cl.host;
}
