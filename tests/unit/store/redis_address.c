/*
 * URLs of Redis as people write them: what becomes of each, what is refused, and that no secret is
 * in any text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <core/error.h>
#include <store/redis/internal.h>

static void assert_text(const char *found, const char *wanted, const char *url) {
    if ((found == NULL) != (wanted == NULL) ||
        (found != NULL && strcmp(found, wanted) != 0)) {
        fail_msg("%s: %s, not %s", url, found ? found : "(null)",
                 wanted ? wanted : "(null)");
    }
}

/* place is a host and port, or a path and 0. */
static void assert_address(const char *url, const char *place, int port, const char *user,
                           const char *password) {
    struct bk__redis_address a;
    assert_int_equal(bk__redis_address_parse(url, &a), 0);
    assert_text(port == 0 ? a.path : a.host, place, url);
    assert_int_equal(a.port, port);
    assert_text(a.user, user, url);
    assert_text(a.password, password, url);
    if (password != NULL && strstr(a.shown, password) != NULL) {
        fail_msg("%s is shown", a.shown);
    }
    bk__redis_address_free(&a);
    assert_null(a.password);
}

static void test_store_redis_address__hosts_and_ports(void **state) {
    (void)state;
    assert_address("redis://h", "h", 6379, NULL, NULL);
    assert_address("redis://h:6380/3", "h", 6380, NULL, NULL);
    assert_address("redis://", "127.0.0.1", 6379, NULL, NULL);
    assert_address("redis://:6380", "127.0.0.1", 6380, NULL, NULL);
    assert_address("redis://[::1]", "::1", 6379, NULL, NULL);
    assert_address("redis://[fe80::1%25eth0]:6380/0", "fe80::1%eth0", 6380, NULL, NULL);
    assert_address("valkey://h:1", "h", 1, NULL, NULL);
    assert_address("redis://h:/0", "h", 6379, NULL, NULL);
    assert_address("redis://h/", "h", 6379, NULL, NULL);
    assert_address("redis://h/15?protocol=3", "h", 6379, NULL, NULL);
}

static void test_store_redis_address__users_and_passwords(void **state) {
    (void)state;
    assert_address("redis://:s3cret@h", "h", 6379, NULL, "s3cret");
    assert_address("redis://me:s3cret@h:1", "h", 1, "me", "s3cret");
    assert_address("redis://me@h", "h", 6379, "me", NULL);
    assert_address("redis://me:@h", "h", 6379, "me", NULL);
    assert_address("redis://a%40b:p%40s%2Fs%3A%20%23%3F@h", "h", 6379, "a@b",
                   "p@s/s: #?");
    assert_address("redis://:p@s/s:w@h:1/0", "h", 1, NULL, "p@s/s:w");
    assert_address("redis://:100%zz@h", "h", 6379, NULL, "100%zz");
    assert_address("redis://h?password=s3cret&username=me", "h", 6379, "me", "s3cret");
}

static void test_store_redis_address__sockets(void **state) {
    (void)state;
    assert_address("unix:///run/r.sock", "/run/r.sock", 0, NULL, NULL);
    assert_address("unix://me:s3cret@/run/r%20s.sock?db=2", "/run/r s.sock", 0, "me",
                   "s3cret");
    assert_address("redis+unix:///r", "/r", 0, NULL, NULL);
    assert_address("redis-socket:///r?password=s3cret", "/r", 0, NULL, "s3cret");
}

static void assert_refused(const char *url, int code) {
    struct bk__redis_address a;
    assert_int_equal(bk__redis_address_parse(url, &a), code);
    assert_null(a.shown);
    assert_null(a.password);
    assert_null(strstr(bk__error_text(), "hunter2"));
}

static void test_store_redis_address__what_is_none(void **state) {
    (void)state;
    assert_refused("rediss://:hunter2@h", BK_EUNSUPPORTED);
    assert_refused("redis://:hunter2@h:0", BK_EINVAL);
    assert_refused("redis://:hunter2@h:65536", BK_EINVAL);
    assert_refused("redis://:hunter2@h:6379x", BK_EINVAL);
    assert_refused("redis://h:999999999999", BK_EINVAL);
    assert_refused("redis://[::1", BK_EINVAL);
    assert_refused("redis://[::1]x", BK_EINVAL);
    assert_refused("redis://:hunter2%00@h", BK_EINVAL);
    assert_refused("redis://:hunter2@h:-1", BK_EINVAL);
    assert_refused("redis://:hunter2@h/-1", BK_EINVAL);
    assert_refused("redis://:hunter2@h/cache", BK_EINVAL);
    assert_refused("redis://:hunter2@h/2147483648", BK_EINVAL);
    assert_refused("unix://relative", BK_EINVAL);
    assert_refused("redis+sentinel://h", BK_EINVAL);
    assert_refused("h:6379", BK_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_redis_address__hosts_and_ports),
        cmocka_unit_test(test_store_redis_address__users_and_passwords),
        cmocka_unit_test(test_store_redis_address__sockets),
        cmocka_unit_test(test_store_redis_address__what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
