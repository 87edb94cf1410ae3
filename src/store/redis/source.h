/*
 * A replication source in small: it serves one dump, once, to one server, and proves its bytes a
 * last time on the way. Not who asks the server to come: restore.c.
 */
#ifndef BK_STORE_REDIS_SOURCE_H
#define BK_STORE_REDIS_SOURCE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bk__job;
struct bk__rdb_facts;
struct bk__redis_source;

/* Listens on a port of its own at the address by which the server behind that socket sees us
   (loopback for a unix socket). */
int bk__redis_source_open(struct bk__redis_source **ret, struct bk__job *job, int server,
                          const char *path, const struct bk__rdb_facts *facts);
void bk__redis_source_close(struct bk__redis_source *source); /* NULL is fine */

/* Where the server is to come to. */
const char *bk__redis_source_host(const struct bk__redis_source *source);
const char *bk__redis_source_port(const struct bk__redis_source *source);

/* Does what can be done within wait_ms: 0, or an error. The dump's last bytes leave only when all
   are those that were proven; until then the server keeps what it has. */
int bk__redis_source_step(struct bk__redis_source *source, int wait_ms);

bool bk__redis_source_called(const struct bk__redis_source *source); /* it came */
int64_t bk__redis_source_sent(const struct bk__redis_source *source);
bool bk__redis_source_served(const struct bk__redis_source *source); /* all was sent */

#endif
