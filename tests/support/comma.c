/*
 * A host that has called setlocale() with a decimal comma: LC_NUMERIC as glibc stores it, written
 * into the sandbox and found by LOCPATH. Not a sandbox of its own. The tests of numbers call it.
 */
#include "comma.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sandbox.h"

/* glibc's magic number for the category, six offsets, and the six values: decimal point,
   thousands separator, grouping, both again as wide characters, code set. */
static const uint32_t head[] = {0x20031115 ^ LC_NUMERIC, 6, 32, 34, 35, 36, 40, 44};
static const char values[] = ",\0\0\0,\0\0\0\0\0\0\0UTF-8";

void comma_begin(void) {
    char file[1024], text[8];
    FILE *out;

    snprintf(file, sizeof file, "%s", sandbox_path("comma"));
    mkdir(file, 0700);
    setenv("LOCPATH", sandbox_dir(), 1);
    strcat(file, "/LC_NUMERIC");
    out = fopen(file, "we");
    if (!out || fwrite(head, sizeof head, 1, out) != 1 ||
        fwrite(values, sizeof values, 1, out) != 1 || fclose(out) != 0 ||
        !setlocale(LC_NUMERIC, "comma")) {
        abort();
    }
    unsetenv(
        "LOCPATH"); /* while it is set, each newlocale("C") of glibc leaks a list of folders */
    snprintf(text, sizeof text, "%.1f", 1.5);
    if (strcmp(text, "1,5") != 0) {
        abort();
    }
}

void comma_end(void) {
    setlocale(LC_NUMERIC, "C");
}
