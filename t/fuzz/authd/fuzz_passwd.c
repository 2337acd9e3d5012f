#include <assert.h>
#include <stdint.h>

#include "authd/passwd_file.h"
#include "authd/scheme.h"
#include "common/util/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Lines as the file has them; cheap schemes are checked too. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const cheap[] = { "{PLAIN}", "{SHA}", "{SSHA", "{SHA256", "{SHA512" };
	struct span rest = span(data, len);

	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');
		struct passwd_line l;

		if (passwd_line_parse(line, &l) != PASSWD_LINE)
			continue;
		assert(l.user.len > 0 && l.hash.len > 0 && l.user.len + l.hash.len < line.len);
		for (size_t i = 0; i < ARRAY_LEN(cheap); i++)
			if (span_has_caseprefix(l.hash, cheap[i]))
				(void)scheme_verify(l.hash, SPAN_LIT("secret"));
	}
	return 0;
}
