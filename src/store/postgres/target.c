/*
 * Reading postgresql:// URLs as libpq, SQLAlchemy, asyncpg and Prisma write them. Passwords with
 * raw or encoded signs survive; what only an ORM understands is left out. Not the choice of a
 * database by variables (core). driver.c and replace call it.
 */
#include <store/postgres/target.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/text.h>
#include <core/error.h>

/* What libpq takes in a URL. */
static const char *const known[] = {"host",
                                    "hostaddr",
                                    "port",
                                    "user",
                                    "password",
                                    "dbname",
                                    "passfile",
                                    "service",
                                    "options",
                                    "sslmode",
                                    "sslcert",
                                    "sslkey",
                                    "sslrootcert",
                                    "sslcrl",
                                    "sslcrldir",
                                    "sslsni",
                                    "ssl_min_protocol_version",
                                    "ssl_max_protocol_version",
                                    "channel_binding",
                                    "requirepeer",
                                    "gssencmode",
                                    "krbsrvname",
                                    "gsslib",
                                    "connect_timeout",
                                    "application_name",
                                    "target_session_attrs",
                                    "load_balance_hosts",
                                    "keepalives",
                                    "keepalives_idle",
                                    "keepalives_interval",
                                    "keepalives_count",
                                    "tcp_user_timeout"};
#define KNOWN (sizeof known / sizeof known[0])

static bool is_known(const char *keyword) {
    for (size_t i = 0; i < KNOWN; i++) {
        if (strcmp(known[i], keyword) == 0) {
            return true;
        }
    }
    return false;
}

static void wipe(char *text) {
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

void bk__pg_target_free(struct bk__pg_target *target) {
    for (int i = 0; i < target->count; i++) {
        free(target->keywords[i]);
        wipe(target->values[i]);
    }
    free(target->shown);
    memset(target, 0, sizeof *target);
}

static int find(const struct bk__pg_target *target, const char *keyword) {
    for (int i = 0; i < target->count; i++) {
        if (strcmp(target->keywords[i], keyword) == 0) {
            return i;
        }
    }
    return -1;
}

const char *bk__pg_target_find(const struct bk__pg_target *target, const char *keyword) {
    int at = find(target, keyword);
    return at < 0 ? NULL : target->values[at];
}

/* Takes value; the last one of a keyword is in force. */
static int put(struct bk__pg_target *target, const char *keyword, char *value) {
    int at = find(target, keyword);
    if (value == NULL) {
        return bk__fail_memory();
    }
    if (at >= 0) {
        wipe(target->values[at]);
        target->values[at] = value;
        return 0;
    }
    char *name = target->count < BK__PG_KEYWORDS ? strdup(keyword) : NULL;
    if (name == NULL) {
        wipe(value);
        return bk__fail_memory();
    }
    target->keywords[target->count] = name;
    target->values[target->count] = value;
    target->count++;
    return 0;
}

static int refuse(const struct bk__pg_target *target, const char *why) {
    return bk__fail(
        BK_EINVAL,
        "The option database is \"%.300s\": %s. Nothing was touched. Write "
        "postgresql://user:password@host:5432/name, signs like @ : / ? # %% in the "
        "password as %%40 %%3A %%2F %%3F %%23 %%25.",
        target->shown, why);
}

/* ---- pieces ----------------------------------------------------------------------------- */

static int digit(char c) {
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : -1;
}

/* A copy with its %HH read. NULL with the error set. */
static char *decode(const struct bk__pg_target *target, const char *from, size_t size) {
    char *text = malloc(size + 1);
    char *to = text;
    if (text == NULL) {
        bk__fail_memory();
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        if (from[i] != '%') {
            *to++ = from[i];
            continue;
        }
        int high = size - i > 2 ? digit(from[i + 1]) : -1;
        int low = high >= 0 ? digit(from[i + 2]) : -1;
        if (low < 0 || high * 16 + low == 0) {
            free(text);
            refuse(target, "a % in it is not followed by two hexadecimal digits");
            return NULL;
        }
        *to++ = (char)(high * 16 + low);
        i += 2;
    }
    *to = '\0';
    return text;
}

/* Nothing where the piece is empty: libpq's own default then holds. */
static int put_piece(struct bk__pg_target *target, const char *keyword, const char *from,
                     size_t size) {
    if (size == 0) {
        return 0;
    }
    char *value = decode(target, from, size);
    return value == NULL ? BK_EINVAL : put(target, keyword, value);
}

/* user:password, the password up to the end whatever is in it. */
static int read_user(struct bk__pg_target *target, const char *from, size_t size) {
    const char *colon = memchr(from, ':', size);
    size_t user = colon == NULL ? size : (size_t)(colon - from);
    int rc = put_piece(target, "user", from, user);
    if (rc == 0 && colon != NULL) {
        rc = put_piece(target, "password", colon + 1, size - user - 1);
    }
    return rc;
}

/* The lists libpq wants: "a,b" and "5432,5433". */
struct hosts {
    struct bk__buf names;
    struct bk__buf ports;
    int count;
    bool named, ported; /* any of them */
};

static int add_host(struct bk__pg_target *target, struct hosts *hosts, const char *from,
                    size_t size) {
    bool bracket = size > 0 && from[0] == '[';
    const char *end = bracket ? memchr(from, ']', size) : NULL;
    if (bracket && end == NULL) {
        return refuse(target, "a [ without its ]");
    }
    const char *name = bracket ? from + 1 : from;
    const char *colon = bracket ? end + 1 : memchr(from, ':', size);
    size_t left = colon == NULL ? 0 : size - (size_t)(colon - from);
    size_t length = bracket ? (size_t)(end - name) : size - left;
    size_t port = left > 0 ? left - 1 : 0;
    if (left > 0 && (*colon != ':' || strspn(colon + 1, "0123456789") < port)) {
        return refuse(target, "what stands after the host is no port");
    }
    char *decoded = decode(target, name, length);
    if (decoded == NULL) {
        return BK_EINVAL;
    }
    bk__buf_printf(&hosts->names, "%s%s", hosts->count > 0 ? "," : "", decoded);
    bk__buf_text(&hosts->ports, hosts->count > 0 ? "," : "");
    bk__buf_add(&hosts->ports, left > 0 ? colon + 1 : "", port);
    hosts->named = hosts->named || *decoded != '\0';
    hosts->ported = hosts->ported || port > 0;
    hosts->count++;
    free(decoded);
    return 0;
}

static int put_hosts(struct bk__pg_target *target, struct hosts *hosts) {
    int rc = 0;
    if (hosts->named) {
        rc = put(target, "host", bk__buf_take(&hosts->names));
    }
    if (rc == 0 && hosts->ported) {
        rc = put(target, "port", bk__buf_take(&hosts->ports));
    }
    bk__buf_free(&hosts->names);
    bk__buf_free(&hosts->ports);
    return rc;
}

/* a:1,b:2 as it stands between @ and / */
static int read_hosts(struct bk__pg_target *target, const char *from, size_t size) {
    struct hosts hosts = {0};
    const char *end = from + size;
    int rc = 0;
    while (rc == 0 && from <= end) {
        const char *comma = memchr(from, ',', (size_t)(end - from));
        const char *stop = comma == NULL ? end : comma;
        rc = add_host(target, &hosts, from, (size_t)(stop - from));
        from = stop + 1;
    }
    int kept = put_hosts(target, &hosts);
    return rc != 0 ? rc : kept;
}

/* ---- ?name=value ------------------------------------------------------------------------ */

/* libpq: host=/run/pg or a,b. SQLAlchemy: host=a:1&host=b:2, and asyncpg's host=a:1. */
static int read_query_host(struct bk__pg_target *target, char *value) {
    const char *before = bk__pg_target_find(target, "host");
    const char *colon = strrchr(value, ':');
    bool folder = value[0] == '/' || value[0] == '@';
    bool several = before != NULL && find(target, "?host") >= 0;
    bool ported = !folder && colon != NULL && strchr(value, ':') == colon &&
                  strchr(value, ',') == NULL && colon[1] != '\0' &&
                  strspn(colon + 1, "0123456789") == strlen(colon + 1);
    char *port = ported ? strdup(colon + 1) : NULL;
    if (ported) {
        value[colon - value] = '\0';
    }
    int rc = ported && port == NULL ? bk__fail_memory() : 0;
    if (rc == 0 && port != NULL) {
        const char *ports = bk__pg_target_find(target, "port");
        rc = put(target, "port",
                 several ? bk__text_printf("%s,%s", ports == NULL ? "" : ports, port)
                         : strdup(port));
    }
    if (rc == 0) {
        rc = put(target, "host",
                 several ? bk__text_printf("%s,%s", before, value) : strdup(value));
    }
    if (rc == 0) {
        rc = put(target, "?host", strdup("")); /* a mark, taken out again */
    }
    free(port);
    return rc;
}

/* asyncpg and others: ssl=true, ssl=require. */
static int read_ssl(struct bk__pg_target *target, const char *value) {
    bool truth = false;
    if (bk__text_bool(value, &truth)) {
        value = truth ? "require" : "disable";
    }
    return put(target, "sslmode", strdup(value));
}

/* What belongs to a pool or an ORM (schema, connection_limit, pgbouncer, ...) is not for us. */
static int read_parameter(struct bk__pg_target *target, const char *name, char *value) {
    if (strcmp(name, "sslpassword") == 0) {
        return bk__fail(
            BK_EUNSUPPORTED,
            "The option database has an sslpassword, which pg_dump takes only where "
            "others can read it. Nothing was touched. Use a client key without a "
            "password, readable by this user alone.");
    }
    if (strcmp(name, "host") == 0) {
        return read_query_host(target, value);
    }
    if (strcmp(name, "ssl") == 0) {
        return read_ssl(target, value);
    }
    return is_known(name) && *value != '\0' ? put(target, name, strdup(value)) : 0;
}

static int read_query(struct bk__pg_target *target, const char *at) {
    int rc = 0;
    while (rc == 0 && *at != '\0' && *at != '#') {
        size_t size = strcspn(at, "&#");
        size_t name = strcspn(at, "=&#");
        const char *from = name < size ? at + name + 1 : at + size;
        char *left = decode(target, at, name);
        char *right = decode(target, from, (size_t)(at + size - from));
        rc = left == NULL || right == NULL ? BK_EINVAL
                                           : read_parameter(target, left, right);
        free(left);
        wipe(right);
        at += size;
        at += *at == '&';
    }
    return rc;
}

static void forget_mark(struct bk__pg_target *target) {
    int at = find(target, "?host");
    if (at >= 0) {
        int last = --target->count;
        free(target->keywords[at]);
        free(target->values[at]);
        target->keywords[at] = target->keywords[last];
        target->values[at] = target->values[last];
        target->keywords[last] = target->values[last] = NULL;
    }
}

static int read_parts(struct bk__pg_target *target, const char *url) {
    const char *start = strstr(url, "://") + 3;
    size_t size = strcspn(start, "/?#");
    const char *at = memrchr(start, '@', size);
    const char *hosts = at == NULL ? start : at + 1;
    const char *path = start + size;
    int rc = at == NULL ? 0 : read_user(target, start, (size_t)(at - start));
    if (rc == 0) {
        rc = read_hosts(target, hosts, (size_t)(path - hosts));
    }
    if (rc == 0 && *path == '/') {
        size_t name = strcspn(path + 1, "?#");
        rc = put_piece(target, "dbname", path + 1, name);
        path += 1 + name;
    }
    if (rc == 0 && *path == '?') {
        rc = read_query(target, path + 1);
    }
    forget_mark(target);
    return rc;
}

int bk__pg_target_read(const char *url, struct bk__pg_target *ret) {
    struct bk__pg_target target = {.shown = bk__text_redact(url)};
    int rc = target.shown == NULL ? bk__fail_memory() : read_parts(&target, url);
    if (rc != 0) {
        bk__pg_target_free(&target);
        return rc;
    }
    *ret = target;
    return 0;
}
