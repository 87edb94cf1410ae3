/*
 * What the option "database" means: a path out of a path or a URL as SQLAlchemy, Prisma,
 * dbmate and SQLite write it, or the URL of a server. It touches no file and reads no further
 * into a server's URL: its driver does. config_resolve.c calls it.
 */
#include <core/config_inside.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <base/text.h>
#include <core/error.h>

/* The length of a URL's scheme before "://", with "+driver" cut off; 0: no URL. */
static size_t scheme_length(const char *value) {
    const char *mark = strstr(value, "://");
    if (!mark) {
        return 0;
    }
    for (const char *at = value; at < mark; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("+-.", *at)) {
            return 0;
        }
    }
    return strcspn(value, "+:");
}

static int refuse_store(const char *value, size_t length) {
    char *shown = bk__text_redact(value);
    int code = bk__fail(
        BK_EUNSUPPORTED,
        "The option database is \"%.300s\", and this build keeps SQLite files, "
        "PostgreSQL databases and Redis servers, not %.*s. Nothing was touched. Set it "
        "to "
        "a path or a URL such as sqlite:///data/bot.db or postgresql://user@host/bot.",
        shown ? shown : "a URL", (int)length, value);
    free(shown);
    return code;
}

static int refuse_memory(void) {
    return bk__fail(
        BK_EUNSUPPORTED,
        "The option database names a database in memory, which no other part of the "
        "process can reach. Nothing was touched. Set it to the path of a file.");
}

static int refuse_form(const char *form) {
    return bk__fail(
        BK_EINVAL,
        "The option database begins with %s but names no file. Nothing was touched. "
        "Write sqlite:///relative.db, sqlite:////absolute.db or a plain path.",
        form);
}

/* Its value may hold a password and is not repeated. */
static int refuse_server_form(void) {
    return bk__fail(BK_EINVAL,
                    "The option database describes a server, but not as a URL that is "
                    "understood here. Nothing was touched. Write it without quotes as "
                    "postgresql://user:password@host:5432/name.");
}

/* "host=... dbname=...", as libpq takes it: the first keyword tells. */
static bool is_libpq_settings(const char *value) {
    static const char *const keywords[] = {"host",   "hostaddr", "port",    "user",
                                           "dbname", "password", "service", "sslmode"};
    const char *at = value + strspn(value, " ");
    size_t size = strcspn(at, " =");
    bool known = false;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        known =
            known || (size == strlen(keywords[i]) && strncmp(at, keywords[i], size) == 0);
    }
    return known && at[size + strspn(at + size, " ")] == '=';
}

/* A URL in quotes or behind another word, as jdbc:postgresql://. */
static bool is_hidden_url(const char *value) {
    return strstr(value, "postgres") && strstr(value, "://") && value[0] != '/' &&
           value[0] != '.';
}

static int hex_digit(char c) {
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : -1;
}

/* SQLite reads %HH in a file: URL, and in no other. */
static void decode_percent(char *path) {
    char *to = path;
    for (const char *at = path; *at; at++) {
        if (*at == '%' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
            int byte = hex_digit(at[1]) * 16 + hex_digit(at[2]);
            if (byte == 0) {
                break; /* as SQLite does: the name ends there */
            }
            *to++ = (char)byte;
            at += 2;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
}

static int keep_path(const char *from, size_t length, bool decode, char **ret_path) {
    char *path = strndup(from, length);
    if (!path) {
        return bk__fail_memory();
    }
    if (decode) {
        decode_percent(path);
    }
    if (strcmp(path, ":memory:") == 0) {
        free(path);
        return refuse_memory();
    }
    if (!bk__text_utf8(path)) {
        free(path);
        return bk__fail(BK_EINVAL,
                        "The option database is no UTF-8 once its %%HH are read. "
                        "Nothing was touched. Use a path in UTF-8.");
    }
    *ret_path = path;
    return 0;
}

/* file:path, file:/path, file:///path, file://localhost/path, each with ?query and
 * #fragment */
static int read_file_url(const char *value, char **ret_path) {
    const char *at = value + strlen("file:");
    if (strncmp(at, "//localhost/", 12) == 0) {
        at += 11;
    } else if (strncmp(at, "///", 3) == 0) {
        at += 2;
    } else if (strncmp(at, "//", 2) == 0) {
        return bk__fail(BK_EINVAL,
                        "The option database is a file: URL with a host name. Nothing "
                        "was touched. Write file:/absolute or file:relative.");
    }
    size_t length = strcspn(at, "?#");
    if (strstr(at + length, "mode=memory")) {
        return refuse_memory();
    }
    return length ? keep_path(at, length, true, ret_path) : refuse_form("file:");
}

/* sqlite:///relative, sqlite:////absolute, with any +driver; dbmate's sqlite:path */
static int read_sqlite_url(const char *value, char **ret_path) {
    const char *at = strchr(value, ':') + 1;
    if (strncmp(at, "///", 3) == 0) {
        at += 3;
    } else if (strcmp(at, "//") == 0) {
        return refuse_memory(); /* SQLAlchemy's sqlite:// is :memory: */
    } else if (strncmp(at, "//", 2) == 0) {
        return refuse_form("sqlite://");
    }
    size_t length = strcspn(at, "?");
    if (strstr(at + length, "mode=memory")) {
        return refuse_memory();
    }
    if (strncmp(at, "file:", 5) == 0) {
        return read_file_url(at, ret_path);
    }
    return length ? keep_path(at, length, false, ret_path) : refuse_form("sqlite:");
}

/* postgres://, postgresql://, and either with SQLAlchemy's +driver. */
static bool is_postgres(const char *value, size_t scheme) {
    return (scheme == 8 && strncasecmp(value, "postgres", 8) == 0) ||
           (scheme == 10 && strncasecmp(value, "postgresql", 10) == 0);
}

/* redis://, rediss://, redis+unix://, unix://: the driver tells which of them it can reach. */
static bool is_redis(const char *value, size_t scheme) {
    static const char *const schemes[] = {"redis", "rediss", "redis-socket", "valkey",
                                          "unix"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (scheme == strlen(schemes[i]) && strncmp(value, schemes[i], scheme) == 0) {
            return true;
        }
    }
    return false;
}

bool bk__config_is_redis(const char *database) {
    return is_redis(database, scheme_length(database));
}

bool bk__config_is_server(const char *database) {
    size_t scheme = scheme_length(database);
    return is_postgres(database, scheme) || is_redis(database, scheme);
}

int bk__config_database_path(const char *value, char **ret_path) {
    if (strncasecmp(value, "sqlite:", 7) == 0 || strncasecmp(value, "sqlite3:", 8) == 0 ||
        strncasecmp(value, "sqlite+", 7) == 0) {
        return strchr(value, ':') ? read_sqlite_url(value, ret_path)
                                  : refuse_form("sqlite+");
    }
    if (strncasecmp(value, "file:", 5) == 0) {
        return read_file_url(value, ret_path);
    }
    size_t scheme = scheme_length(value);
    if (is_postgres(value, scheme) || is_redis(value, scheme)) {
        size_t length = strlen(value);
        while (isspace((unsigned char)value[length - 1])) {
            length--; /* of a file that ends its line, as secrets do */
        }
        *ret_path = strndup(value, length);
        return *ret_path ? 0 : bk__fail_memory();
    }
    if (scheme) {
        return refuse_store(value, scheme);
    }
    if (is_libpq_settings(value) || is_hidden_url(value)) {
        return refuse_server_form();
    }
    return keep_path(value, strlen(value), false, ret_path);
}
