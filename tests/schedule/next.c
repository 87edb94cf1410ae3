/*
 * Answers for tests/schedule/run, which knows what they should be: reads lines from standard input,
 * writes one for each. "offset ZONE SECOND" gives the seconds from UTC, "next ZONE SECOND EXPRESSION"
 * the next time of a cron expression, "instant ZONE LOCAL" the second of a local time. Not a test.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/cron.h>
#include <base/zone.h>
#include <os/file.h>

static char loaded[128];
static struct bk__zone *zone;

static const char *load(const char *path) {
    const char *why = NULL;
    char *bytes = NULL;
    size_t size = 0;
    if (strcmp(path, loaded) == 0) {
        return NULL;
    }
    bk__zone_free(zone);
    zone = NULL;
    loaded[0] = '\0';
    if (bk__file_load(path, 1 << 20, &bytes, &size) != 0) {
        return "no such file";
    }
    zone = bk__zone_parse(bytes, size, &why);
    free(bytes);
    if (zone != NULL) {
        snprintf(loaded, sizeof loaded, "%s", path);
    }
    return zone == NULL ? why : NULL;
}

static void answer(const char *what, int64_t second, const char *expression) {
    struct bk__cron cron;
    char why[160] = "";
    int64_t next = 0;
    if (strcmp(what, "offset") == 0) {
        printf("%d\n", bk__zone_offset(zone, second, NULL));
    } else if (strcmp(what, "instant") == 0) {
        printf("%" PRId64 "\n", bk__zone_instant(zone, second));
    } else if (!bk__cron_parse(expression, &cron, why, sizeof why)) {
        printf("bad: %s\n", why);
    } else if (!bk__cron_next(&cron, zone, second, &next)) {
        printf("never\n");
    } else {
        printf("%" PRId64 "\n", next);
    }
}

int main(void) {
    static char line[8192];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char what[16];
        char path[128];
        int64_t second = 0;
        int used = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%15s %127s %" SCNd64 "%n", what, path, &second, &used) != 3) {
            printf("no question: %s\n", line);
            continue;
        }
        const char *why = load(path);
        if (why != NULL) {
            printf("zone: %s\n", why);
        } else {
            answer(what, second, line[used] == ' ' ? line + used + 1 : line + used);
        }
    }
    bk__zone_free(zone);
    return 0;
}
