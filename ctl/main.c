/* ctl/main.c
 * mansioctl, see mansioctl(8): options, the search for the command, help. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/conf/settings.h"
#include "ctl/ctl.h"

static const struct ctl_command *running;

__attribute__((format(printf, 1, 0))) static void
say(const char *fmt, va_list ap)
{
	fputs("mansioctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int
ctl_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return CTL_FAILED;
}

int
ctl_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	if (running != NULL)
		fprintf(stderr, "usage: mansioctl %s%s%s\n", running->name,
		    running->args[0] != '\0' ? " " : "", running->args);
	return CTL_USAGE;
}

int
ctl_print(const struct buf *b)
{
	if ((b->len > 0 && fwrite(b->data, 1, b->len, stdout) != b->len) || fflush(stdout) != 0)
		return ctl_error("standard output cannot be written");
	return CTL_OK;
}

void
ctl_socket(const struct ctl *ctl, struct buf *out)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *conf = NULL;

	if (ctl->socket != NULL) {
		buf_add_str(out, ctl->socket);
		return;
	}
	if (!conf_load(ctl->config, &conf, &err))
		conf = conf_new_default();
	buf_add_str(out, conf->admin.socket);
	conf_free(&conf);
	conf_errors_fini(&err);
}

/* ---- help ---- */

static void
print_command(const struct ctl_command *c)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s %s", c->name, c->args);

	if (n > 34)
		printf("  %s\n%37s%s\n", text, "", c->help);
	else
		printf("  %-34s %s\n", text, c->help);
}

static void
print_help(void)
{
	puts("usage: mansioctl [--config FILE] [--json] [--socket PATH] COMMAND ...\n");
	for (size_t i = 0; ctl_families[i] != NULL; i++)
		for (const struct ctl_command *c = ctl_families[i]; c->name != NULL; c++)
			print_command(c);
	puts("  help [COMMAND]                     this list\n\n"
	    "Exit codes: 0 done, 1 failed, 2 wrong use, 3 the server does not answer.");
}

/* For the shell's completion: every command on a line. */
static void
print_words(void)
{
	for (size_t i = 0; ctl_families[i] != NULL; i++)
		for (const struct ctl_command *c = ctl_families[i]; c->name != NULL; c++)
			puts(c->name);
	puts("help");
}

/* The commands that begin with these words. */
static size_t
print_family(char **argv)
{
	size_t n = strlen(argv[0]), shown = 0;

	for (size_t i = 0; ctl_families[i] != NULL; i++)
		for (const struct ctl_command *c = ctl_families[i]; c->name != NULL; c++) {
			if (strncmp(c->name, argv[0], n) != 0 ||
			    (c->name[n] != '\0' && c->name[n] != ' ') ||
			    (argv[1] != NULL && c->name[n] == ' ' &&
			    strcmp(c->name + n + 1, argv[1]) != 0))
				continue;
			print_command(c);
			shown++;
		}
	return shown;
}

static int
no_command(char **argv)
{
	return ctl_usage("there is no command \"%s%s%s\"; try: mansioctl help", argv[0],
	    argv[1] != NULL ? " " : "", argv[1] != NULL ? argv[1] : "");
}

static int
help(char **argv)
{
	if (argv[0] != NULL && strcmp(argv[0], "--words") == 0) {
		print_words();
		return CTL_OK;
	}
	if (argv[0] == NULL) {
		print_help();
		return CTL_OK;
	}
	return print_family(argv) > 0 ? CTL_OK : no_command(argv);
}

/* ---- finding the command ---- */

/* Words of argv that the name takes, 0: another command. */
static int
matches(const char *name, char **argv)
{
	const char *blank = strchr(name, ' ');
	size_t n = blank != NULL ? (size_t)(blank - name) : strlen(name);

	if (argv[0] == NULL || strlen(argv[0]) != n || memcmp(argv[0], name, n) != 0)
		return 0;
	if (blank == NULL)
		return 1;
	return argv[1] != NULL && strcmp(argv[1], blank + 1) == 0 ? 2 : 0;
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	int words;

	for (size_t i = 0; ctl_families[i] != NULL; i++)
		for (const struct ctl_command *c = ctl_families[i]; c->name != NULL; c++)
			if ((words = matches(c->name, argv)) > 0) {
				running = c;
				return c->run(ctl, argc - words, argv + words);
			}
	if (argv[1] == NULL && print_family(argv) > 0)
		return ctl_usage("%s: which of these?", argv[0]);
	return no_command(argv);
}

/* An option with a value as "--name VALUE" or "--name=VALUE". 1: taken, -1: no value. */
static int
option(const char *name, char **argv, int *i, const char **value)
{
	size_t n = strlen(name);

	if (strncmp(argv[*i], name, n) != 0)
		return 0;
	if (argv[*i][n] == '=') {
		*value = argv[*i] + n + 1;
		return 1;
	}
	if (argv[*i][n] != '\0')
		return 0;
	if (argv[*i + 1] == NULL)
		return -1;
	*value = argv[++*i];
	return 1;
}

/* Takes the common options out of argv, wherever they stand before a "--"; false: said why. */
static bool
take_options(struct ctl *ctl, int *argc, char **argv)
{
	int kept = 0, took = 0;

	for (int i = 0; i < *argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			while (++i < *argc)
				argv[kept++] = argv[i];
			break;
		}
		if (strcmp(argv[i], "--json") == 0) {
			ctl->json = true;
			continue;
		}
		took = option("--config", argv, &i, &ctl->config);
		if (took == 0)
			took = option("--socket", argv, &i, &ctl->socket);
		if (took < 0) {
			ctl_usage("%s needs a value", argv[i]);
			return false;
		}
		if (took == 0)
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	*argc = kept;
	return true;
}

int
main(int argc, char **argv)
{
	struct ctl ctl = { .config = MANSIO_SYSCONFDIR "/mansio.conf" };

	if (argc < 1)
		return CTL_USAGE;
	argc--;
	argv++;
	if (!take_options(&ctl, &argc, argv))
		return CTL_USAGE;
	if (argc == 0) {
		ctl_usage("a command is needed; try: mansioctl help");
		return CTL_USAGE;
	}
	if (strcmp(argv[0], "--version") == 0) {
		puts("mansioctl " PACKAGE_VERSION);
		return CTL_OK;
	}
	if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0)
		return help(argv + 1);
	return run(&ctl, argc, argv);
}
