#include "common/mail/object_id.h"

#include "common/util/bytes.h"

void
object_id_put(struct buf *out, char kind, uint64_t id)
{
	buf_addf(out, "%c%llx", kind, (unsigned long long)id);
}

bool
object_id_parse(struct span text, char kind, uint64_t *id)
{
	uint64_t v = 0;

	if (text.len < 2 || text.len > 17 || text.p[0] != kind || text.p[1] == '0')
		return false;
	for (size_t i = 1; i < text.len; i++) {
		int digit = ascii_hex(text.p[i]);

		if (digit < 0 || (text.p[i] >= 'A' && text.p[i] <= 'F'))
			return false;
		v = v << 4 | (unsigned)digit;
	}
	*id = v;
	return true;
}

bool
object_id_syntax(struct span text)
{
	if (text.len == 0 || text.len > 255)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '_' && c != '-')
			return false;
	}
	return true;
}
