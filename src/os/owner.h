/*
 * Whose a connection is, as /proc/net tells it. Only of this machine, and of this network namespace.
 * The store asks who called before it hands out data.
 */
#ifndef BK_OS_OWNER_H
#define BK_OS_OWNER_H

#include <stdint.h>
#include <sys/socket.h>

/* The user (uid) whose program holds the end of a TCP connection that is local to it at local and
   leads to remote; -1: it is not of this machine, or cannot be known. */
int64_t bk__owner_of_tcp(const struct sockaddr_storage *local,
                         const struct sockaddr_storage *remote);

/* The user whose program is at the other end of this socket, TCP or unix; -1 as above. */
int64_t bk__owner_of_peer(int fd);

#endif
