/* ctl/cmd_config.c
 * The configuration, without a running server. */
#include <stdio.h>
#include <string.h>

#include "common/conf/settings.h"
#include "common/json/writer.h"
#include "common/util/mem.h"
#include "common/worker/rules.h"
#include "ctl/ctl.h"
#include "ctl/import.h"
#include "filter/globals.h"

/* The lines name file and place already. */
static int
print_errors(struct conf_errors *err)
{
	fwrite(err->text.data, 1, err->text.len, stderr);
	conf_errors_fini(err);
	return CTL_FAILED;
}

static void
print_warnings(struct span lines, bool json, struct buf *out)
{
	struct json_writer w;

	if (!json) {
		while (lines.len > 0) {
			buf_add_str(out, "warning: ");
			buf_add_span(out, span_cut(&lines, '\n'));
			buf_add_c(out, '\n');
		}
		return;
	}
	buf_add_str(out, ",\"warnings\":");
	json_writer_init(&w, out);
	json_begin_array(&w);
	while (lines.len > 0)
		json_string(&w, span_cut(&lines, '\n'));
	json_end_array(&w);
	buf_add_str(out, "}\n");
}

static int
config_check(struct ctl *ctl, int argc, char **argv)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *conf;
	struct buf out = { 0 }, warnings = { 0 };
	int rc;

	if (argc > 0)
		return ctl_usage("unexpected \"%s\"", argv[0]);
	if (!conf_load(ctl->config, &conf, &err))
		return print_errors(&err);
	if (!rules_read(conf, &out, &err) || !filter_globals_good(buf_span(&out), conf, &err)) {
		buf_fini(&out);
		conf_free(&conf);
		return print_errors(&err);
	}
	buf_clear(&out);
	conf_warnings(conf, &warnings);
	if (ctl->json)
		buf_addf(&out, "{\"ok\":true,\"listeners\":%zu", conf->n_listeners);
	else
		buf_addf(&out, "%s: good, %zu listener%s%s\n", ctl->config, conf->n_listeners,
		    conf->n_listeners == 1 ? "" : "s",
		    conf->n_listeners == 0 ? ": nobody could connect" : "");
	print_warnings(buf_span(&warnings), ctl->json, &out);
	conf_free(&conf);
	buf_fini(&warnings);
	rc = ctl_print(&out);
	buf_fini(&out);
	return rc;
}

static int
config_show(struct ctl *ctl, int argc, char **argv)
{
	struct conf_errors err = { .count = 0 };
	const char *key = NULL;
	struct mansio_conf *conf;
	struct buf out = { 0 };
	int rc = CTL_OK;

	if (argc == 2 && strcmp(argv[0], "-x") == 0)
		key = argv[1];
	else if (argc > 0)
		return ctl_usage("unexpected \"%s\"", argv[0]);
	if (!conf_load(ctl->config, &conf, &err))
		return print_errors(&err);
	if (key != NULL) {
		if (!conf_print_key(conf, key, ctl->json, &out))
			rc = ctl_error("there is no setting \"%s\"; all: mansioctl config show --json", key);
	} else if (ctl->json) {
		conf_print_json(conf, &out);
	} else {
		conf_print(conf, &out);
	}
	if (rc == CTL_OK)
		rc = ctl_print(&out);
	conf_free(&conf);
	buf_fini(&out);
	return rc;
}

static int
config_defaults(struct ctl *ctl, int argc, char **argv)
{
	struct mansio_conf *conf;
	struct buf out = { 0 };
	int rc;

	if (argc > 1 || (argc == 1 && strcmp(argv[0], "sample") != 0 && strcmp(argv[0], "man") != 0))
		return ctl_usage("unexpected \"%s\"; allowed: sample, man", argv[argc - 1]);
	if (argc == 0) {
		conf = conf_new_default();
		if (ctl->json)
			conf_print_json(conf, &out);
		else
			conf_effective_encode(conf, &out);
		conf_free(&conf);
	} else if (argv[0][0] == 's') {
		conf_print_sample(&out);
	} else {
		conf_print_man(&out);
	}
	rc = ctl_print(&out);
	buf_fini(&out);
	return rc;
}

static int
config_import(struct ctl *ctl, int argc, char **argv)
{
	struct conf_errors err = { .count = 0 };
	struct buf out = { 0 };
	int rc;

	if (argc != 1)
		return ctl_usage("a file is needed");
	if (!ctl_import(argv[0], &out, &err)) {
		buf_fini(&out);
		return print_errors(&err);
	}
	rc = ctl_print(&out);
	buf_fini(&out);
	return rc;
}

const struct ctl_command ctl_cmds_config[] = {
	{ "config check", "", "reads the configuration and tells every mistake", config_check },
	{ "config show", "[-x KEY]", "what is in force, and where it comes from", config_show },
	{ "config defaults", "[sample|man]", "the defaults; the sample file; the manual's list",
	    config_defaults },
	{ "config import", "FILE", "converts a file of the old server's eight keys", config_import },
	{ .name = NULL }
};
