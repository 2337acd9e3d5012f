/* check, run and trace: files are read first, then a child without any right looks into them. */
#include "ctl/sieve_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mime/charset.h"
#include "common/mime/date.h"
#include "common/transfer/transfer.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/sandbox.h"
#include "ctl/helper.h"
#include "ctl/output.h"
#include "ctl/sieve_priv.h"
#include "storage/api/store_sieve.h"

#define MESSAGE_MAX	(256u << 20)
#define MEMORY_MAX	(1024ul << 20)

/* What the child works with. */
struct job {
	struct ctl		*ctl;
	struct mansio_conf	*conf;
	struct sieve_conf	sieve;
	const char		*name;		/* of the script, in messages */
	char			*script;
	size_t			script_len;
	struct buf		message;
	const struct sieve_try	*t;
	struct sieve_world	world;
	struct json_writer	w;
	struct buf		out;
};

int
sieve_read_file(const char *path, size_t max, char **text, size_t *len)
{
	int fd = STDIN_FILENO, rc = CTL_OK;

	if (strcmp(path, "-") != 0 && (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return ctl_error("%s: %s", path, strerror(errno));
	if (!fd_slurp(fd, max, text, len))
		rc = ctl_error("%s: %s", path, errno == EFBIG ? "it is too large" : strerror(errno));
	if (fd != STDIN_FILENO)
		fd_close(&fd);
	return rc;
}

/* A user who may not read it all has the defaults. */
static void
job_init(struct job *j, struct ctl *ctl, const char *name)
{
	struct conf_errors err = { .count = 0 };

	*j = (struct job){ .ctl = ctl, .name = strcmp(name, "-") == 0 ? "script" : name };
	if (!conf_load(ctl->config, &j->conf, &err))
		j->conf = conf_new_default();
	conf_errors_fini(&err);
	sieve_conf_init(&j->sieve, j->conf, 0);
	j->world.options = &j->sieve.options;
	json_writer_init(&j->w, &j->out);
}

static void
job_fini(struct job *j)
{
	sieve_world_fini(&j->world);
	sieve_conf_fini(&j->sieve);
	conf_free(&j->conf);
	buf_fini(&j->message);
	buf_fini(&j->out);
	mem_free(&j->script);
}

/* ---- the child ---- */

static _Noreturn void
be_child(struct job *j, pid_t parent, int (*fn)(struct job *j))
{
	const struct sandbox_limits limits = { .memory_bytes = MEMORY_MAX };
	int rc;

	log_init("mansioctl-sieve");
	log_set_level(LOG_LEVEL_ERROR);
	mime_charset_preload();
	tzset();
	if (!helper_drop_rights(j->conf->users.index) || chdir("/") != 0 ||
	    !sandbox_prepare_child(parent, &limits) || !sandbox_apply(SANDBOX_WORKER, NULL, 0))
		_exit(CTL_FAILED);
	rc = fn(j);
	fflush(NULL);
	_exit(rc);
}

/* Its exit code. */
static int
in_child(struct job *j, int (*fn)(struct job *j))
{
	pid_t self = getpid(), pid;
	int status = 0;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		be_child(j, self, fn);
	if (pid < 0)
		return ctl_error("no process can be started: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
	    ctl_error("the process that reads the script ended unexpectedly");
}

static void
say_problems(const struct job *j, const struct sieve_problems *p)
{
	struct buf text = { 0 };

	sieve_problems_print(p, j->name, &text);
	if (text.len > 0)
		fwrite(text.data, 1, text.len, stderr);
	buf_fini(&text);
}

/* NULL: it has errors, which were said. */
static struct sieve_script *
compile(struct job *j, struct sieve_problems *p)
{
	struct sieve_script *s = sieve_compile(span(j->script, j->script_len), &j->sieve.options, p);

	if (!j->ctl->json)
		say_problems(j, p);
	return s;
}

static int
only_compile(struct job *j)
{
	struct sieve_problems p = { 0 };
	struct sieve_script *s = sieve_compile(span(j->script, j->script_len), &j->sieve.options, &p);
	int rc = s != NULL ? CTL_OK : CTL_FAILED;

	say_problems(j, &p);
	sieve_script_free(&s);
	sieve_problems_fini(&p);
	return rc;
}

int
sieve_compiles(struct ctl *ctl, struct span text, const char *name)
{
	struct job j;
	int rc;

	job_init(&j, ctl, name);
	j.script = span_dup(text);
	j.script_len = text.len;
	rc = in_child(&j, only_compile);
	job_fini(&j);
	return rc;
}

/* ---- check ---- */

static int
check(struct job *j)
{
	struct sieve_problems p = { 0 };
	struct sieve_script *s = compile(j, &p);
	struct buf tree = { 0 };
	int rc = s != NULL ? CTL_OK : CTL_FAILED;

	if (s != NULL)
		sieve_script_print(s, &tree);
	if (j->ctl->json) {
		json_begin_object(&j->w);
		json_kv_bool(&j->w, "ok", s != NULL);
		json_key(&j->w, "problems");
		sieve_json_problems(&j->w, &p);
		json_kv_string(&j->w, "tree", buf_span(&tree));
		json_end_object(&j->w);
		ctl_print_json(buf_span(&j->out));
	} else {
		ctl_print(&tree);
	}
	sieve_script_free(&s);
	sieve_problems_fini(&p);
	buf_fini(&tree);
	return rc;
}

int
sieve_check_file(struct ctl *ctl, const char *path)
{
	struct job j;
	int rc;

	job_init(&j, ctl, path);
	rc = sieve_read_file(path, STORE_SCRIPT_MAX, &j.script, &j.script_len);
	if (rc == CTL_OK)
		rc = in_child(&j, check);
	job_fini(&j);
	return rc;
}

/* ---- run, trace ---- */

static void
on_trace(void *arg, const struct sieve_trace *t)
{
	struct job *j = arg;

	if (j->ctl->json)
		sieve_json_trace(&j->w, t);
	else
		sieve_show_trace(&j->out, t);
}

/* The first address of a field; false: none. */
static bool
first_address(struct sieve_message *m, const char *name, struct buf *out)
{
	struct sieve_header *h = sieve_message_header(m);
	struct span key = span_str(name);
	struct sieve_field *f = sieve_header_find(h, key, sieve_name_hash(key));
	const struct mime_addr *a;
	size_t n = f != NULL ? sieve_field_addrs(h, f, &a) : 0;

	if (n == 0 || a[0].kind != MIME_ADDR_MAILBOX || a[0].domain.len == 0)
		return false;
	buf_addf(out, "%.*s@%.*s", (int)a[0].local.len, a[0].local.p, (int)a[0].domain.len,
	    a[0].domain.p);
	return true;
}

bool
sieve_event_known(const char *event)
{
	static const char *const known[] = { "APPEND", "COPY", "FLAG" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(event, known[i]) == 0)
			return true;
	return false;
}

#define ITEMS	10
#define FLAGS	64

/* What an event adds, as imapd tells it (RFC 6785 4). */
static size_t
event_items(const struct sieve_try *t, struct span user, struct sieve_item *items)
{
	size_t n = 0;

	items[n++] = (struct sieve_item){ "imap.user", user };
	items[n++] = (struct sieve_item){ "imap.email", user };
	items[n++] = (struct sieve_item){ "imap.cause", span_str(t->event) };
	items[n++] = (struct sieve_item){ "imap.mailbox",
		span_str(t->mailbox != NULL ? t->mailbox : "INBOX") };
	items[n++] = (struct sieve_item){ "imap.changedflags",
		t->changed != NULL ? span_str(t->changed) : SPAN_LIT("") };
	return n;
}

static size_t
event_flags(const struct sieve_try *t, struct span flags[FLAGS])
{
	struct span rest = span_str(t->flags);
	size_t n = 0;

	while (rest.len > 0 && n < FLAGS)
		flags[n++] = span_cut(&rest, ' ');
	return n;
}

/* As lmtpd tells it. */
static size_t
environment(const struct job *j, struct span user, struct sieve_item items[ITEMS])
{
	bool event = j->t->event != NULL;
	struct span host = span_str(j->conf->global.hostname);
	size_t dot = span_find(host, '.'), n = 0;

	items[n++] = (struct sieve_item){ "host", host };
	items[n++] = (struct sieve_item){ "domain",
		span_sub(host, dot < host.len ? dot + 1 : 0, host.len) };
	items[n++] = (struct sieve_item){ "location", event ? SPAN_LIT("MS") : SPAN_LIT("MDA") };
	items[n++] = (struct sieve_item){ "phase", event ? SPAN_LIT("post") : SPAN_LIT("during") };
	items[n++] = (struct sieve_item){ "name", SPAN_LIT("Mansio") };
	return event ? n + event_items(j->t, user, items + n) : n;
}

static struct span
envelope(struct sieve_message *m, const char *told, const char *field, const char *or, struct buf *b)
{
	if (told != NULL)
		buf_add_str(b, told);
	else if (!first_address(m, field, b))
		(void)first_address(m, or, b);
	return span(buf_cstr(b), b->len);
}

static int
run_message(struct job *j, const struct sieve_script *script, struct sieve_message *m)
{
	struct sieve_result result = { 0 };
	struct buf from = { 0 }, to = { 0 };
	struct sieve_item items[ITEMS];
	struct span flags[FLAGS];
	struct sieve_env env = { .now = clock_wall_s(), .limits = &j->sieve.limits,
		.settings = &j->sieve.settings, .ask = sieve_world_ask, .ask_arg = &j->world,
		.trace = j->t->trace ? on_trace : NULL, .trace_arg = j };
	enum sieve_outcome outcome;

	env.event = j->t->event != NULL;
	env.flags = flags;
	env.n_flags = event_flags(j->t, flags);
	env.zone_min = mime_local_zone(env.now);
	env.envelope.from = envelope(m, j->t->from, "Return-Path", "From", &from);
	env.envelope.to = envelope(m, j->t->to, "Delivered-To", "To", &to);
	env.user = env.addresses[0] = env.envelope.to;
	env.n_addresses = to.len > 0 ? 1 : 0;
	env.items = items;
	env.n_items = environment(j, env.user, items);
	if (j->ctl->json) {
		json_begin_object(&j->w);
		json_key(&j->w, "trace");
		json_begin_array(&j->w);
	}
	outcome = sieve_run(&script, 1, m, &env, &result);
	if (j->ctl->json) {
		json_end_array(&j->w);
		sieve_json_result(&j->w, outcome, &result);
		json_end_object(&j->w);
		ctl_print_json(buf_span(&j->out));
	} else {
		sieve_show_result(&j->out, outcome, &result);
		ctl_print(&j->out);
	}
	sieve_result_fini(&result);
	buf_fini(&from);
	buf_fini(&to);
	return outcome == SIEVE_DONE ? CTL_OK : CTL_FAILED;
}

static int
run(struct job *j)
{
	struct sieve_problems p = { 0 };
	struct sieve_script *s = compile(j, &p);
	struct sieve_message *m;
	int rc = CTL_FAILED;

	if (s != NULL) {
		m = sieve_message_memory(buf_span(&j->message));
		rc = run_message(j, s, m);
		sieve_message_free(&m);
	} else if (j->ctl->json) {
		say_problems(j, &p);
	}
	sieve_script_free(&s);
	sieve_problems_fini(&p);
	return rc;
}

/* As the store would have it: its lines end with CRLF. */
static int
read_message(struct job *j, const char *path)
{
	struct transfer_crlf lines = { 0 };
	char *text = NULL;
	size_t len = 0;
	int rc = sieve_read_file(path, MESSAGE_MAX, &text, &len);

	if (rc == CTL_OK)
		transfer_crlf_feed(&lines, span(text, len), &j->message);
	mem_free(&text);
	return rc;
}

int
sieve_try_run(struct ctl *ctl, const struct sieve_try *t)
{
	struct job j;
	int rc;

	if (strcmp(t->script, "-") == 0 && strcmp(t->message, "-") == 0)
		return ctl_usage("only one of them can be standard input");
	job_init(&j, ctl, t->script);
	j.t = t;
	j.world.mailboxes = t->mailboxes;
	rc = sieve_read_file(t->script, STORE_SCRIPT_MAX, &j.script, &j.script_len);
	if (rc == CTL_OK)
		rc = read_message(&j, t->message);
	if (rc == CTL_OK && t->include != NULL && !sieve_world_folder(&j.world, t->include))
		rc = CTL_FAILED;
	if (rc == CTL_OK) {
		sieve_world_conf(&j.world, j.conf);
		rc = in_child(&j, run);
	}
	job_fini(&j);
	return rc;
}
