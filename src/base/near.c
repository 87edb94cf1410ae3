/*
 * Distances between names: letters to add, drop, change or swap with their neighbour.
 * It compares letters, not meanings. Error texts for options and operations use it.
 */
#include <base/near.h>

#include <stdbool.h>
#include <string.h>

enum { LONGEST = 40 }; /* letters; no known name has as many */

/* The letters and digits of a name in lower case. False: too long to be a slip of ours. */
static bool letters_of(const char *name, char out[LONGEST + 1]) {
    size_t size = 0;
    for (; *name; name++) {
        bool upper = *name >= 'A' && *name <= 'Z';
        if (!strchr("._- ", *name)) {
            if (size == LONGEST) {
                return false;
            }
            out[size++] = upper ? (char)(*name - 'A' + 'a') : *name;
        }
    }
    out[size] = '\0';
    return true;
}

static size_t least(size_t a, size_t b, size_t c) {
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Optimal string alignment: row i of the table is about the first i letters of a. */
static size_t distance(const char *a, const char *b) {
    size_t rows[LONGEST + 1][LONGEST + 1];
    size_t width = strlen(b);
    size_t height = strlen(a);
    for (size_t i = 0; i <= height; i++) {
        for (size_t j = 0; j <= width; j++) {
            if (i == 0 || j == 0) {
                rows[i][j] = i + j;
                continue;
            }
            size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            rows[i][j] =
                least(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + cost);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && rows[i - 2][j - 2] + 1 < rows[i][j]) {
                rows[i][j] = rows[i - 2][j - 2] + 1;
            }
        }
    }
    return rows[height][width];
}

void bk__near_try(struct bk__near *best, const char *typed, const char *candidate,
                  const char *name) {
    char a[LONGEST + 1];
    char b[LONGEST + 1];
    if (!letters_of(typed, a) || !letters_of(candidate, b)) {
        return;
    }
    size_t apart = distance(a, b);
    size_t allowed = 1 + strlen(a) / 5;
    if (apart <= allowed && apart < strlen(a) &&
        (!best->name || apart < best->distance)) {
        best->name = name;
        best->distance = apart;
    }
}
