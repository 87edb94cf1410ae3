/*
 * Where values come from: bk_set() before the environment before the .env file before the
 * default; then paths are made absolute and the database URL becomes a path. The
 * environment is read here and nowhere else. bk_open() calls it.
 */
#include <core/config_inside.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <core/error.h>
#include <os/file.h>

#define DOTENV_LIMIT (1024 * 1024)

static int environment(const char *names, char **ret, char **ret_name) {
    *ret = NULL;
    *ret_name = NULL;
    for (const char *name = names; *name;) {
        size_t length = strcspn(name, ",");
        char *one = strndup(name, length);
        if (!one) {
            return bk__fail_memory();
        }
        const char *value = getenv(one);
        if (value && value[0]) {
            *ret = strdup(value);
            *ret_name = one;
            return *ret ? 0 : bk__fail_memory();
        }
        free(one);
        name += length;
        name += *name == ',';
    }
    return 0;
}

/* Checks a value from outside and makes it the one in force. */
static int adopt(struct bk__config *config, enum bk__option option, const char *source,
                 const char *value) {
    int code = bk__config_check(option, value, source);
    return code == 0 ? bk__config_force(config, option, value, source) : code;
}

int bk__config_variable(const char *dotenv, const char *names, char **ret,
                        char **ret_source) {
    char *name = NULL;
    const char *kind = "environment";
    int code = environment(names, ret, &name);
    *ret_source = NULL;
    if (code == 0 && !*ret && dotenv) {
        kind = ".env";
        code = bk__config_dotenv(dotenv, names, ret, &name);
    }
    if (code == 0 && *ret) {
        *ret_source = bk__text_printf("%s %s", kind, name);
        code = *ret_source ? 0 : bk__fail_memory();
    }
    free(name);
    return code;
}

static void wipe(char *text) {
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

static int resolve_one(struct bk__config *config, enum bk__option option,
                       const char *dotenv) {
    const char *names = bk__option_rows[option].environment;
    const char *given = config->settings[option].given;
    if (given) {
        return bk__config_force(config, option, given, "set");
    }
    char *value = NULL;
    char *source = NULL;
    int code = bk__config_variable(dotenv, names, &value, &source);
    if (code == 0 && value) {
        code = adopt(config, option, source, value);
    } else if (code == 0) {
        code =
            bk__config_force(config, option, bk__option_rows[option].fallback, "default");
    }
    wipe(value);
    free(source);
    return code;
}

/* The .env file's text; *ret stays NULL where there is none and none was asked for. */
static int load_dotenv(const struct bk__config *config, char **ret) {
    const struct bk__setting *setting = &config->settings[BK__OPT_ENV_FILE];
    const char *path =
        setting->given ? setting->given : bk__option_rows[BK__OPT_ENV_FILE].fallback;
    if (!path[0]) {
        return 0;
    }
    size_t size = 0;
    int err = bk__file_load(path, DOTENV_LIMIT, ret, &size);
    if (err == 0 && strlen(*ret) != size) {
        return bk__fail(
            BK_EINVAL,
            "The file \"%s\" holds a NUL byte, so it is no .env file. Nothing was "
            "changed. Set the option env.file to another file, or to nothing.",
            path);
    }
    /* A folder called .env is a Python environment: none of ours, unless it was asked
     * for. */
    if (err == 0 ||
        ((err == -ENOENT || err == -EISDIR || err == -ENOTDIR) && !setting->given)) {
        return 0;
    }
    return bk__fail_errno(
        err, "cannot read the .env file", path,
        "Set the option env.file to another file, or to nothing to read none.");
}

static int make_absolute(struct bk__config *config, enum bk__option option) {
    const char *value = bk__config_text(config, option);
    if (!value[0]) {
        return 0;
    }
    char *path = bk__file_absolute(value);
    char *source = strdup(bk__config_source(config, option));
    int code = path && source ? bk__config_force(config, option, path, source)
                              : bk__fail_memory();
    free(source);
    free(path);
    return code;
}

/* Nobody named a database: variables that describe a server may. */
static int resolve_server(struct bk__config *config, const char *dotenv) {
    char *url = NULL;
    char *source = NULL;
    int code = bk__config_server_url(dotenv, &url, &source);
    if (code == 0 && url) {
        code = adopt(config, BK__OPT_DATABASE, source, url);
    }
    wipe(url);
    free(source);
    return code;
}

/*
 * The same for Redis; host:port, or a socket's path, is a URL that lacks its beginning. Where the database itself is a
 * Redis server, REDIS_URL and its companions describe that one: not a second one beside it.
 */
static int resolve_redis(struct bk__config *config, const char *dotenv) {
    const char *value = bk__config_text(config, BK__OPT_REDIS);
    bool given = config->settings[BK__OPT_REDIS].given != NULL;
    char *url = NULL;
    char *source = NULL;
    int code = 0;
    if (!given && bk__config_is_redis(bk__config_text(config, BK__OPT_DATABASE))) {
        return bk__config_force(config, BK__OPT_REDIS, "", "default");
    }
    if (!value[0]) {
        code = given ? 0 : bk__config_redis_url(dotenv, &url, &source);
    } else if (!strstr(value, "://") && strchr(value, '@')) {
        code =
            bk__fail(BK_EINVAL,
                     "The option redis (%s) holds a login but no redis:// before it. "
                     "Nothing was changed. Write redis://[[user]:password@]host[:port].",
                     bk__config_source(config, BK__OPT_REDIS));
    } else if (!strstr(value, "://")) {
        url = bk__text_printf(value[0] == '/' ? "unix://%s" : "redis://%s", value);
        source = strdup(bk__config_source(config, BK__OPT_REDIS));
        code = url && source ? 0 : bk__fail_memory();
    }
    if (code == 0 && url) {
        code = adopt(config, BK__OPT_REDIS, source, url);
    }
    wipe(url);
    free(source);
    return code;
}

static int resolve_database(struct bk__config *config, const char *dotenv) {
    const char *value = bk__config_text(config, BK__OPT_DATABASE);
    if (!value[0]) {
        return resolve_server(config, dotenv);
    }
    char *path = NULL;
    char *source = strdup(bk__config_source(config, BK__OPT_DATABASE));
    int code = source ? bk__config_database_path(value, &path) : bk__fail_memory();
    if (code == 0) {
        code = bk__config_force(config, BK__OPT_DATABASE, path, source);
    }
    free(source);
    wipe(path);
    return code;
}

bool bk__config_on_server(const struct bk__config *config) {
    return bk__config_is_server(bk__config_text(config, BK__OPT_DATABASE));
}

bool bk__config_has_data(const struct bk__config *config) {
    const char *database = bk__config_text(config, BK__OPT_DATABASE);
    if (!database[0]) {
        return bk__config_text(config, BK__OPT_REDIS)[0] != '\0';
    }
    return bk__config_is_server(database) || bk__file_exists(database);
}

/* Beside the database file, because that folder is the one the bot can write and keeps. */
static int resolve_state_dir(struct bk__config *config) {
    if (bk__config_text(config, BK__OPT_STATE_DIR)[0]) {
        return 0;
    }
    const char *database = bk__config_text(config, BK__OPT_DATABASE);
    bool file = database[0] && !bk__config_is_server(database);
    char *path =
        file ? bk__text_printf("%s.botkeep", database) : bk__file_absolute(".botkeep");
    int code = path ? bk__config_force(config, BK__OPT_STATE_DIR, path, "default")
                    : bk__fail_memory();
    free(path);
    return code;
}

int bk__config_resolve(struct bk__config *config) {
    char *dotenv = NULL;
    int code = load_dotenv(config, &dotenv);
    for (int i = 0; code == 0 && i < BK__OPTION_COUNT; i++) {
        code = resolve_one(config, (enum bk__option)i, dotenv);
    }
    if (code == 0) {
        code = resolve_database(config, dotenv);
    }
    if (code == 0) {
        code = resolve_redis(config, dotenv);
    }
    for (int i = 0; code == 0 && i < BK__OPTION_COUNT; i++) {
        bool url = i == BK__OPT_DATABASE && bk__config_on_server(config);
        if (bk__option_rows[i].type == BK__PATH && !url) {
            code = make_absolute(config, (enum bk__option)i);
        }
    }
    if (code == 0) {
        code = resolve_state_dir(config);
    }
    wipe(dotenv);
    return code;
}
