/*
 * The two clocks, injectable: monotonic for intervals, wall for records. Not time as text
 * (base/stamp.h). Core hands them on; tests replace them.
 */
#ifndef BK_OS_CLOCK_H
#define BK_OS_CLOCK_H

#include <stdint.h>

struct bk__clock {
    int64_t (*mono_ms)(void *context); /* CLOCK_MONOTONIC, milliseconds */
    int64_t (*wall_ms)(void *context); /* CLOCK_REALTIME, milliseconds since 1970 */
    void *context;
};

extern const struct bk__clock bk__clock_system;

int64_t bk__clock_mono(void); /* the system's */
int64_t bk__clock_wall(void);
void bk__clock_sleep(int ms);

#endif
