/*
 * Writes a shell script and names it in BOTKEEP_HELPER. Not a test. The tests of the guest room
 * call it.
 */
#include "fakehelper.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

void use_fake_helper(const char *dir, const char *script) {
    char path[4200];
    FILE *file;

    snprintf(path, sizeof path, "%s/helper", dir);
    file = fopen(path, "w");
    if (file == NULL || fprintf(file, "#!/bin/sh\n%s", script) < 0 || fclose(file) != 0 ||
        chmod(path, 0700) != 0 || setenv("BOTKEEP_HELPER", path, 1) != 0) {
        perror(path);
        abort();
    }
}
