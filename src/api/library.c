/*
 * Exported functions that need no keeper: the library's ABI, version, errors, tables and memory.
 * Called by hosts alone.
 */
#include <botkeep.h>

#include <stdlib.h>

#include <core/describe.h>
#include <core/error.h>

int bk_abi(void) {
    return BK_ABI;
}

const char *bk_version(void) {
    return BK_VERSION;
}

const char *bk_error_name(int error) {
    return bk__error_name(error);
}

const char *bk_last_error(void) {
    return bk__error_text();
}

char *bk_describe(void) {
    bk__error_clear();
    return bk__describe();
}

void bk_free(char *text) {
    free(text);
}
