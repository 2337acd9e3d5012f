/* common/mail/search_scan.h
 * Looks for the text keys of a search in a message that streams by: the canonical text of
 * doc/search.md, in windows that overlap by the longest needle, so that memory does not
 * grow with the message.  Decoding and looking are two steps, both cut into small ones:
 *
 *	for each piece: search_scan_feed(); while (!search_scan_look()) come back later;
 *	at the end: search_scan_finish(); the same loop; then everything is known. */
#ifndef COMMON_MAIL_SEARCH_SCAN_H
#define COMMON_MAIL_SEARCH_SCAN_H

#include "common/mail/search.h"

#define SEARCH_SCAN_PIECE 16384u	/* bytes fed at once at most */

struct search_scan;
/* list: the LIST blob is made on the way.  p outlives it. */
struct search_scan *search_scan_new(const struct search_program *p, bool list);
void search_scan_free(struct search_scan **s);
/* Only when search_scan_look() has nothing left to do. */
void search_scan_feed(struct search_scan *s, struct span raw);
void search_scan_finish(struct search_scan *s);
/* Does some 64 KiB of comparing; true: nothing is left of what was fed. */
bool search_scan_look(struct search_scan *s);
/* By slot: SEARCH_HIT_... so far. */
const unsigned char *search_scan_hits(const struct search_scan *s);
/* All needles were found, or only headers are asked for and the header is over. */
bool search_scan_enough(const struct search_scan *s);
/* After the finish: points into the scan. */
bool search_scan_list(struct search_scan *s, struct mime_list *l);

#endif
