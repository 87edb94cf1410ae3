/*
 * Whose a connection is: of this very program's connections over IPv4, IPv6, both mixed, and a unix
 * socket; of a child that runs as somebody else; and of nobody here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include <os/owner.h>

/* A listener on loopback, and where it is. */
static int listen_on(int family, struct sockaddr_storage *at, socklen_t *size) {
    int fd = socket(family, SOCK_STREAM, 0);
    struct sockaddr_in *four = (struct sockaddr_in *)at;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)at;
    memset(at, 0, sizeof *at);
    if (family == AF_INET) {
        four->sin_family = AF_INET;
        four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        *size = sizeof *four;
    } else {
        six->sin6_family = AF_INET6; /* any address: IPv4 comes in, too */
        *size = sizeof *six;
    }
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)at, *size), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, size), 0);
    return fd;
}

/* Another user where this one may become one, else this one. */
static uid_t other_user(void) {
    return geteuid() == 0 ? 65534 : geteuid();
}

/* Calls and stays until the test has looked. */
static pid_t call_as_other(const struct sockaddr *to, socklen_t size) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char byte;
        int fd;
        if (geteuid() == 0 && setresuid(other_user(), other_user(), other_user()) != 0) {
            _exit(1);
        }
        fd = socket(to->sa_family, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, to, size) != 0) {
            _exit(2);
        }
        _exit(read(fd, &byte, 1) == 0 ? 0 : 3);
    }
    return pid;
}

static void assert_caller(const struct sockaddr *to, socklen_t size, int listener) {
    pid_t pid = call_as_other(to, size);
    int status = 0;
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(bk__owner_of_peer(fd), other_user());
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_os_owner__who_called_over_ipv4(void **state) {
    (void)state;
    struct sockaddr_storage at;
    socklen_t size;
    int listener = listen_on(AF_INET, &at, &size);
    assert_caller((struct sockaddr *)&at, size, listener);
    close(listener);
}

static void test_os_owner__who_called_over_ipv6(void **state) {
    (void)state;
    struct sockaddr_storage at;
    socklen_t size;
    int listener = listen_on(AF_INET6, &at, &size);
    ((struct sockaddr_in6 *)&at)->sin6_addr = in6addr_loopback;
    assert_caller((struct sockaddr *)&at, size, listener);
    close(listener);
}

static void test_os_owner__ipv4_into_a_socket_of_ipv6(void **state) {
    (void)state;
    struct sockaddr_storage at;
    struct sockaddr_in four = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size;
    int listener = listen_on(AF_INET6, &at, &size);
    four.sin_port = ((struct sockaddr_in6 *)&at)->sin6_port;
    assert_caller((struct sockaddr *)&four, sizeof four, listener);
    close(listener);
}

static void test_os_owner__a_unix_socket(void **state) {
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(bk__owner_of_peer(pair[0]), geteuid());
    close(pair[0]);
    close(pair[1]);
}

static void test_os_owner__nobody_here(void **state) {
    (void)state;
    struct sockaddr_storage a = {0};
    struct sockaddr_storage b = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&a;
    four->sin_family = AF_INET;
    inet_pton(AF_INET, "192.0.2.1", &four->sin_addr);
    four->sin_port = htons(1);
    b = a;
    assert_int_equal(bk__owner_of_tcp(&a, &b), -1);
    a.ss_family = AF_UNSPEC;
    assert_int_equal(bk__owner_of_tcp(&a, &b), -1);
    assert_int_equal(bk__owner_of_peer(-1), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_os_owner__who_called_over_ipv4),
        cmocka_unit_test(test_os_owner__who_called_over_ipv6),
        cmocka_unit_test(test_os_owner__ipv4_into_a_socket_of_ipv6),
        cmocka_unit_test(test_os_owner__a_unix_socket),
        cmocka_unit_test(test_os_owner__nobody_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
