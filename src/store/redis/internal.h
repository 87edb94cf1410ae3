/*
 * How the files of the Redis driver share the work: addresses, links to the server, its INFO, and
 * the driver's functions. Only files of this folder include it.
 */
#ifndef BK_STORE_REDIS_INTERNAL_H
#define BK_STORE_REDIS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include <store/store.h>

#define BK__REDIS_WAIT_MS 10000  /* for an answer to a small question */
#define BK__REDIS_STALL_MS 60000 /* without a byte, a transfer is given up */

/* What the user needs to be allowed: told wherever the server refuses a command. */
#define BK__REDIS_NEEDS "+psync +replconf +ping +info +select +replicaof"

/* ---- address.c ------------------------------------------------------------------------ */

struct bk__redis_address {
    char *host; /* or NULL: path is set */
    char *path; /* of a unix socket, or NULL */
    int port;
    char *user;     /* NULL: the default one */
    char *password; /* NULL: none */
    char *shown;    /* the URL without its secrets, for texts */
};

/* Out of a URL. BK_EINVAL, BK_EUNSUPPORTED (TLS), BK_ENOMEM; to be freed after 0. */
int bk__redis_address_parse(const char *url, struct bk__redis_address *ret);
void bk__redis_address_free(struct bk__redis_address *address);

/* ---- connect.c ------------------------------------------------------------------------ */

/* A connected socket, close-on-exec, blocking; or an error with its text. */
int bk__redis_connect(struct bk__job *job, const struct bk__redis_address *address);

/* 1: events came, 0: not within wait_ms, or BK_ECANCELLED (never where job is NULL). */
int bk__redis_poll(struct bk__job *job, int fd, short events, int wait_ms);

/* ---- link.c --------------------------------------------------------------------------- */

/* One connection that commands go over, authenticated. */
struct bk__redis_link {
    struct bk__job *job;
    const struct bk__redis_address *at;
    redisContext *c; /* NULL: closed */
    bool stubborn;   /* goes on when the job is cancelled: for what must be put right */
};

int bk__redis_link_open(struct bk__redis_link *ret, struct bk__job *job,
                        const struct bk__redis_address *address);
/* A new connection in the place of one that is lost; stubborn stays as it was. */
int bk__redis_link_again(struct bk__redis_link *link);
void bk__redis_link_close(struct bk__redis_link *link);

/* Sends a command of words (a list that NULL ends) and gives its reply, which may be an error of the
   server's. *ret is to be freed. BK_EIO: the connection is gone, or no answer came in time. */
int bk__redis_ask(struct bk__redis_link *link, const char *const words[],
                  redisReply **ret);
/* The same, for commands whose answer must be no error: bk__redis_refused() otherwise. */
int bk__redis_order(struct bk__redis_link *link, const char *const words[],
                    const char *doing);

/* The server's error as one of ours. text is the server's. */
int bk__redis_refused(const struct bk__redis_link *link, const char *doing,
                      const char *text);
/* The command AUTH with its secrets as the protocol writes it, *ret_size bytes to be wiped and
   freed. NULL with size 0: no password is set. */
int bk__redis_auth_text(const struct bk__redis_address *address, char **ret,
                        size_t *ret_size);

/* ---- info.c --------------------------------------------------------------------------- */

/* The server's INFO as text, of a section ("everything" for all). To be freed. */
int bk__redis_info(struct bk__redis_link *link, const char *section, char **ret);
/* A field of it: into out, "" where it is missing; as a number, -1 where it is missing or none. */
void bk__redis_info_text(const char *info, const char *field, char *out, size_t room);
int64_t bk__redis_info_int(const char *info, const char *field);
bool bk__redis_info_is_loading(const char *info);
/* A setting of the server; "" where the user may not ask. */
int bk__redis_setting(struct bk__redis_link *link, const char *name, char *ret,
                      size_t room);
/* Keys per database, {"db0": 12}, from the section keyspace. NULL: out of memory. */
struct json_object *bk__redis_info_keys(const char *info);

/* ---- fingerprint.c -------------------------------------------------------------------- */

#define BK__REDIS_RESYNC 80 /* room for "+FULLRESYNC ID OFFSET" */

struct bk__redis_look {
    char id[48]; /* of the replication's history; "", as of a replica: cannot be told */
    int64_t offset;
    int64_t changes;           /* since the server's own last save */
    char keys[BK__SHA256_HEX]; /* of how many keys each database has */
};

int bk__redis_look(struct bk__redis_link *link, struct bk__redis_look *ret);
/* The look as a fingerprint, "" where it tells nothing. */
void bk__redis_look_text(const struct bk__redis_look *look,
                         char ret[BK__FINGERPRINT_SIZE]);
/* Does the server, by the look after a dump, still hold what it promised with that line? */
bool bk__redis_look_same(const struct bk__redis_look *before,
                         const struct bk__redis_look *after, const char *resync);
int bk__redis_fingerprint(struct bk__store *store, char ret[BK__FINGERPRINT_SIZE]);

/* ---- the driver ----------------------------------------------------------------------- */

struct bk__redis {
    struct bk__store base;
    struct bk__job *job;
    struct bk__redis_address at;
    struct bk__redis_link link;
    int rdb_version; /* of the snapshot that was taken through this store, 0: none was */
};

int bk__redis_probe(struct bk__store *store, struct json_object *ret_report);
int bk__redis_snapshot(struct bk__store *store, const char *path, struct bk__image *ret);
int bk__redis_prove(struct bk__job *job, const char *image_path,
                    struct json_object *ret_report);

int bk__redis_restore(struct bk__store *store, const char *image_path, char **ret_kept);
int bk__redis_ready(struct bk__store *store, const char *image_path);

/* ---- check.c -------------------------------------------------------------------------- */

struct bk__rdb_facts;
/* Whether the server may and can take that dump: asked before anything is done to it. */
int bk__redis_check(struct bk__redis *redis, const struct bk__rdb_facts *facts);

/* ---- durable.c ------------------------------------------------------------------------ */

/* Sees to it that what was restored survives a crash of the server, or tells that it does not. */
void bk__redis_make_durable(struct bk__redis *redis);

/* ---- image.c -------------------------------------------------------------------------- */

/* Walks the dump at path under progress and cancel; BK_ECORRUPT says what is wrong with it. */
int bk__redis_image_walk(struct bk__job *job, const char *path,
                         struct bk__rdb_facts *ret);

#endif
