/* common/mime/date.h
 * Dates of header fields: RFC 5322 3.3, 4.3 and what is seen beside it (no weekday, no
 * seconds, two-digit years, zone names, no zone: UTC). */
#ifndef COMMON_MIME_DATE_H
#define COMMON_MIME_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/span.h"

/* Seconds since 1970 UTC and the zone, minutes east.  false: no date.  Years 1..9999. */
bool mime_date_parse(struct span value, int64_t *sec, int *zone_min);
/* Days since 1970-01-01 of a day of the Gregorian calendar; no check. */
int64_t mime_days(int year, int month, int day);
/* The other way round; month and day count from 1. */
void mime_civil(int64_t days, int64_t *year, unsigned *month, unsigned *day);
/* The zone of this host at a moment, minutes east. */
int mime_local_zone(int64_t sec);

#endif
