/*
 * The fuzzer of options from outside: an option's name, NUL, its value, NUL, a .env file's text.
 * What it checks beside memory: what is refused changes nothing, what is accepted lies in its
 * row's range, and no password stands in an error's text. tests/fuzz/run runs it.
 */
#include <core/config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <base/text.h>
#include <core/error.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int dotenv_fd;
static char dotenv_path[64];

static void need(bool good) {
    if (!good) {
        abort();
    }
}

/* What the developer's own environment says must not decide. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    for (int i = 0; i < BK__OPTION_COUNT; i++) {
        char *names = strdup(bk__option_rows[i].environment), *rest = names;

        for (char *name; (name = strsep(&rest, ",")) != NULL;) {
            unsetenv(name);
        }
        free(names);
    }
    dotenv_fd = memfd_create("dotenv", MFD_CLOEXEC);
    need(dotenv_fd >= 0);
    snprintf(dotenv_path, sizeof dotenv_path, "/proc/self/fd/%d", dotenv_fd);
    return 0;
}

static void check_error(int code) {
    const char *text = bk__error_text();

    need(code == BK_EINVAL || code == BK_ENOTFOUND || code == BK_EUNSUPPORTED);
    need(strlen(text) > 20 && bk__text_utf8(text));
    bk__error_clear();
}

static void check_values(const struct bk__config *config) {
    for (int i = 0; i < BK__OPTION_COUNT; i++) {
        const struct bk__option_row *row = &bk__option_rows[i];
        enum bk__option option = (enum bk__option)i;
        double number = row->type == BK__INT ? (double)bk__config_int(config, option)
                                             : bk__config_number(config, option);
        char *shown = bk__config_show(config, row->name);

        need(bk__text_utf8(bk__config_text(config, option)));
        need(bk__config_source(config, option)[0] != '\0');
        if (row->type == BK__INT || row->type == BK__NUMBER) {
            need(number >= row->min && number <= row->max);
        }
        need(shown && (row->type != BK__SECRET || !*shown || strcmp(shown, "***") == 0));
        free(shown);
    }
}

static void set(struct bk__config *config, const char *option, const char *value) {
    char *before = bk__config_show(config, option);
    int code = bk__config_set(config, option, value);

    need((code == BK_ENOTFOUND) == (before == NULL));
    if (code != 0) {
        char *after = bk__config_show(config, option);

        bk__config_set(config, option, value); /* for its text */
        check_error(code);
        need(!before || strcmp(before, after) == 0);
        free(after);
    }
    check_values(config);
    free(before);
}

static void resolve(struct bk__config *config, const char *dotenv) {
    size_t size = strlen(dotenv);
    int code;

    need(ftruncate(dotenv_fd, 0) == 0);
    need(pwrite(dotenv_fd, dotenv, size, 0) == (ssize_t)size);
    need(bk__config_set(config, "env.file", dotenv_path) == 0);
    code = bk__config_resolve(config);
    if (code != 0) {
        check_error(code);
        return;
    }
    check_values(config);
    need(bk__config_text(config, BK__OPT_BACKUP_DIR)[0] == '/' ||
         bk__config_text(config, BK__OPT_BACKUP_DIR)[0] == '\0');
    need(bk__config_text(config, BK__OPT_STATE_DIR)[0] == '/');
}

/* Any password at all, in a URL of a kind of store that is refused, with its URL in the text. */
static void hide_password(const char *password) {
    char *url = bk__text_printf("mysql://u:%s@host/db", password);
    struct bk__config *config = bk__config_new();

    need(url && config && bk__config_set(config, "env.file", "") == 0);
    if (bk__config_set(config, "database", url) == 0) {
        need(bk__config_resolve(config) == BK_EUNSUPPORTED);
        need(strstr(bk__error_text(), "\"mysql://u:***@host/db\"") != NULL);
    }
    /* In a variable it was not meant for. */
    if (bk__text_utf8(url) && strlen(url) < 65536) {
        need(bk__config_set(config, "backup.keep", url) == BK_EINVAL);
        need(strstr(bk__error_text(), "\"mysql://u:***@host/db\"") != NULL);
    }
    bk__error_clear();
    bk__config_free(config);
    free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bk__config *config = bk__config_new();
    char *text = malloc(size + 3), *value, *dotenv;

    need(text && config);
    memcpy(text, data, size);
    memset(text + size, 0, 3);
    value = text + strlen(text) + 1;
    dotenv = value < text + size ? value + strlen(value) + 1 : value;
    set(config, text, value);
    resolve(config, dotenv);
    hide_password(value);
    bk__config_free(config);
    free(text);
    return 0;
}
