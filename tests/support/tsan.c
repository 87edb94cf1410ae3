/*
 * What ThreadSanitizer must be told of this library. Not a test. Its run time calls these.
 *
 * It takes a descriptor number for one thing in the whole process. Guest threads have a table of
 * their own, where the same number is another file: it sees races of descriptors that are none.
 * Each such report has the call that made or closed the descriptor in it.
 */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_options(void);

__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void) {
    return "race:^__interceptor_close$\n"
           "race:^__interceptor_open$\n"
           "race:^__interceptor_open64$\n"
           "race:^__interceptor_pipe$\n"
           "race:^__interceptor_pipe2$\n"
           "race:^__interceptor_dup$\n"
           "race:^__interceptor_dup2$\n";
}

/* A thread after the fork of a process with threads: hosts do that, and tests try it. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void) {
    return "die_after_fork=0";
}
