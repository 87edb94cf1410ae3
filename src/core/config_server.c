/*
 * A server described by several variables, as one URL: POSTGRES_HOST, _PORT, _DB_NAME, _DB, _USER,
 * _PASSWORD, or what libpq itself reads; REDIS_HOST and its companions. Not what a URL means: its
 * driver knows. config_resolve.c calls it where the option database, or redis, is unset.
 */
#include <core/config_inside.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <core/error.h>

enum part { HOST, PORT, DATABASE, USER, PASSWORD, PARTS };

/* One family is read as a whole: a PGPASSWORD for psql says nothing about POSTGRES_HOST. */
static const struct family {
    const char *names[PARTS];
    const char *host; /* where none is named; "": libpq's own default */
    const char *user;
} families[] = {
    {{"POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB_NAME,POSTGRES_DB", "POSTGRES_USER",
      "POSTGRES_PASSWORD"},
     "localhost",
     "postgres"},
    {{"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD"}, "", ""},
};

/* Everything but unreserved characters as %HH, so that any password survives. */
static void add_encoded(struct bk__buf *url, const char *text) {
    for (const char *at = text; *at; at++) {
        if (isascii((unsigned char)*at) &&
            (isalnum((unsigned char)*at) || strchr("-._~", *at))) {
            bk__buf_add(url, at, 1);
        } else {
            bk__buf_printf(url, "%%%02X", (unsigned)(unsigned char)*at);
        }
    }
}

/* Several hosts and folders of unix sockets go into the query, where libpq reads them whole. */
static bool is_plain(const char *host) {
    return !strpbrk(host, ",/");
}

static void add_host(struct bk__buf *url, const char *host, const char *port) {
    bool ipv6 = strchr(host, ':') && host[0] != '[';
    bk__buf_printf(url, ipv6 ? "[%s]" : "%s", host);
    if (port) {
        bk__buf_text(url, ":");
        add_encoded(url, port);
    }
}

static void add_query(struct bk__buf *url, const char *host, const char *port) {
    bk__buf_text(url, "?host=");
    add_encoded(url, host);
    if (port) {
        bk__buf_text(url, "&port=");
        add_encoded(url, port);
    }
}

static char *compose(const struct family *family, char *const parts[PARTS]) {
    const char *host = parts[HOST] ? parts[HOST] : family->host;
    const char *user = parts[USER] ? parts[USER] : family->user;
    struct bk__buf url = {0};
    bk__buf_text(&url, "postgresql://");
    if (*user || parts[PASSWORD]) {
        add_encoded(&url, user);
        if (parts[PASSWORD]) {
            bk__buf_text(&url, ":");
            add_encoded(&url, parts[PASSWORD]);
        }
        bk__buf_text(&url, "@");
    }
    if (is_plain(host)) {
        add_host(&url, host, parts[PORT]);
    }
    bk__buf_text(&url, "/");
    add_encoded(&url, parts[DATABASE] ? parts[DATABASE] : "");
    if (!is_plain(host)) {
        add_query(&url, host, parts[PORT]);
    }
    char *text = bk__buf_take(&url);
    bk__buf_free(&url);
    return text;
}

static void wipe(char *text) {
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

/* *ret_source is that of the host, or else of the database's name. */
static int read_family(const char *dotenv, const char *const names[PARTS],
                       char *parts[PARTS], char **ret_source) {
    int code = 0;
    for (int i = 0; code == 0 && i < PARTS; i++) {
        char *source = NULL;
        code = bk__config_variable(dotenv, names[i], &parts[i], &source);
        if (source && !*ret_source && (i == HOST || i == DATABASE)) {
            *ret_source = source;
        } else {
            free(source);
        }
    }
    return code;
}

int bk__config_server_url(const char *dotenv, char **ret_url, char **ret_source) {
    int code = 0;
    *ret_url = NULL;
    *ret_source = NULL;
    for (size_t i = 0; code == 0 && !*ret_url && i < sizeof families / sizeof *families;
         i++) {
        char *parts[PARTS] = {NULL};
        code = read_family(dotenv, families[i].names, parts, ret_source);
        if (code == 0 && *ret_source) {
            *ret_url = compose(&families[i], parts);
            code = *ret_url ? 0 : bk__fail_memory();
        }
        for (int part = 0; part < PARTS; part++) {
            wipe(parts[part]);
        }
    }
    return code;
}

/* ---- Redis ---------------------------------------------------------------------------- */

static char *compose_redis(char *const parts[PARTS]) {
    struct bk__buf url = {0};
    bool socket = parts[HOST][0] == '/';
    bk__buf_text(&url, socket ? "unix://" : "redis://");
    if (parts[USER] || parts[PASSWORD]) {
        add_encoded(&url, parts[USER] ? parts[USER] : "");
        bk__buf_text(&url, ":");
        add_encoded(&url, parts[PASSWORD] ? parts[PASSWORD] : "");
        bk__buf_text(&url, "@");
    }
    add_host(&url, parts[HOST], socket ? NULL : parts[PORT]);
    char *text = bk__buf_take(&url);
    bk__buf_free(&url);
    return text;
}

int bk__config_redis_url(const char *dotenv, char **ret_url, char **ret_source) {
    static const char *const names[PARTS] = {
        "REDIS_HOST", "REDIS_PORT", "", "REDIS_USERNAME,REDIS_USER", "REDIS_PASSWORD"};
    char *parts[PARTS] = {NULL};
    *ret_url = NULL;
    *ret_source = NULL;
    int code = read_family(dotenv, names, parts, ret_source);
    if (code == 0 && parts[HOST]) {
        *ret_url = compose_redis(parts);
        code = *ret_url ? 0 : bk__fail_memory();
    }
    for (int part = 0; part < PARTS; part++) {
        wipe(parts[part]);
    }
    return code;
}
