/*
 * A child process spoken to over two pipes, no shell, no fork handlers (posix_spawn). The guest
 * room starts the helper program with it.
 */
#ifndef BK_OS_PROCESS_H
#define BK_OS_PROCESS_H

#include <sys/types.h>

struct bk__process {
    pid_t pid;
    int to;   /* write end of its standard input */
    int from; /* read end of its standard output */
};

/* argv[0] is an absolute path; the environment is inherited, but for variables that hold secrets: what
   the child must know is said over its pipe. 0 or -errno. */
int bk__process_start(struct bk__process *ret, const char *const argv[]);
/* The same with an empty environment, for a process that may outlive the host. */
int bk__process_start_bare(struct bk__process *ret, const char *const argv[]);
void bk__process_close_input(struct bk__process *process);
/* Closes both pipes and lets it run; nobody waits for its end. */
void bk__process_leave(struct bk__process *process);
/* Waits for its end; kills it when it is not gone after wait_ms. Returns the exit status as
   waitpid() gives it, or -errno (ECHILD where the host ignores SIGCHLD). */
int bk__process_end(struct bk__process *process, int wait_ms);

/* The absolute path of the file this library was loaded from. The caller frees it. */
char *bk__process_library(void);

#endif
