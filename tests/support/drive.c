/*
 * One operation in a process of its own, through the public ABI alone.
 * Not a judge of what it did: the suites look at the files. tests/kill and tests/fault call it.
 */
#include "drive.h"

#include <stdio.h>
#include <string.h>

#include <botkeep.h>

static int set_options(bk_keeper *k, char **options) {
    for (; *options != NULL; options++) {
        char *value = strchr(*options, '=');
        if (value == NULL) {
            return 64;
        }
        *value = '\0';
        if (bk_set(k, *options, value + 1) < 0) {
            fprintf(stderr, "%s: %s\n", *options, bk_last_error());
            return 64;
        }
    }
    return 0;
}

static int run(bk_keeper *k, const char *operation, const char *args) {
    char *done = bk_call(k, operation, args[0] != '\0' ? args : NULL);
    if (done == NULL) {
        fprintf(stderr, "%s: %s\n", operation, bk_last_error());
        return 64;
    }
    int failed = bk_pick_number(done, "ok", 0) != 1;
    puts(done);
    bk_free(done);
    return failed;
}

int drive(int argc, char **argv) {
    if (argc < 3) {
        return 64;
    }
    bk_keeper *k = bk_new();
    int status = k == NULL ? 64 : set_options(k, argv + 3);
    if (status == 0) {
        int rc = bk_open(k);
        if (rc < 0) {
            printf("{\"ok\":false,\"error\":{\"code\":\"%s\"}}\n", bk_error_name(rc));
            fprintf(stderr, "bk_open: %s\n", bk_last_error());
            status = 2;
        } else if (strcmp(argv[1], "-") != 0) {
            status = run(k, argv[1], argv[2]);
        }
    }
    fflush(stdout);
    bk_shutdown(k, 10000);
    bk_close(k);
    return status;
}
