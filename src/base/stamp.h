/*
 * Times as text: RFC 3339 UTC for records, a colon-free form for file names. Pure functions of
 * milliseconds since 1970; the clock itself is os/clock.h.
 */
#ifndef BK_BASE_STAMP_H
#define BK_BASE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#define BK__STAMP_SIZE 32

void bk__stamp_iso(int64_t unix_ms,
                   char out[BK__STAMP_SIZE]); /* 2025-12-04T10:30:00.000Z */
void bk__stamp_file(int64_t unix_ms, char out[BK__STAMP_SIZE]); /* 2025-12-04T10-30-00 */
bool bk__stamp_parse(const char *iso,
                     int64_t *ret_unix_ms); /* what bk__stamp_iso wrote */

#endif
