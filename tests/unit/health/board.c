/*
 * The board of health: reports expire, loops that stop beating are seen, bounds hold. Not the
 * measuring of memory and disks (os has those tests).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <base/json.h>
#include <core/error.h>
#include <health/board.h>

/* The board judged at a moment: {status, checks, issues, loops, database, redis}. stale_ms 0: only
   what the host said. */
static struct json_object *judged(struct bk__health_board *board, int64_t mono_ms,
                                  int64_t stale_ms) {
    struct bk__verdict verdict = {BK__HEALTHY, {0}, {0}};
    bool wanted = stale_ms > 0;
    struct bk__board_view view = {
        .mono_ms = mono_ms, .stale_ms = stale_ms, .wanted = {wanted, wanted}};
    struct bk__buf out = {0};
    bk__health_board_read(board, &verdict, &view);
    bk__buf_printf(
        &out,
        "{\"status\":\"%s\",\"checks\":{%s},\"issues\":[%s],\"loops\":{%s},"
        "\"database\":%s,\"redis\":%s}",
        bk__level_name(verdict.worst), verdict.checks.data ? verdict.checks.data : "",
        verdict.issues.data ? verdict.issues.data : "",
        view.loops.data ? view.loops.data : "", view.stores[0].data, view.stores[1].data);
    struct json_object *object = bk__json_parse(out.data, NULL);
    assert_non_null(object);
    bk__buf_free(&out);
    bk__buf_free(&view.loops);
    bk__buf_free(&view.stores[0]);
    bk__buf_free(&view.stores[1]);
    bk__verdict_free(&verdict);
    return object;
}

static void assert_status(struct bk__health_board *board, int64_t mono_ms,
                          const char *path, const char *expected) {
    struct json_object *object = judged(board, mono_ms, 0);
    struct json_object *value = bk__json_pick(object, path);
    assert_non_null(value);
    assert_string_equal(json_object_get_string(value), expected);
    json_object_put(object);
}

static void report(struct bk__health_board *board, const char *level, int64_t mono_ms) {
    struct bk__health_report given = {"discord", level, "gateway \"ok\"\n", 1000};
    assert_int_equal(bk__health_board_report(board, &given, mono_ms), 0);
}

static void test_health_board__a_report_counts_until_it_expires(void **state) {
    (void)state;
    struct bk__health_board *board = bk__health_board_new();
    report(board, "healthy", 5000);
    assert_status(board, 6000, "checks.discord.status", "healthy");
    assert_status(board, 6001, "checks.discord.status", "unknown");
    assert_status(board, 6001, "status", "unknown");
    assert_status(board, 6001, "issues[0].code", "report_expired");
    report(board, "unhealthy", 7000);
    assert_status(board, 7000, "status", "unhealthy");
    assert_status(board, 7000, "checks.discord.message", "gateway \"ok\"\n");
    bk__health_board_free(board);
}

static void test_health_board__an_expired_report_does_not_hide_a_failure(void **state) {
    (void)state;
    struct bk__health_board *board = bk__health_board_new();
    struct bk__health_report bad = {"api", "unhealthy", NULL, 100000};
    report(board, "healthy", 0);
    assert_int_equal(bk__health_board_report(board, &bad, 0), 0);
    assert_status(board, 50000, "checks.discord.status", "unknown");
    assert_status(board, 50000, "status", "unhealthy");
    bk__health_board_free(board);
}

static void
test_health_board__a_loop_that_stops_beating_is_late_then_hangs(void **state) {
    (void)state;
    struct bk__health_board *board = bk__health_board_new();
    assert_int_equal(bk__health_board_beat(board, "main", 1000, 250), 0);
    assert_status(board, 2250, "status", "healthy");
    assert_status(board, 2251, "status", "degraded");
    assert_status(board, 2251, "issues[0].code", "loop_late");
    assert_status(board, 31251, "issues[0].code", "loop_hangs");
    assert_status(board, 31251, "checks",
                  "{ \"loop.main\": { \"status\": \"unhealthy\", \"message\": "
                  "\"Event loop 'main' has not answered for 30251 ms\" } }");
    bk__health_board_free(board);
}

static void test_health_board__a_beat_after_a_stall_counts_it(void **state) {
    (void)state;
    struct bk__health_board *board = bk__health_board_new();
    bk__health_board_beat(board, "main", 1000, 250);
    bk__health_board_beat(board, "main", 1450, 250); /* 200 ms late is not yet a stall */
    assert_status(board, 1450, "loops.main.stalls", "0");
    bk__health_board_beat(board, "main", 3000, 250);
    assert_status(board, 3000, "loops.main.stalls", "1");
    assert_status(board, 3000, "loops.main.max_lag_ms", "1300");
    assert_status(board, 3000, "status", "healthy");
    bk__health_board_free(board);
}

static void test_health_board__refuses_what_is_no_report(void **state) {
    (void)state;
    struct bk__health_board *board = bk__health_board_new();
    const struct bk__health_report bad[] = {
        {"", "healthy", NULL, 1},        {NULL, "healthy", NULL, 1},
        {"a", "unknown", NULL, 1},       {"a", NULL, NULL, 1},
        {"a", "healthy", NULL, 0},       {"a", "healthy", NULL, -5},
        {"a\xff", "healthy", NULL, 100}, {"a", "healthy", "\xc3", 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(bk__health_board_report(board, &bad[i], 0), BK_EINVAL);
        assert_string_not_equal(bk__error_text(), "");
    }
    struct json_object *object = judged(board, 0, 0);
    assert_int_equal(json_object_object_length(bk__json_member(object, "checks")), 0);
    json_object_put(object);
    bk__health_board_free(board);
}

static void test_health_board__bounds_the_number_of_names(void **state) {
    (void)state;
    struct bk__health_board *board = bk__health_board_new();
    char name[16];
    int error = 0;
    int taken = 0;
    for (; taken < 1000 && !error; taken++) {
        snprintf(name, sizeof name, "c%d", taken);
        struct bk__health_report given = {name, "healthy", NULL, 1000};
        error = bk__health_board_report(board, &given, 0);
    }
    assert_int_equal(error, BK_EBUSY);
    assert_int_equal(taken - 1, 64);
    struct bk__health_report known = {"c0", "degraded", NULL, 1000};
    assert_int_equal(bk__health_board_report(board, &known, 0), 0);
    assert_status(board, 0, "checks.c0.status", "degraded");
    bk__health_board_free(board);
}

static void test_health_board__an_old_probe_is_unknown(void **state) {
    (void)state;
    struct bk__health_board *board = bk__health_board_new();
    struct json_object *object = judged(board, 0, 1000);
    assert_string_equal(bk__json_text(object, "status", ""), "unknown");
    json_object_put(object);
    struct bk__finding good = {"database", BK__HEALTHY, NULL, "The database answers",
                               NULL};
    assert_int_equal(
        bk__health_board_probe(board, BK__HEALTH_DATABASE, &good, "\"bytes\":4096", 100),
        0);
    object = judged(board, 1100, 1000);
    assert_string_equal(bk__json_text(object, "status", ""), "unknown");
    assert_string_equal(
        bk__json_text(bk__json_pick(object, "checks.redis"), "message", ""),
        "The Redis server has not been probed yet");
    json_object_put(object);
    assert_int_equal(
        bk__health_board_probe(board, BK__HEALTH_REDIS, &good, "\"keys\":3", 100), 0);
    object = judged(board, 1100, 1000);
    assert_string_equal(bk__json_text(object, "status", ""), "healthy");
    assert_int_equal(json_object_get_int(bk__json_pick(object, "database.bytes")), 4096);
    assert_int_equal(json_object_get_int(bk__json_pick(object, "database.age_ms")), 1000);
    json_object_put(object);
    object = judged(board, 1101, 1000);
    assert_string_equal(bk__json_text(object, "status", ""), "unknown");
    json_object_put(object);
    bk__health_board_free(board);
}

/* A bot that reports a store itself does not hide what was found, nor the other way round. */
static void
test_health_board__a_report_about_a_store_stands_beside_its_probe(void **state) {
    (void)state;
    struct bk__health_board *board = bk__health_board_new();
    struct bk__finding good = {"redis", BK__HEALTHY, NULL, "It answers", NULL};
    struct bk__health_report given = {"redis", "degraded", "memory cache", 1000};
    assert_int_equal(bk__health_board_report(board, &given, 0), 0);
    assert_status(board, 0, "checks.redis.status", "degraded");
    for (int i = 0; i < BK__HEALTH_STORES; i++) {
        assert_int_equal(bk__health_board_probe(board, (enum bk__health_store)i, &good,
                                                "\"bytes\":1", 0),
                         0);
    }
    struct json_object *object = judged(board, 0, 1000);
    struct json_object *checks = bk__json_member(object, "checks");
    assert_string_equal(bk__json_text(bk__json_member(checks, "redis"), "status", ""),
                        "healthy");
    assert_string_equal(
        bk__json_text(bk__json_member(checks, "redis.reported"), "status", ""),
        "degraded");
    json_object_put(object);
    bk__health_board_free(board);
}

static void test_health_board__long_messages_are_cut_between_characters(void **state) {
    (void)state;
    struct bk__health_board *board = bk__health_board_new();
    char message[600];
    for (size_t i = 0; i + 2 < sizeof message; i += 2) {
        memcpy(message + i, "\xc3\xa9", 3);
    }
    struct bk__health_report given = {"x", "degraded", message, 1000};
    assert_int_equal(bk__health_board_report(board, &given, 0), 0);
    struct json_object *object = judged(board, 0, 0); /* asserts that it is valid UTF-8 */
    assert_int_equal(
        strlen(bk__json_text(bk__json_pick(object, "checks.x"), "message", "")), 256);
    json_object_put(object);
    bk__health_board_free(board);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_health_board__a_report_counts_until_it_expires),
        cmocka_unit_test(test_health_board__an_expired_report_does_not_hide_a_failure),
        cmocka_unit_test(test_health_board__a_loop_that_stops_beating_is_late_then_hangs),
        cmocka_unit_test(test_health_board__a_beat_after_a_stall_counts_it),
        cmocka_unit_test(test_health_board__refuses_what_is_no_report),
        cmocka_unit_test(test_health_board__bounds_the_number_of_names),
        cmocka_unit_test(test_health_board__an_old_probe_is_unknown),
        cmocka_unit_test(
            test_health_board__a_report_about_a_store_stands_beside_its_probe),
        cmocka_unit_test(test_health_board__long_messages_are_cut_between_characters),
    };
    return cmocka_run_group_tests_name("health/board", tests, NULL, NULL);
}
