/*
 * The fuzzer of the migration file parser: any bytes, and any file name. What it checks beside
 * memory: up and down are pieces of the text, and a checksum is there. tests/fuzz/run runs it.
 */
#include <migrate/migrate.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good) {
    if (!good) {
        abort();
    }
}

static void parse_name(const char *text) {
    int64_t version = -1;
    char *name = NULL;
    const char *why = bk__files_name(text, &version, &name);
    need((why == NULL) == (name != NULL));
    need(why || (version >= 0 && version <= BK__VERSION_MAX));
    need(why || (strstr(text, name) && strlen(name) > 0));
    free(name);
}

static void parse_text(const char *text, size_t size) {
    char file[] = "0001_x.sql";
    struct bk__migration m = {.file = file};
    int rc = bk__section_parse(&m, text, size);
    need(rc == 0 || rc == BK_EMIGRATION);
    if (rc == 0) {
        need(m.up && strstr(text, m.up) && m.up_line >= 1);
        need(!m.down || strstr(text, m.down));
        need(strlen(m.checksum) == BK__SHA256_HEX - 1);
        need(strlen(text) == size);
    } else {
        need(strstr(bk__error_text(), "Nothing was changed") != NULL);
    }
    free(m.up);
    free(m.down);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    need(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    parse_name(text);
    parse_text(text, size);
    free(text);
    return 0;
}
