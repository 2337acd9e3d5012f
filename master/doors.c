/* The sockets that are listened on: bound here, kept over reloads, handed to who accepts. */
#include "master/monitor_priv.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "common/net/listener.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/admin_proto.h"

void
monitor_door_free(struct door *d)
{
	list_remove(&d->in);
	fd_close(&d->fd);
	mem_free(&d->name);
	mem_free(&d);
}

static struct door *
find_door(struct monitor *m, const char *name, const char *address)
{
	struct list *n, *tmp;

	list_each(n, tmp, &m->doors) {
		struct door *d = list_entry(n, struct door, in);

		if (strcmp(d->name, name) == 0 && strcmp(d->address, address) == 0)
			return d;
	}
	return NULL;
}

static void
socket_owner(const struct conf_listener *l, struct listener_opts *lo)
{
	struct passwd *pw = l->owner[0] != '\0' ? getpwnam(l->owner) : NULL;
	struct group *gr = l->group[0] != '\0' ? getgrnam(l->group) : NULL;

	lo->mode = (mode_t)l->mode;
	lo->uid = pw != NULL ? pw->pw_uid : (uid_t)-1;
	lo->gid = gr != NULL ? gr->gr_gid : (gid_t)-1;
}

bool
monitor_bind_doors(struct monitor *m, const struct mansio_conf *conf)
{
	struct list *n, *tmp;
	bool ok = true;

	for (size_t i = 0; i < conf->n_listeners && ok; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		for (size_t k = 0; k < l->bind.n && ok; k++) {
			struct listener_opts lo = { 0 };
			char address[NET_ADDR_STR];
			struct door *d;
			int fd;

			net_addr_print(&l->bind.v[k], address);
			if (find_door(m, l->head.name, address) != NULL)
				continue;
			socket_owner(l, &lo);
			ok = listener_bind(&l->bind.v[k], &lo, &fd);
			if (!ok) {
				LOG(NULL, ERROR, "listener.bind", KV_STR("listener", l->head.name),
				    KV_STR("address", address), KV_ERRNO(errno));
				break;
			}
			d = mem_zalloc(sizeof(*d));
			d->name = mem_strdup(l->head.name);
			memcpy(d->address, address, sizeof(address));
			d->fd = fd;
			d->fresh = true;
			list_push_back(&m->doors, &d->in);
		}
	}
	list_each(n, tmp, &m->doors) {
		struct door *d = list_entry(n, struct door, in);

		if (d->fresh && !ok)
			monitor_door_free(d);
	}
	return ok;
}

static bool
is_listed(const struct mansio_conf *conf, const struct door *d)
{
	const struct conf_listener *l = conf_listener_find(conf, d->name);

	for (size_t i = 0; l != NULL && i < l->bind.n; i++) {
		char address[NET_ADDR_STR];

		if (strcmp(net_addr_print(&l->bind.v[i], address), d->address) == 0)
			return true;
	}
	return false;
}

/* Who accepts from it, or hands it to those who do. */
static struct helper *
door_helper(const struct monitor *m, const struct door *d)
{
	const struct conf_listener *l = conf_listener_find(m->conf, d->name);

	return l != NULL && l->protocol == CONF_DOVECOT_AUTH ? m->authd : m->master;
}

static void
send_door(struct monitor *m, const struct door *d)
{
	struct control_listener l = { span_str(d->name), span_str(d->address) };

	child_send_fd(door_helper(m, d)->child, CONTROL_LISTENER, &l, d->fd);
}

/* Tells the master about new sockets and those that are gone.  A section with one
 * address gone is closed whole and the rest of it sent again. */
void
monitor_send_door_changes(struct monitor *m)
{
	struct list *n, *tmp, *k, *ktmp;

	list_each(n, tmp, &m->doors) {
		struct door *d = list_entry(n, struct door, in);
		struct control_listener_gone g = { span_str(d->name) };

		if (is_listed(m->conf, d))
			continue;
		child_send(m->master->child, CONTROL_LISTENER_GONE, &g);
		child_send(m->authd->child, CONTROL_LISTENER_GONE, &g);
		list_each(k, ktmp, &m->doors) {
			struct door *e = list_entry(k, struct door, in);

			if (strcmp(e->name, d->name) == 0)
				e->fresh = true;
		}
		d->fresh = false;
	}
	list_each(n, tmp, &m->doors) {
		struct door *d = list_entry(n, struct door, in);

		if (!is_listed(m->conf, d)) {
			LOG(NULL, INFO, "listener.closed", KV_STR("listener", d->name),
			    KV_STR("address", d->address));
			monitor_door_free(d);
		} else if (d->fresh) {
			d->fresh = false;
			send_door(m, d);
		}
	}
}

/* The socket of mansioctl: for root and the group alone.  Bound here, because admind's
 * user may not write in run-dir. */
bool
monitor_bind_admin(struct monitor *m)
{
	const struct conf_admin *a = &m->conf->admin;
	struct listener_opts lo = { .mode = 0660, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	struct net_addr *addr = &m->admin_addr;
	struct group *gr = NULL;

	if (m->root && (gr = getgrnam(a->group)) == NULL)
		LOG(NULL, WARN, "group.missing", KV_STR("group", a->group),
		    KV_STR("effect", "only root can use mansioctl"));
	else if (m->root)
		lo.gid = gr->gr_gid;
	errno = ENAMETOOLONG;
	addr->ip.family = NET_UNIX;
	if (strlen(a->socket) < sizeof(addr->path)) {
		memcpy(addr->path, a->socket, strlen(a->socket));
		if (listener_bind(addr, &lo, &m->admin_fd))
			return true;
	}
	LOG(NULL, FATAL, "admin.bind", KV_STR("path", a->socket), KV_ERRNO(errno));
	return false;
}

void
monitor_send_doors(struct helper *h)
{
	struct control_listener admin = { SPAN_LIT(ADMIN_LISTENER), span_str(h->m->admin_addr.path) };
	struct list *n, *tmp;

	list_each(n, tmp, &h->m->doors) {
		struct door *d = list_entry(n, struct door, in);

		if (door_helper(h->m, d) == h)
			send_door(h->m, d);
	}
	if (h->program == PROGRAM_ADMIND)
		child_send_fd(h->child, CONTROL_LISTENER, &admin, h->m->admin_fd);
}
