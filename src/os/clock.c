/*
 * The two clocks and a sleep that signals do not shorten. No time as text here:
 * base/stamp.c. Core reads time through struct bk__clock; os reads it directly.
 */
#include <os/clock.h>

#include <errno.h>
#include <time.h>

static int64_t now_ms(clockid_t clock) {
    struct timespec now;

    /* Cannot fail for these two clocks on any Linux. */
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_mono(void *context) {
    (void)context;
    return now_ms(CLOCK_MONOTONIC);
}

static int64_t system_wall(void *context) {
    (void)context;
    return now_ms(CLOCK_REALTIME);
}

const struct bk__clock bk__clock_system = {system_mono, system_wall, NULL};

int64_t bk__clock_mono(void) {
    return now_ms(CLOCK_MONOTONIC);
}

int64_t bk__clock_wall(void) {
    return now_ms(CLOCK_REALTIME);
}

void bk__clock_sleep(int ms) {
    struct timespec end;

    if (ms <= 0) {
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += ms / 1000;
    end.tv_nsec += (long)(ms % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR) {
        ;
    }
}
