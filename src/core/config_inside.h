/*
 * How the files of config share the work: the table's checks, the environment, the
 * database's URL. Only config*.c include it.
 */
#ifndef BK_CORE_CONFIG_INSIDE_H
#define BK_CORE_CONFIG_INSIDE_H

#include <core/config.h>

struct bk__setting {
    char *given;  /* by bk_set(); NULL: not set */
    char *value;  /* in force */
    char *source; /* of the value in force */
};

struct bk__config {
    struct bk__setting settings[BK__OPTION_COUNT];
};

/*
 * Is the text a value of the option? 0, or BK_EINVAL with a text that names the option,
 * the value (never a secret), what is allowed, and where it came from ("" for bk_set,
 * else for example "environment BACKUP_EVERY").
 */
int bk__config_check(enum bk__option option, const char *text, const char *source);

/* Makes value and source (both copied) the ones in force. BK_ENOMEM. */
int bk__config_force(struct bk__config *config, enum bk__option option, const char *value,
                     const char *source);
/* config_dotenv.c: the first variable of a comma-separated list that the .env file's text
   sets to something. *ret is a copy or NULL, *ret_name the variable's name, also a copy.
   BK_EINVAL names the line. */
int bk__config_dotenv(const char *text, const char *names, char **ret, char **ret_name);

/* config_database.c: the path in a database option, or the URL of a server as it is.
   *ret_path is malloc'd. BK_EINVAL, BK_EUNSUPPORTED, BK_ENOMEM. */
int bk__config_database_path(const char *value, char **ret_path);
bool bk__config_is_server(const char *database); /* such a URL? */
bool bk__config_is_redis(const char *database);  /* one of Redis? */

/* config_resolve.c: the first variable of a comma-separated list that is set to something, in
   the environment or else in the .env file's text (may be NULL). *ret is a copy or NULL,
   *ret_source a copy like "environment BACKUP_DIR" or NULL. */
int bk__config_variable(const char *dotenv, const char *names, char **ret,
                        char **ret_source);

/* config_server.c: a URL made of POSTGRES_* or PG* variables; *ret_url stays NULL where neither
   a host nor a database is named by them. */
int bk__config_server_url(const char *dotenv, char **ret_url, char **ret_source);
/* The same of REDIS_HOST and its companions; NULL where no host is named. */
int bk__config_redis_url(const char *dotenv, char **ret_url, char **ret_source);

#endif
