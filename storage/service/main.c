/* stored: the store service of one shard.  Started by the monitor with its control
 * socket as descriptor 3 and nothing else; what it is and what it needs come as
 * messages (common/worker/control_proto.h).  It opens its shard when `start` comes,
 * after it has locked itself into the shard's folder.
 *
 * With arguments it is a tool that proves a folder which nobody serves (offline.h). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf/settings.h"
#include "common/util/fd.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/helper.h"
#include "common/worker/sandbox.h"
#include "storage/service/index.h"
#include "storage/service/convert.h"
#include "storage/service/offline.h"
#include "storage/service/push.h"
#include "storage/service/queue.h"
#include "storage/service/service.h"

/* A socket that came before `start`. */
struct early {
	struct list		node;
	struct control_peer	peer;
	int			fd;
};

struct stored {
	struct loop		*loop;
	struct helper		 helper;
	struct loop_signal	*term;
	struct control_hello	 hello;
	struct mansio_conf	*conf;
	struct ticket_keys	 keys;
	struct list		 early;
	int			 authd_fd, indexd_fd, outd_fd, submit_fd;
	struct service		*svc;
	char			*boot_id;	/* read before the file is out of sight */
};

static void
on_term(void *arg)
{
	helper_end(&((struct stored *)arg)->helper, 0);
}

static void
on_fatal(void *arg)
{
	helper_end(&((struct stored *)arg)->helper, 1);
}

static void
add_folders(const struct conf_folders *folders, struct buf *out)
{
	for (size_t i = 0; i < folders->n; i++) {
		enum mailbox_role role = MAILBOX_ROLE_NONE;
		struct op_default_mailbox m = { .path = span_str(folders->v[i].name),
		    .subscribed = true };

		mailbox_role_parse(span_str(folders->v[i].role), &role);
		m.role = (uint8_t)role;
		put_op_default_mailbox(out, &m);
	}
}

static void
add_retention(const struct conf_retention *r, struct service_conf *cf)
{
	cf->retention_s[MAILBOX_ROLE_INBOX] = r->inbox_s;
	cf->retention_s[MAILBOX_ROLE_DRAFTS] = r->drafts_s;
	cf->retention_s[MAILBOX_ROLE_SENT] = r->sent_s;
	cf->retention_s[MAILBOX_ROLE_ARCHIVE] = r->archive_s;
	cf->retention_s[MAILBOX_ROLE_JUNK] = r->junk_s;
	cf->retention_s[MAILBOX_ROLE_TRASH] = r->trash_s;
	for (size_t i = 0; i < r->mailboxes.n; i++) {
		const char *path;
		uint32_t seconds;

		if (!conf_retention_entry(r->mailboxes.v[i], &seconds, &path))
			continue;	/* refused when it was read */
		put_u32(&cf->retention_paths, seconds);
		put_span(&cf->retention_paths, span_str(path));
	}
}

static void
fill_conf(const struct stored *sd, struct service_conf *cf)
{
	const struct conf_store *s = &sd->conf->store;

	service_conf_init(cf);
	cf->shard = sd->hello.shard;
	cf->engine = (enum engine_kind)s->engine;
	cf->boot_id = sd->boot_id != NULL ? sd->boot_id : "";
	cf->segment_bytes = (uint32_t)s->segment_bytes;
	cf->cache_bytes = s->cache_bytes;
	cf->checkpoint_bytes = (uint32_t)s->checkpoint_bytes;
	cf->checkpoint_s = s->checkpoint_time_s;
	cf->min_free_bytes = s->min_free_bytes;
	cf->tick_bytes = s->tick_bytes;
	cf->account_tick_bytes = s->account_tick_bytes;
	cf->whole_messages = s->whole_messages;
	cf->readers = s->readers;
	cf->index_wait_s = sd->conf->indexd.timeout_s;
	cf->extracts = sd->conf->indexd.extractors.n > 0;
	cf->undelete_s = s->undelete_time_s;
	cf->history_s = s->history_time_s;
	cf->fsck_share = s->fsck_share;
	cf->fsck_body_bytes = s->fsck_body_rate_bytes;
	cf->copies = s->copies;
	cf->reclaim_share = s->reclaim_share;
	cf->reclaim_rate = s->reclaim_rate_bytes;
	cf->copy_time_s = s->copy_time_s;
	cf->copy_hour = s->copy_hour;
	cf->copy_journal_bytes = s->copy_journal_bytes;
	cf->undelete_max_bytes = s->undelete_max_bytes;
	cf->history_max = s->history_max;
	cf->recount_s = s->recount_time_s;
	cf->compact_s = s->compact_time_s;
	cf->compact_share = s->compact_share;
	cf->staged_s = s->staged_time_s;
	cf->upload_s = s->upload_time_s;
	cf->upload_bytes = s->upload_max_bytes;
	cf->uploads = s->uploads;
	cf->scripts = sd->conf->sieve.max_scripts;
	cf->script_bytes = sd->conf->sieve.max_script_bytes;
	cf->scripts_bytes = sd->conf->sieve.max_scripts_total_bytes;
	cf->sieve_keys = s->sieve_keys;
	cf->queue_max = s->queue_max;
	cf->queue_bytes = s->queue_size_bytes;
	cf->queue_flights = 2 * sd->conf->outgoing.connections;
	cf->queue_retry_s = sd->conf->outgoing.retry_time_s;
	cf->queue_retry_max_s = sd->conf->outgoing.retry_max_time_s;
	cf->redirect_expiry_s = sd->conf->outgoing.expiry_s;
	cf->answer_expiry_s = sd->conf->outgoing.answer_expiry_s;
	cf->queue_account_day = sd->conf->outgoing.account_day;
	add_retention(&sd->conf->retention, cf);
	cf->push_max = conf_pushes(sd->conf) ? sd->conf->push.subscriptions : 0;
	cf->push_expiry_s = sd->conf->push.expiry_s;
	cf->push_interval_s = sd->conf->push.interval_s;
	cf->quota_bytes = sd->conf->quota.storage_bytes;
	cf->quota_messages = sd->conf->quota.messages;
	cf->quota_mailboxes = sd->conf->quota.mailboxes;
	cf->quota_warn[0] = (uint8_t)sd->conf->quota.warn;
	cf->quota_warn[1] = (uint8_t)sd->conf->quota.warn_again;
	buf_clear(&cf->folders);
	add_folders(&sd->conf->imap.default_folders, &cf->folders);
}

static unsigned
roles_of(const struct stored *sd, uint8_t program)
{
	bool system = sd->hello.shard == CONTROL_SHARD_SYSTEM;

	switch (program) {
	case PROGRAM_IMAPD: case PROGRAM_POP3D: case PROGRAM_JMAPD: case PROGRAM_SIEVED:
		return system ? 0 : STORE_ROLE_ACCESS;
	case PROGRAM_LMTPD:
		return system ? 0 : STORE_ROLE_DELIVER;
	case PROGRAM_AUTHD:
		return system ? STORE_ROLE_DIRECTORY : 0;
	case PROGRAM_ADMIND:
		return system ? STORE_ROLE_ADMIN | STORE_ROLE_DIRECTORY :
		    STORE_ROLE_ADMIN | STORE_ROLE_ACCESS | STORE_ROLE_DELIVER;
	default:
		return 0;
	}
}

static void
add_peer(struct stored *sd, const struct control_peer *p, int fd)
{
	unsigned roles = roles_of(sd, p->program);

	if (roles == 0) {
		LOG(NULL, ERROR, "store.peer", KV_STR("program",
		    program_name((enum program)p->program)), KV_STR("why", "has no role here"));
		close(fd);
		return;
	}
	service_peer(sd->svc, fd, roles, program_name((enum program)p->program), p->slot,
	    p->generation);
}

static void
take_peer(struct stored *sd, const struct control_peer *p, int fd)
{
	struct early *e;

	if (sd->svc != NULL) {
		add_peer(sd, p, fd);
		return;
	}
	e = mem_zalloc(sizeof(*e));
	e->peer = *p;
	e->fd = fd;
	list_push_back(&sd->early, &e->node);
}

static void
take_early(struct stored *sd)
{
	while (!list_empty(&sd->early)) {
		struct early *e = list_entry(sd->early.next, struct early, node);

		list_remove(&e->node);
		if (sd->svc != NULL)
			add_peer(sd, &e->peer, e->fd);
		else
			close(e->fd);
		mem_free(&e);
	}
}

static void
replace_indexd(void *arg)
{
	ipc_note(((struct stored *)arg)->helper.control, 0, CONTROL_REPLACE_INDEXD, NULL);
}

static void
take_indexd(struct stored *sd, int fd)
{
	if (sd->svc != NULL) {
		service_indexd(sd->svc, fd, replace_indexd, sd);
	} else {
		fd_close(&sd->indexd_fd);
		sd->indexd_fd = fd;
	}
}

static void
take_server(struct stored *sd, const struct control_server *s, int fd)
{
	if (s->program == PROGRAM_INDEXD) {
		take_indexd(sd, fd);
	} else if (s->program == PROGRAM_OUTD && sd->svc != NULL) {
		service_outd(sd->svc, fd);
	} else if (s->program == PROGRAM_OUTD) {
		fd_close(&sd->outd_fd);
		sd->outd_fd = fd;
	} else if (s->program == PROGRAM_OUTD_SUBMIT && sd->svc != NULL) {
		service_outd_submit(sd->svc, fd);
	} else if (s->program == PROGRAM_OUTD_SUBMIT) {
		fd_close(&sd->submit_fd);
		sd->submit_fd = fd;
	} else if (s->program != PROGRAM_AUTHD) {
		close(fd);
	} else if (sd->svc != NULL) {
		service_authd(sd->svc, fd);
	} else {
		fd_close(&sd->authd_fd);
		sd->authd_fd = fd;
	}
}

static void
on_configured(void *arg, struct mansio_conf *fresh)
{
	struct stored *sd = arg;
	struct service_conf cf;

	conf_free(&sd->conf);
	sd->conf = fresh;
	if (sd->svc == NULL)
		return;
	fill_conf(sd, &cf);
	service_configure(sd->svc, &cf);
	service_conf_fini(&cf);
}

static void
take_key(struct stored *sd, const struct control_ticket_key *k)
{
	struct ticket_key key = { .number = k->number };

	memcpy(key.key, k->key.p, sizeof(key.key));
	ticket_keys_rotate(&sd->keys, &key);
	if (sd->svc != NULL)
		service_ticket_key(sd->svc, &key);
	mem_wipe(&key, sizeof(key));
}

static bool
make_folder(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return true;
	LOG(NULL, FATAL, "store.folder", KV_STR("path", path), KV_ERRNO(errno));
	return false;
}

static bool
open_shard(struct stored *sd)
{
	struct service_conf cf;
	struct buf path = { 0 };
	const char *dir;
	bool ok;

	conf_shard_path(sd->conf, sd->hello.shard, &path);
	dir = buf_cstr(&path);
	fill_conf(sd, &cf);
	ok = make_folder(dir) && sandbox_apply(SANDBOX_STORED, &dir, 1) &&
	    service_open(sd->loop, &cf, dir, on_fatal, sd, &sd->svc) == ST_OK;
	service_conf_fini(&cf);
	buf_fini(&path);
	return ok;
}

static void
on_start(void *arg)
{
	struct stored *sd = arg;

	if (sd->svc != NULL)
		return;
	if (sd->conf == NULL || !open_shard(sd)) {
		LOG(NULL, FATAL, "store.start", KV_UINT("shard", sd->hello.shard), KV_STR("why",
		    sd->conf == NULL ? "no configuration came" : "the shard cannot be opened"));
		helper_end(&sd->helper, 1);
		return;
	}
	/* In this order: the one before last was in force as well. */
	if (sd->keys.before.number != 0)
		service_ticket_key(sd->svc, &sd->keys.before);
	service_ticket_key(sd->svc, &sd->keys.now);
	mem_wipe(&sd->keys, sizeof(sd->keys));
	if (sd->authd_fd >= 0)
		service_authd(sd->svc, sd->authd_fd);
	sd->authd_fd = -1;
	if (sd->indexd_fd >= 0)
		service_indexd(sd->svc, sd->indexd_fd, replace_indexd, sd);
	sd->indexd_fd = -1;
	if (sd->outd_fd >= 0)
		service_outd(sd->svc, sd->outd_fd);
	sd->outd_fd = -1;
	if (sd->submit_fd >= 0)
		service_outd_submit(sd->svc, sd->submit_fd);
	sd->submit_fd = -1;
	take_early(sd);
	helper_ready(&sd->helper);
}

static void
on_status(void *arg, struct buf *lines)
{
	struct stored *sd = arg;

	if (sd->svc != NULL)
		service_stats(sd->svc, lines);
}

static bool
on_message(void *arg, uint16_t no, const void *msg, int fd)
{
	struct stored *sd = arg;

	switch (no) {
	case CONTROL_HELLO:
		sd->hello = *(const struct control_hello *)msg;
		return true;
	case CONTROL_TICKET_KEY:
		take_key(sd, msg);
		return true;
	case CONTROL_PEER:
		take_peer(sd, msg, fd);
		return true;
	case CONTROL_SERVER:
		take_server(sd, msg, fd);
		return true;
	default:
		return false;
	}
}

static const struct helper_ops ops = {
	.configured = on_configured, .message = on_message, .start = on_start, .status = on_status,
	.orphaned = 1
};

int
main(int argc, char **argv)
{
	struct stored sd = { .authd_fd = -1, .indexd_fd = -1, .outd_fd = -1, .submit_fd = -1 };
	size_t boot_id_len;

	log_init("stored");
	if (argc > 1 && strcmp(argv[1], "--convert") == 0)
		return convert_main(argc, argv);
	if (argc > 1)
		return offline_main(argc, argv);
	mem_keep_blocks();
	control_child_signals();
	list_init(&sd.early);
	(void)fd_slurp_path(ENGINE_BOOT_ID, 128, &sd.boot_id, &boot_id_len);
	sd.loop = loop_new();
	sd.term = loop_signal_new(sd.loop, SIGTERM, on_term, &sd);
	helper_open(&sd.helper, sd.loop, &ops, &sd);
	loop_run(sd.loop);

	service_close(&sd.svc);
	take_early(&sd);
	fd_close(&sd.authd_fd);
	fd_close(&sd.indexd_fd);
	fd_close(&sd.outd_fd);
	fd_close(&sd.submit_fd);
	helper_close(&sd.helper);
	loop_signal_free(&sd.term);
	conf_free(&sd.conf);
	mem_free(&sd.boot_id);
	loop_free(&sd.loop);
	return sd.helper.code;
}
