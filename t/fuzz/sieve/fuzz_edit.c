/* Any bytes as a message, under scripts that look into all of its parts and edit it: what comes out
 * can be read to its end, and what was not touched is there. */
#include <assert.h>
#include <string.h>

#include "common/util/mem.h"
#include "sieve/sieve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REQUIRE "require [\"body\", \"date\", \"index\", \"environment\", \"subaddress\", \"regex\"," \
    "\"mime\", \"foreverypart\", \"extracttext\", \"editheader\", \"replace\", \"enclose\", \"copy\"," \
    "\"spamtestplus\", \"virustest\", \"variables\", \"relational\", \"fileinto\"," \
    "\"comparator-i;ascii-numeric\"];"

static const char *const scripts[] = {
	/* Looks. */
	REQUIRE
	"if body :raw :contains \"hello\" { set \"n\" \"${n}a\"; }"
	"if body :content [\"\", \"text\", \"message/rfc822\"] :matches \"*hello?\" { set \"n\" \"${n}b\"; }"
	"if body :text :regex \"(h|he)l+o *(there)?\" { set \"n\" \"${n}c\"; }"
	"if body :content \"multipart\" :count \"ge\" \"3\" { set \"n\" \"${n}d\"; }"
	"if date :originalzone :matches \"date\" \"iso8601\" \"*T*\" { set \"n\" \"${n}${1}\"; }"
	"if date :index 2 :last :zone \"-0830\" :value \"ge\" \"received\" \"julian\" \"1\" { set \"n\" \"e\"; }"
	"if address :detail :regex [\"to\", \"from\"] \"^([a-z]+|[0-9]{2,3})$\" { set \"n\" \"${n}${1}\"; }"
	"if header :mime :anychild :param [\"filename\", \"charset\", \"boundary\"] :matches"
	"    [\"content-type\", \"content-disposition\"] \"*.*\" { set \"f\" \"${1}\"; }"
	"if spamtest :percent :value \"ge\" \"30\" { set \"n\" \"${n}f\"; }"
	"if virustest :is \"5\" { set \"n\" \"${n}g\"; }"
	"foreverypart { extracttext :first 20 \"t\"; set \"n\" \"${n}${t}\";"
	"    if header :mime :contenttype \"content-type\" \"text/html\" { break; }"
	"    foreverypart :name \"in\" { if exists :mime \"subject\" { break :name \"in\"; } } }"
	"fileinto \"${n}${f}\";",
	/* Edits the header. */
	REQUIRE
	"addheader \"X-First\" \"1\"; addheader :last \"X-Last\" \"gr\xC3\xBCn\";"
	"deleteheader :contains \"subject\" [\"a\", \"b\"]; deleteheader :index 1 :last \"received\";"
	"deleteheader \"x-first\"; deleteheader :regex \"from\" \"[[:digit:]]+@\";"
	"if not header \"x-last\" \"gr\xC3\xBCn\" { set \"x\" \"lost\"; } keep;",
	/* Replaces parts, and encloses. */
	REQUIRE
	"foreverypart { if header :mime :type \"content-type\" [\"image\", \"application\"] {"
	"    replace \"removed\n--boundary\n\"; }"
	"  elsif header :mime :subtype \"content-type\" \"html\" {"
	"    replace :mime \"Content-Type: multipart/mixed; boundary=zz\n\n--zz\n\nx\n--zz--\n\"; } }"
	"redirect :copy \"a@example.org\"; enclose :subject \"s\" :headers [\"from\", \"x-a\"] \"text\";"
	"foreverypart { if header :mime :type \"content-type\" \"message\" { fileinto :copy \"m\"; } }",
	REQUIRE
	"replace :subject \"new\" :from \"a@example.org\" \"text\"; addheader \"X\" \"y\";"
};

static struct sieve_script *
compiled(size_t i)
{
	static struct sieve_script *s[4];
	struct sieve_options o = { 0 };
	struct sieve_problems p = { 0 };

	if (s[i] == NULL) {
		s[i] = sieve_compile(span_str(scripts[i]), &o, &p);
		assert(s[i] != NULL);
		sieve_problems_fini(&p);
	}
	return s[i];
}

/* All of it can be read, and its parts lie in it. */
static void
check_message(struct sieve_message *m)
{
	uint64_t size = sieve_message_size(m), pieces = 0;
	const struct sieve_piece *v;
	const struct mime_part *parts;
	char *all = mem_alloc((size_t)size + 1);
	size_t n;

	assert(sieve_message_read(m, 0, all, (size_t)size));
	v = sieve_message_pieces(m, &n);
	for (size_t i = 0; i < n; i++)
		pieces += v[i].len;
	assert(pieces == size);
	parts = sieve_message_parts(m, &n);
	assert(parts != NULL && n > 0);
	for (size_t i = 0; i < n; i++)
		assert(parts[i].body_start + parts[i].body_len <= size);
	mem_free(&all);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const texts[] = { "1 clean", "5 infected", NULL };
	static const struct sieve_settings settings = {
		.spam = { .header = "X-Spam: ([0-9.]+)", .max = "X-Max" },
		.virus = { .header = "X-Virus", .kind = SIEVE_VERDICT_TEXT, .texts = texts }
	};
	static const struct sieve_limits limits = { .memory_bytes = 1 << 20 };
	const struct sieve_env env = { .user = SPAN_LIT("u@example.org"), .now = 1700000000,
	    .limits = &limits, .settings = &settings };
	struct sieve_result r = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		struct sieve_message *m = sieve_message_memory(span(data, len));
		const struct sieve_script *s = compiled(i);

		assert(sieve_run(&s, 1, m, &env, &r) != SIEVE_ASKS);
		for (size_t k = 0; k < r.n_actions; k++)
			check_message(r.actions[k]->message);
		check_message(m);
		sieve_message_free(&m);
	}
	sieve_result_fini(&r);
	return 0;
}
