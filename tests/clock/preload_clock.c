/*
 * For LD_PRELOAD: the wall clock is CLOCK_OFFSET seconds off, from the CLOCK_AFTER-th reading on.
 * The monotonic clock stays. tests/clock/run sets it.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

#define API __attribute__((visibility("default")))

static int readings;

static long number(const char *name) {
    const char *value = getenv(name);
    return value != NULL ? atol(value) : 0;
}

API int clock_gettime(clockid_t clock, struct timespec *ret) {
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    int rc = real(clock, ret);
    if (rc == 0 && clock == CLOCK_REALTIME &&
        __atomic_add_fetch(&readings, 1, __ATOMIC_RELAXED) > number("CLOCK_AFTER")) {
        ret->tv_sec += number("CLOCK_OFFSET");
    }
    return rc;
}
