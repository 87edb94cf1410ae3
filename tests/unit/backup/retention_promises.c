/*
 * What src/backup/retention.c promises, asked of random lists whose clocks are sometimes wrong.
 * Not its rules one by one (retention.c).
 */
#include "retention_list.h"

/* ---- whatever the list ------------------------------------------------------------------ */

struct story {
    struct list list;
    struct bk__rules rules;
};

/* A bot's life with a clock that is sometimes wrong; deltas; damage; all rules. */
static void invent(struct story *story) {
    int64_t clock = (1000 + rand() % 9000) * DAY;
    size_t count = (size_t)(rand() % MANY);

    memset(story, 0, sizeof *story);
    for (size_t i = 0; i < count; i++) {
        int64_t wrong = rand() % 10 == 0 ? (rand() % 8000 - 4000) * DAY : 0;
        clock += rand() % (2 * DAY);
        add(&story->list, bk__kinds[rand() % 6], 1 + (int64_t)i, clock + wrong,
            rand() % 4 != 0);
        struct bk__retain *item = &story->list.items[i];
        size_t size = strlen(item->name);
        snprintf(item->name + size, sizeof item->name - size, ".db");
        if (i > 0 && rand() % 2 == 0) {
            bk__name_stem(item[-1].name, item->parent);
        }
    }
    story->rules =
        (struct bk__rules){.keep = 1 + rand() % 4,
                           .days = rand() % 2 * (rand() % 20),
                           .daily = rand() % 2 * (rand() % 9),
                           .weekly = rand() % 2 * (rand() % 5),
                           .monthly = rand() % 2 * (rand() % 4),
                           .now_ms = clock + rand() % 2 * (rand() % 9000 - 3000) * DAY};
    if (count > 0 && rand() % 2 == 0) {
        story->rules.spare = story->list.items[(size_t)rand() % count].name;
    }
}

/* The rules by name and place, written down once more in the slowest way. */
static void assert_kept_by_name_and_place(const struct story *story, const char *spare) {
    const struct bk__retain *best = NULL;

    for (size_t i = 0; i < story->list.count; i++) {
        const struct bk__retain *item = &story->list.items[i];
        int64_t newer = 0;
        int64_t newer_good = 0;
        for (size_t j = 0; j < story->list.count; j++) {
            const struct bk__retain *other = &story->list.items[j];
            bool counts =
                other->sequence > item->sequence && strcmp(other->kind, item->kind) == 0;
            newer += counts;
            newer_good += counts && other->verified;
            if (item->drop && !other->drop && other->parent[0] != '\0') {
                char stem[BK__NAME_SIZE];
                bk__name_stem(item->name, stem);
                assert_string_not_equal(stem, other->parent);
            }
        }
        best = item->verified && (best == NULL || item->sequence > best->sequence) ? item
                                                                                   : best;
        assert_false(item->drop && (newer == 0 || newer_good < story->rules.keep));
        assert_false(item->drop && strcmp(item->name, spare) == 0);
    }
    assert_false(best != NULL && best->drop);
}

/* What goes for its age is at least as old as one that the clock dates before all newer ones. */
static void assert_no_age_is_believed_alone(const struct story *story) {
    for (size_t i = 0; i < story->list.count; i++) {
        const struct bk__retain *item = &story->list.items[i];
        bool proven = false;
        for (size_t j = 0; j <= i; j++) {
            proven = proven || story->rules.now_ms - story->list.items[j].created_ms >=
                                   story->rules.days * DAY;
        }
        assert_false(item->drop && story->rules.days > 0 && !proven);
        assert_false(item->drop && story->rules.days > 0 &&
                     item->age_ms < story->rules.days * DAY);
    }
}

static void test_backup_retention_promises__promises_hold_for_random_lists(void **state) {
    size_t gone = 0;

    (void)state;
    srand(20251204);
    for (int round = 0; round < 3000; round++) {
        struct story story;
        char spare[BK__NAME_SIZE] = "";

        invent(&story);
        if (story.rules.spare != NULL) {
            snprintf(spare, sizeof spare, "%s", story.rules.spare);
            story.rules.spare = spare;
        }
        decide_by(&story.list, story.rules);
        assert_kept_by_name_and_place(&story, spare);
        assert_no_age_is_believed_alone(&story);
        gone += count_going(&story.list);
    }
    assert_true(gone > 10000); /* the promises are not kept by keeping all */
}

/* The same decision whatever the order of the list, and nothing more goes the second time. */
static void test_backup_retention_promises__is_one_decision(void **state) {
    (void)state;
    srand(7);
    for (int round = 0; round < 500; round++) {
        struct story story;
        struct list shuffled;
        size_t kept = 0;

        invent(&story);
        story.rules.spare = NULL;
        shuffled = story.list;
        for (size_t i = shuffled.count; i > 1; i--) {
            size_t other = (size_t)rand() % i;
            struct bk__retain swap = shuffled.items[i - 1];
            shuffled.items[i - 1] = shuffled.items[other];
            shuffled.items[other] = swap;
        }
        decide_by(&story.list, story.rules);
        decide_by(&shuffled, story.rules);
        for (size_t i = 0; i < shuffled.count; i++) {
            assert_string_equal(shuffled.items[i].name, story.list.items[i].name);
            assert_string_equal(shuffled.items[i].reason, story.list.items[i].reason);
        }
        for (size_t i = 0; i < shuffled.count; i++) {
            if (!shuffled.items[i].drop) {
                shuffled.items[kept++] = shuffled.items[i];
            }
        }
        shuffled.count = kept;
        decide_by(&shuffled, story.rules);
        if (story.rules.days == 0) {
            assert_int_equal(count_going(&shuffled), 0);
        }
    }
}

/* A clock that jumps forward makes the next backup; then it is right again. No tail has lost
   more than one backup at its end. */
static void test_backup_retention_promises__a_jump_costs_no_history(void **state) {
    (void)state;
    struct list list = {0};
    for (int i = 1; i <= 30; i++) {
        add(&list, "auto", i, (1000 + i) * DAY, true);
    }
    add(&list, "auto", 31, 9000 * DAY, true);
    decide_by(&list, (struct bk__rules){.keep = 3, .daily = 10, .now_ms = 9000 * DAY});
    assert_stay(&list, "22 23 24 25 26 27 28 29 30 31");
    add(&list, "auto", 32, 1032 * DAY, true);
    decide_by(&list, (struct bk__rules){.keep = 3, .daily = 10, .now_ms = 1032 * DAY});
    assert_false(goes(&list, "auto-24"));
    assert_false(goes(&list, "auto-32"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_retention_promises__promises_hold_for_random_lists),
        cmocka_unit_test(test_backup_retention_promises__is_one_decision),
        cmocka_unit_test(test_backup_retention_promises__a_jump_costs_no_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
