/* What scripts cost:
 *
 *	bench_sieve SCRIPT FILE SECONDS		evaluations of one message a second, the view of it
 *						made anew for each; on one core
 *	bench_sieve SCRIPT DIR			CPU over all messages of DIR, read before, and what
 *						became of them
 *
 * The script is compiled once. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/util/buf.h"
#include "common/util/mem.h"
#include "sieve/sieve.h"

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
read_file(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	while ((n = fread(buf_reserve(b, 65536), 1, 65536, f)) > 0)
		buf_added(b, n);
	fclose(f);
}

static struct sieve_script *
compile(const char *path)
{
	struct sieve_options o = { .name = path };
	struct sieve_problems p = { 0 };
	struct buf text = { 0 }, told = { 0 };
	struct sieve_script *s;

	read_file(path, &text);
	s = sieve_compile(buf_span(&text), &o, &p);
	sieve_problems_print(&p, path, &told);
	fputs(buf_cstr(&told), stderr);
	if (s == NULL)
		exit(1);
	buf_fini(&told);
	buf_fini(&text);
	sieve_problems_fini(&p);
	return s;
}

/* What is stored, how often. */
static struct sieve_env env;
static unsigned long stored, kept, other;

static void
evaluate(const struct sieve_script *s, struct span text, struct sieve_result *r)
{
	struct sieve_message *m = sieve_message_memory(text);

	if (sieve_run(&s, 1, m, &env, r) != SIEVE_DONE) {
		fprintf(stderr, "%s\n", r->error);
		exit(1);
	}
	for (size_t i = 0; i < r->n_actions; i++) {
		if (r->actions[i]->kind != SIEVE_STORE)
			other++;
		else if (r->actions[i]->store.keep)
			kept++;
		else
			stored++;
	}
	sieve_message_free(&m);
}

static void
one_message(const struct sieve_script *s, const char *path, double seconds)
{
	struct sieve_result r = { 0 };
	struct buf b = { 0 };
	unsigned long n = 0;
	double from, took;

	read_file(path, &b);
	from = cpu_seconds();
	do {
		for (int i = 0; i < 1000; i++)
			evaluate(s, buf_span(&b), &r);
		n += 1000;
		took = cpu_seconds() - from;
	} while (took < seconds);
	printf("%zu bytes: %.0f evaluations a CPU second, %.2f us each, %u steps\n", b.len,
	    (double)n / took, took / (double)n * 1e6, r.steps);
	sieve_result_fini(&r);
	buf_fini(&b);
}

static void
all_messages(const struct sieve_script *s, const char *dir)
{
	struct sieve_result r = { 0 };
	struct buf *v = NULL;
	size_t n = 0, bytes = 0;
	struct dirent *e;
	DIR *d = opendir(dir);
	double from, took;

	while (d != NULL && (e = readdir(d)) != NULL) {
		char path[4096];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		v = mem_realloc_array(v, n + 1, sizeof(*v));
		v[n] = (struct buf){ 0 };
		read_file(path, &v[n]);
		bytes += v[n++].len;
	}
	from = cpu_seconds();
	for (size_t i = 0; i < n; i++)
		evaluate(s, buf_span(&v[i]), &r);
	took = cpu_seconds() - from;
	printf("%zu messages, %zu bytes: %.1f ms CPU, %.2f us each; filed %lu, kept %lu\n", n,
	    bytes, took * 1e3, took / (double)n * 1e6, stored, kept);
}

int
main(int argc, char **argv)
{
	struct sieve_script *s;

	if (argc < 3) {
		fprintf(stderr, "usage: bench_sieve SCRIPT FILE SECONDS | SCRIPT DIR\n");
		return 2;
	}
	s = compile(argv[1]);
	env.envelope.from = SPAN_LIT("someone@example.org");
	env.envelope.to = SPAN_LIT("user@own.example");
	if (argc > 3)
		one_message(s, argv[2], strtod(argv[3], NULL));
	else
		all_messages(s, argv[2]);
	sieve_script_free(&s);
	return 0;
}
