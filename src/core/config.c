/*
 * The option table, the values in force, and what is a value of each option. Not where
 * values come from outside (config_resolve.c, config_dotenv.c) nor what a database URL
 * means (config_database.c). api calls it to set and resolve; everybody reads.
 */
#include <core/config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/near.h>
#include <base/text.h>
#include <core/config_inside.h>
#include <core/error.h>

#define VALUE_LIMIT 65536

const struct bk__option_row bk__option_rows[BK__OPTION_COUNT] = {
#define O(id, name, type, unit, fallback, min, max, choices, environment, doc)           \
    {name, type, unit, fallback, min, max, choices, environment, doc},
    BK__OPTIONS(O)
#undef O
};

/* The names of its variables lead to an option, too: DATABASE_URL to database. */
static void try_variables(struct bk__near *near, const char *name, int option) {
    char variable[64];
    const char *at = bk__option_rows[option].environment;
    while (*at) {
        size_t length = strcspn(at, ",");
        snprintf(variable, sizeof variable, "%.*s", (int)length, at);
        bk__near_try(near, name, variable, bk__option_rows[option].name);
        at += length + (at[length] == ',');
    }
}

static int refuse_option(const char *name) {
    struct bk__near near = {0};
    for (int i = 0; i < BK__OPTION_COUNT; i++) {
        bk__near_try(&near, name, bk__option_rows[i].name, bk__option_rows[i].name);
        try_variables(&near, name, i);
    }
    if (near.name) {
        return bk__fail(
            BK_ENOTFOUND,
            "There is no option \"%.100s\". Nothing was changed. Did you mean "
            "\"%s\"?",
            name, near.name);
    }
    return bk__fail(BK_ENOTFOUND,
                    "There is no option \"%.100s\". Nothing was changed. See "
                    "docs/reference/options.md or \"botkeep describe\" for all of them.",
                    name);
}

static int find_option(const char *name) {
    for (int i = 0; i < BK__OPTION_COUNT; i++) {
        if (strcmp(bk__option_rows[i].name, name) == 0) {
            return i;
        }
    }
    return refuse_option(name);
}

struct bk__config *bk__config_new(void) {
    struct bk__config *config = calloc(1, sizeof *config);
    if (!config) {
        bk__fail_memory();
        return NULL;
    }
    for (int i = 0; i < BK__OPTION_COUNT; i++) {
        if (bk__config_force(config, (enum bk__option)i, bk__option_rows[i].fallback,
                             "default") < 0) {
            bk__config_free(config);
            return NULL;
        }
    }
    return config;
}

static void wipe(char *text) {
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

void bk__config_free(struct bk__config *config) {
    if (!config) {
        return;
    }
    for (int i = 0; i < BK__OPTION_COUNT; i++) {
        wipe(config->settings[i].given);
        wipe(config->settings[i].value);
        free(config->settings[i].source);
    }
    free(config);
}

int bk__config_force(struct bk__config *config, enum bk__option option, const char *value,
                     const char *source) {
    struct bk__setting *setting = &config->settings[option];
    char *new_value = strdup(value);
    char *new_source = strdup(source);
    if (!new_value || !new_source) {
        wipe(new_value);
        free(new_source);
        return bk__fail_memory();
    }
    wipe(setting->value);
    free(setting->source);
    setting->value = new_value;
    setting->source = new_source;
    return 0;
}

/* ---- what is a value --------------------------------------------------------------- */

static bool is_choice(const char *choices, const char *text) {
    size_t length = strlen(text);
    const char *at = choices;
    while (*at) {
        size_t word = strcspn(at, "|");
        if (word == length && memcmp(at, text, length) == 0) {
            return true;
        }
        at += word;
        at += *at == '|';
    }
    return false;
}

static bool in_range(const struct bk__option_row *row, double value) {
    return value >= row->min && value <= row->max;
}

static bool is_value(const struct bk__option_row *row, const char *text) {
    int64_t whole = 0;
    double number = 0;
    bool truth = false;
    switch (row->type) {
    case BK__INT:
        return bk__text_int(text, &whole) && in_range(row, (double)whole);
    case BK__NUMBER:
        return bk__text_number(text, &number) && in_range(row, number);
    case BK__BOOL:
        return bk__text_bool(text, &truth);
    case BK__CHOICE:
        return is_choice(row->choices, text);
    case BK__TEXT:
    case BK__PATH:
    case BK__SECRET:
        return true;
    }
    return false;
}

/* "a whole number from 0 to 100000 (ms)" */
static void say_allowed(struct bk__buf *buf, const struct bk__option_row *row) {
    switch (row->type) {
    case BK__INT:
    case BK__NUMBER:
        bk__buf_printf(buf, "%s from %.15g to %.15g",
                       row->type == BK__INT ? "a whole number" : "a number", row->min,
                       row->max);
        break;
    case BK__BOOL:
        bk__buf_text(buf, "true, false, 1, 0, yes, no, on or off");
        break;
    case BK__CHOICE:
        for (const char *at = row->choices; *at; at++) {
            bk__buf_text(buf, *at == '|' ? ", " : (char[]){*at, '\0'});
        }
        break;
    case BK__TEXT:
    case BK__PATH:
    case BK__SECRET:
        bk__buf_text(buf, "UTF-8 text of at most 65536 bytes");
        break;
    }
    if (row->unit[0]) {
        bk__buf_printf(buf, " (%s)", row->unit);
    }
}

static int refuse(const struct bk__option_row *row, const char *shown,
                  const char *source) {
    struct bk__buf allowed = {0};
    say_allowed(&allowed, row);
    bool from_set = source[0] == '\0';
    int code = bk__fail(
        BK_EINVAL, "The option %s cannot be %s%s%s%s. It takes %s. Nothing was changed.",
        row->name, shown, from_set ? "" : " (", source, from_set ? "" : ")",
        allowed.data ? allowed.data : "another value");
    bk__buf_free(&allowed);
    return code;
}

int bk__config_check(enum bk__option option, const char *text, const char *source) {
    const struct bk__option_row *row = &bk__option_rows[option];
    if (strlen(text) > VALUE_LIMIT) {
        return refuse(row, "a text that long", source);
    }
    if (!bk__text_utf8(text)) {
        return refuse(row, "text that is not UTF-8", source);
    }
    if (is_value(row, text)) {
        return 0;
    }
    if (row->type == BK__SECRET) {
        return refuse(row, "the value given", source);
    }
    char *hidden = bk__text_redact(text); /* a URL may stand in the wrong variable */
    char *shown = hidden ? bk__text_printf("\"%.200s\"", hidden) : NULL;
    free(hidden);
    if (!shown) {
        return bk__fail_memory();
    }
    char *clean = bk__text_clean(shown); /* .200 may have cut a character in two */
    int code = refuse(row, clean ? clean : "the value given", source);
    free(clean);
    free(shown);
    return code;
}

/* ---- setting and reading ----------------------------------------------------------- */

int bk__config_set(struct bk__config *config, const char *option, const char *value) {
    int found = find_option(option);
    if (found < 0) {
        return found;
    }
    enum bk__option id = (enum bk__option)found;
    struct bk__setting *setting = &config->settings[id];
    if (!value) {
        int code = bk__config_force(config, id, bk__option_rows[id].fallback, "default");
        if (code == 0) {
            wipe(setting->given);
            setting->given = NULL;
        }
        return code;
    }
    int code = bk__config_check(id, value, "");
    if (code < 0) {
        return code;
    }
    char *given = strdup(value);
    if (!given) {
        return bk__fail_memory();
    }
    code = bk__config_force(config, id, value, "set");
    if (code < 0) {
        wipe(given);
        return code;
    }
    wipe(setting->given);
    setting->given = given;
    return 0;
}

char *bk__config_show(const struct bk__config *config, const char *option) {
    int found = find_option(option);
    if (found < 0) {
        return NULL;
    }
    const char *value = config->settings[found].value;
    /* A login without its redis:// is no URL to who hides passwords in URLs. */
    bool bare = found == BK__OPT_REDIS && strchr(value, '@') && !strstr(value, "://");
    bool secret = (bk__option_rows[found].type == BK__SECRET && value[0]) || bare;
    char *shown = secret ? strdup("***") : bk__text_redact(value);
    if (!shown) {
        bk__fail_memory();
    }
    return shown;
}

const char *bk__config_text(const struct bk__config *config, enum bk__option option) {
    return config->settings[option].value;
}

const char *bk__config_source(const struct bk__config *config, enum bk__option option) {
    return config->settings[option].source;
}

int64_t bk__config_int(const struct bk__config *config, enum bk__option option) {
    int64_t value = 0;
    bk__text_int(config->settings[option].value, &value);
    return value;
}

double bk__config_number(const struct bk__config *config, enum bk__option option) {
    double value = 0;
    bk__text_number(config->settings[option].value, &value);
    return value;
}

bool bk__config_bool(const struct bk__config *config, enum bk__option option) {
    bool value = false;
    bk__text_bool(config->settings[option].value, &value);
    return value;
}
