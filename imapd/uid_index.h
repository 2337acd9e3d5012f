/* imapd/uid_index.h
 * Where a uid stands in an array of them in rising order. */
#ifndef IMAPD_UID_INDEX_H
#define IMAPD_UID_INDEX_H

#include <stddef.h>
#include <stdint.h>

/* n: it is not there.  *next: where the next one asked for is, most likely: they come in rising
 * order nearly always. */
static inline size_t
uid_index(const uint32_t *uids, size_t n, uint32_t uid, size_t *next)
{
	size_t lo = 0, hi = n;

	if (*next < n && uids[*next] == uid)
		return (*next)++;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (uids[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	*next = lo + 1;
	return lo < n && uids[lo] == uid ? lo : n;
}

#endif
