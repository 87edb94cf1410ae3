/*
 * One leader among the processes of a bot: real processes that share a state folder, killed, ended
 * and forked, in both isolation modes. What the leader does with its lead: tests/unit/core/plan.c.
 */
#include "backup_box.h"

#include <fcntl.h>
#include <libgen.h>
#include <spawn.h>

#define TEST(name) BOX_TEST(leader, name)
#define SHARDS 3

extern char **environ;

/* ---- a shard: the program itself, asked by one letter at a time --------------------------- */

static int scheduled; /* events of the schedule so far */

static void take_events(bk_keeper *k) {
    char *event = bk_next(k, 0);
    while (event) {
        scheduled += strncmp(event, "{\"event\":\"scheduled\"", 20) == 0;
        bk_free(event);
        event = bk_next(k, 0);
    }
}

static void tell_status(bk_keeper *k, const char *operation) {
    char *done = bk_call(k, operation, NULL);
    printf("%d %d\n", (int)bk_pick_number(done, "result.leader", -1),
           (int)bk_pick_number(done, "result.leader_pid", 0));
    bk_free(done);
}

/* A child as Python's os.fork() makes one: it has all that the process has, and lives on. */
static void fork_a_child(void) {
    pid_t pid = fork();
    if (pid == 0) {
        alarm(100); /* also when the test fails */
        for (;;) {
            pause();
        }
    }
    printf("%d\n", (int)pid);
}

static int answer(bk_keeper *k, int letter) {
    switch (letter) {
    case 's':
        tell_status(k, "backup.status");
        break;
    case 'l':
        tell_status(k, "lifecycle.status");
        break;
    case 'c':
        take_events(k);
        printf("%d\n", scheduled);
        break;
    case 'f':
        fork_a_child();
        break;
    default:
        return bk_shutdown(k, 20000) == 0 ? 0 : 1;
    }
    fflush(stdout);
    return -1;
}

static int be_a_shard(char **options) {
    bk_keeper *k = bk_new();
    for (int i = 0; options[i]; i += 2) {
        if (bk_set(k, options[i], options[i + 1]) < 0) {
            printf("%s\n", bk_last_error());
            return 1;
        }
    }
    printf("%s\n", bk_open(k) == 0 ? "open" : bk_last_error());
    fflush(stdout);
    int code = -1;
    while (code < 0) {
        code = answer(k, getchar());
    }
    bk_close(k);
    return code;
}

/* ---- the shards as their parent sees them -------------------------------------------------- */

struct shard {
    pid_t pid;
    FILE *to, *from;
};

static struct shard shards[SHARDS];

static void hear(struct shard *shard, char *line, int room) {
    assert_non_null(fgets(line, room, shard->from));
    line[strcspn(line, "\n")] = '\0';
}

static void say(struct shard *shard, char letter, char *line, int room) {
    fputc(letter, shard->to);
    fflush(shard->to);
    hear(shard, line, room);
}

static void spawn(struct shard *shard, const char *isolation, const char *every) {
    int in[2];
    int out[2];
    posix_spawn_file_actions_t actions;
    char *database = strdup(box_database());
    char *backups = strdup(sandbox_path("backups"));
    const char *argv[] = {"shard",   "database",           database, "backup.dir",
                          backups,   "env.file",           "",       "health.enabled",
                          "false",   "backup.on.shutdown", "false",  "guest.isolation",
                          isolation, "backup.every",       every,    NULL};
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    assert_int_equal(posix_spawn(&shard->pid, "/proc/self/exe", &actions, NULL,
                                 (char *const *)(uintptr_t)argv, environ),
                     0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    shard->to = fdopen(in[1], "w");
    shard->from = fdopen(out[0], "r");
    free(database);
    free(backups);
    char line[4096];
    hear(shard, line, sizeof line);
    assert_string_equal(line, "open");
}

static void gone(struct shard *shard) {
    int status = 0;
    assert_int_equal(waitpid(shard->pid, &status, 0), shard->pid);
    fclose(shard->to);
    fclose(shard->from);
    shard->pid = 0;
}

static void kill_shard(struct shard *shard) {
    kill(shard->pid, SIGKILL);
    gone(shard);
}

static void end_shard(struct shard *shard) {
    fputc('q', shard->to);
    fflush(shard->to);
    gone(shard);
}

static bool leads(struct shard *shard, char operation, pid_t *ret_leader) {
    char line[128];
    int leader = 0;
    int pid = 0;
    say(shard, operation, line, sizeof line);
    assert_int_equal(sscanf(line, "%d %d", &leader, &pid), 2);
    *ret_leader = pid;
    assert_true(leader == 0 || pid == shard->pid);
    return leader == 1;
}

/* Waits until one of those that live leads, and all agree; it must never be two. */
static struct shard *await_leader(void) {
    for (int i = 0; i < 600; i++) {
        struct shard *leader = NULL;
        int alive = 0;
        int agree = 0;
        pid_t named[SHARDS];
        for (int s = 0; s < SHARDS; s++) {
            if (shards[s].pid == 0) {
                continue;
            }
            bool mine = leads(&shards[s], 's', &named[alive]);
            assert_false(mine && leader);
            leader = mine ? &shards[s] : leader;
            alive++;
        }
        for (int s = 0; leader && s < alive; s++) {
            agree += named[s] == leader->pid;
        }
        if (leader && agree == alive) {
            return leader;
        }
        usleep(100000);
    }
    fail_msg("nobody leads");
    return NULL;
}

static void start_all(const char *isolation, const char *every) {
    box_database_with(ROWS_SMALL);
    for (int i = 0; i < SHARDS; i++) {
        spawn(&shards[i], isolation, every);
    }
}

static void end_all(void) {
    for (int i = 0; i < SHARDS; i++) {
        if (shards[i].pid > 0) {
            end_shard(&shards[i]);
        }
    }
}

static void use_helper(void) {
    char program[1024] = "";
    char helper[1200];
    assert_true(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    snprintf(helper, sizeof helper, "%s/../../botkeep", dirname(program));
    assert_int_equal(setenv("BOTKEEP_HELPER", helper, 1), 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_leader__is_one_of_all_and_all_know_which(void **state) {
    (void)state;
    start_all("auto", "0");
    struct shard *leader = await_leader();
    assert_ptr_equal(leader, &shards[0]); /* who came first */
    pid_t named = 0;
    for (int i = 0; i < SHARDS; i++) {
        assert_int_equal(leads(&shards[i], 'l', &named), &shards[i] == leader);
        assert_int_equal(named, leader->pid);
    }
    /* A tool beside them knows it, too, and does not lead. */
    box_call("backup.status", NULL);
    box_assert_number("result.leader", 0);
    box_assert_number("result.leader_pid", leader->pid);
    end_all();
    box_call("backup.status", NULL);
    box_assert_text("result.leader_pid", NULL);
}

static void kill_and_end(const char *isolation) {
    start_all(isolation, "0");
    kill_shard(await_leader());
    end_shard(await_leader());
    await_leader();
    for (int i = 0; i < SHARDS; i++) {
        if (shards[i].pid == 0) {
            spawn(&shards[i], isolation, "0");
        }
    }
    kill_shard(await_leader());
    await_leader();
    end_all();
}

static void test_leader__is_followed_when_it_is_killed_or_ends(void **state) {
    (void)state;
    kill_and_end("thread");
}

static void test_leader__is_followed_in_process_mode(void **state) {
    (void)state;
    use_helper();
    kill_and_end("process");
}

static void fork_and_kill(const char *isolation) {
    char line[64];
    start_all(isolation, "0");
    struct shard *leader = await_leader();
    say(leader, 'f', line, sizeof line);
    pid_t child = (pid_t)atoi(line);
    assert_true(child > 0);
    kill_shard(leader);
    assert_int_equal(kill(child, 0), 0); /* it lives, and has no lock */
    await_leader();
    kill(child, SIGKILL);
    end_all();
}

static void test_leader__leaves_its_lock_to_no_child(void **state) {
    (void)state;
    fork_and_kill("thread");
}

static void test_leader__leaves_its_lock_to_no_child_in_process_mode(void **state) {
    (void)state;
    use_helper();
    fork_and_kill("process");
}

/* As on a kernel where no thread can have descriptors of its own: a helper holds the lock. */
static void use_no_threads(void) {
    use_helper();
    assert_int_equal(setenv("BOTKEEP_TEST_ISOLATION", "thread-fails", 1), 0);
}

static void test_leader__is_followed_where_a_helper_holds_the_lock(void **state) {
    (void)state;
    use_no_threads();
    kill_and_end("auto");
    unsetenv("BOTKEEP_TEST_ISOLATION");
}

static void test_leader__has_a_helper_that_leaves_with_it(void **state) {
    (void)state;
    use_no_threads();
    fork_and_kill("auto");
    unsetenv("BOTKEEP_TEST_ISOLATION");
}

/* The helper is killed, not the leader: somebody leads again, and never two. */
static void test_leader__survives_the_end_of_its_helper(void **state) {
    (void)state;
    use_no_threads();
    start_all("auto", "0");
    struct shard *leader = await_leader();
    char command[128];
    snprintf(command, sizeof command, "pgrep -P %d -f hold | xargs kill -9",
             (int)leader->pid);
    free(box_shell(command));
    await_leader();
    end_all();
    unsetenv("BOTKEEP_TEST_ISOLATION");
}

static int count_of(struct shard *shard) {
    char line[64];
    say(shard, 'c', line, sizeof line);
    return atoi(line);
}

static void test_leader__alone_runs_the_schedule(void **state) {
    (void)state;
    start_all("auto", "0.0001");
    for (int life = 0; life < 2; life++) {
        struct shard *leader = await_leader();
        int before = count_of(leader);
        while (count_of(leader) < before + 2) {
            usleep(50000);
        }
        for (int i = 0; i < SHARDS; i++) {
            assert_true(shards[i].pid == 0 || &shards[i] == leader ||
                        count_of(&shards[i]) == 0);
        }
        kill_shard(leader);
    }
    end_all();
}

/* Two keepers in one process are two open files: one of them leads. */
static void test_leader__is_one_among_keepers_of_a_process(void **state) {
    (void)state;
    bk_keeper *keepers[2];
    for (int i = 0; i < 2; i++) {
        keepers[i] = bk_new();
        assert_int_equal(bk_set(keepers[i], "database", box_database()), 0);
        assert_int_equal(bk_set(keepers[i], "backup.dir", sandbox_path("backups")), 0);
        assert_int_equal(bk_set(keepers[i], "env.file", ""), 0);
        assert_int_equal(bk_open(keepers[i]), 0);
        char *done = bk_call(keepers[i], "backup.status", NULL);
        assert_int_equal((int)bk_pick_number(done, "result.leader", -1), i == 0);
        bk_free(done);
    }
    assert_int_equal(bk_close(keepers[0]), 0);
    int leader = 0;
    while (!leader) {
        char *done = bk_call(keepers[1], "backup.status", NULL);
        leader = (int)bk_pick_number(done, "result.leader", -1);
        bk_free(done);
    }
    assert_int_equal(bk_close(keepers[1]), 0);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[0], "shard") == 0) {
        return be_a_shard(argv + 1);
    }
    const struct CMUnitTest tests[] = {
        TEST(is_one_of_all_and_all_know_which),
        TEST(is_followed_when_it_is_killed_or_ends),
        TEST(is_followed_in_process_mode),
        TEST(leaves_its_lock_to_no_child),
        TEST(leaves_its_lock_to_no_child_in_process_mode),
        TEST(is_followed_where_a_helper_holds_the_lock),
        TEST(has_a_helper_that_leaves_with_it),
        TEST(survives_the_end_of_its_helper),
        TEST(alone_runs_the_schedule),
        TEST(is_one_among_keepers_of_a_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
