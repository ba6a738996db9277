/* Many training runs in one process, alone and on groups of ranks side by side under mpirun: ctest runs
 * this program in all these ways, every rank runs each test in step. */
#include "cli/train/train_run.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/temp_folder.h"
#include "tracking/tracking.h"

static const char *const config =
    "{\"name\": \"many\", \"experiment\": \"many\","
    "\"data\": {\"source\": \"synthetic:150x6x3\", \"val_fraction\": 0.3},"
    "\"model\": {\"layers\": [{\"type\": \"linear\", \"out\": 9}, \"tanh\","
    "{\"type\": \"dropout\", \"rate\": 0.2}, \"linear\"]},"
    "\"device\": \"cpu\","
    "\"train\": {\"duration\": \"8 steps\", \"global_batch_size\": 24, \"threads\": 1},"
    "\"eval\": {\"every\": \"2 steps\"}, \"checkpoint\": {\"export\": false},"
    "\"tracking\": {\"system_every\": 0, \"log_every\": \"1 steps\"}}";

typedef struct bench {
    ty_ctx ctx;
    ty_comm *world, *group; /* ranks in twos, one may be left over */
    int rank, group_rank, group_number;
    temp_folder folder; /* rank 0's, known to all */
} bench;

static void check(const bench *b, ty_status st) {
    if (st != TY_OK)
        fail_msg("rank %d: %s: %s", b->rank, ty_status_name(st), b->ctx.message);
}

static int open_bench(void **state) {
    bench *b = calloc(1, sizeof *b);
    const ty_comm_options options = {.deadline_s = 60};
    assert_non_null(b);
    *state = b;
    ty_ctx_init(&b->ctx);
    check(b, ty_comm_open(&b->ctx, &options, &b->world));
    const int size = ty_comm_size(b->world), width = size > 1 ? 2 : 1;
    b->rank = ty_comm_rank(b->world);
    b->group_number = b->rank / width < size / width ? b->rank / width : -1;
    b->group_rank = b->rank % width;
    check(b, ty_comm_split(&b->ctx, b->world, b->group_number, &b->group));
    if (b->rank == 0)
        b->folder = temp_folder_make();
    check(b, ty_comm_broadcast(&b->ctx, b->world, 0, &b->folder, sizeof b->folder));
    return 0;
}

static int close_bench(void **state) {
    bench *b = *state;
    check(b, ty_comm_barrier(&b->ctx, b->world));
    if (b->rank == 0)
        temp_folder_remove(&b->folder);
    ty_comm_close(b->group);
    ty_comm_close(b->world);
    ty_ctx_clear(&b->ctx);
    free(b);
    return 0;
}

/* --- one run ---------------------------------------------------------------------------------- */

/* An observer that counts evaluations by step, and may answer one. */
typedef struct watcher {
    int evals[16];
    int64_t answer_at; /* 0: never */
    ty_answer answer;
} watcher;

static ty_answer watch(void *self, const ty_event *event, const char **reason) {
    watcher *w = self;
    if (event->kind != TY_EVENT_EVAL)
        return TY_CONTINUE;
    assert_in_range(event->step, 0, 15);
    w->evals[event->step]++;
    if (event->step != w->answer_at)
        return TY_CONTINUE;
    *reason = "the scheduler said so";
    return w->answer;
}

typedef struct attempt {
    char name[64];
    const char *sets[4];
    int n_sets;
    watcher watcher;
    const train_tag *tags;
    int64_t n_tags;
    const _Atomic int *stop_signal;
    const char *text;                        /* NULL: config */
    const char *(*getenv)(const char *name); /* NULL: the process's */
    train_outcome out;
    char message[TY_MESSAGE_BYTES];
} attempt;

/* A trial of this rank's group, in an app of its own. */
static ty_status run(const bench *b, attempt *t) {
    cli app = {.folder = b->folder.path};
    const ty_observer observer = {.notify = watch, .self = &t->watcher};
    const train_wish wish = {.config = "the sweep's config",
                             .text = t->text ? t->text : config,
                             .sets = t->sets,
                             .n_sets = t->n_sets,
                             .name = t->name,
                             .leaves_test_alone = true,
                             .comm = b->group,
                             .stop_signal = t->stop_signal,
                             .observers = &observer,
                             .n_observers = 1,
                             .tags = t->tags,
                             .n_tags = t->n_tags};
    ty_ctx_init_child(&app.ctx, &b->ctx);
    if (t->getenv)
        app.ctx.getenv = t->getenv;
    console_init(&app.console, &app.ctx, true, false, "never");
    const ty_status st = train_run_once(&app, &wish, &t->out);
    (void)snprintf(t->message, sizeof t->message, "%s", app.ctx.message);
    console_clear(&app.console);
    ty_arena_clear(&app.memory);
    ty_ctx_clear(&app.ctx);
    return st;
}

static void run_well(const bench *b, attempt *t) {
    if (run(b, t) != TY_OK)
        fail_msg("rank %d: %s", b->rank, t->message);
}

static attempt make_attempt(const bench *b, const char *what) {
    attempt t = {.n_sets = 0};
    (void)snprintf(t.name, sizeof t.name, "%s-%d", what, b->group_number);
    return t;
}

/* "first-0" becomes "first-0.2"; i is a digit. */
static void number_it(attempt *t, int i) {
    const size_t length = strlen(t->name);
    assert_true(length + 3 <= sizeof t->name);
    t->name[length] = '.';
    t->name[length + 1] = (char)('0' + i);
    t->name[length + 2] = 0;
}

/* --- what is to hold -------------------------------------------------------------------------- */

static void many_runs_in_one_process_are_each_what_it_is_alone(void **state) {
    const bench *b = *state;
    uint64_t first[3];
    if (!b->group)
        return;
    for (int i = 0; i < 6; i++) {
        attempt t = make_attempt(b, i < 3 ? "first" : "second");
        char seed[32];
        (void)snprintf(seed, sizeof seed, "seed=%d", i % 3);
        number_it(&t, i % 3);
        t.sets[t.n_sets++] = seed;
        run_well(b, &t);
        assert_true(t.out.is_complete);
        assert_int_equal(t.out.step, 8);
        assert_true(isfinite(t.out.val_loss) && isfinite(t.out.val_accuracy));
        if (i >= 3)
            assert_true(t.out.params_hash == first[i % 3]);
        else
            first[i] = t.out.params_hash;
    }
    assert_true(first[0] != first[1] && first[1] != first[2]);
}

static void a_run_that_is_complete_is_not_trained_again(void **state) {
    const bench *b = *state;
    if (!b->group)
        return;
    attempt t = make_attempt(b, "complete"), again = make_attempt(b, "complete");
    run_well(b, &t);
    run_well(b, &again);
    assert_true(again.out.is_complete);
    assert_true(again.out.params_hash == t.out.params_hash);
    assert_true(again.out.best_value == t.out.best_value);
    for (int step = 0; step < 16; step++)
        assert_int_equal(again.watcher.evals[step], 0);
}

/* Rungs at steps 2 and 4: what a promotion goes on with is what was paused. */
static void a_paused_run_goes_on_and_evaluates_nothing_twice(void **state) {
    const bench *b = *state;
    if (!b->group)
        return;
    attempt whole = make_attempt(b, "whole"), parts = make_attempt(b, "parts");
    run_well(b, &whole);
    parts.watcher.answer = TY_PAUSE;
    for (int64_t rung = 2; rung <= 4; rung += 2) {
        parts.watcher.answer_at = rung;
        run_well(b, &parts);
        assert_false(parts.out.is_complete);
        assert_int_equal(parts.out.step, rung);
        if (b->group_rank == 0)
            assert_string_equal(parts.out.reason, "the scheduler said so");
    }
    parts.watcher.answer_at = 0;
    run_well(b, &parts);
    assert_true(parts.out.is_complete);
    assert_true(parts.out.params_hash == whole.out.params_hash);
    assert_true(parts.out.best_value == whole.out.best_value);
    assert_true(parts.out.val_loss == whole.out.val_loss);
    for (int step = 0; step < 16; step++) {
        assert_int_equal(parts.watcher.evals[step], whole.watcher.evals[step]);
        assert_int_equal(whole.watcher.evals[step],
                         b->group_rank == 0 && step % 2 == 0 && step >= 2 && step <= 8);
    }
}

static void an_observer_stops_a_run_for_good(void **state) {
    const bench *b = *state;
    if (!b->group)
        return;
    attempt t = make_attempt(b, "stopped"), again = make_attempt(b, "stopped");
    t.watcher.answer_at = 4;
    t.watcher.answer = TY_STOP;
    run_well(b, &t);
    assert_true(t.out.is_complete);
    assert_int_equal(t.out.step, 4);
    run_well(b, &again);
    assert_true(again.out.is_complete);
    assert_int_equal(again.out.step, 4);
}

static void a_signal_that_the_caller_heard_leaves_a_checkpoint(void **state) {
    const bench *b = *state;
    if (!b->group)
        return;
    const _Atomic int signal = SIGUSR1;
    attempt t = make_attempt(b, "preempted"), whole = make_attempt(b, "not-preempted");
    t.stop_signal = &signal;
    assert_int_equal(run(b, &t), TY_STOP_REQUEUE);
    assert_false(t.out.is_complete);
    assert_int_equal(t.out.step, 1);
    t.stop_signal = NULL;
    run_well(b, &t);
    run_well(b, &whole);
    assert_true(t.out.params_hash == whole.out.params_hash);
}

static void a_run_that_fails_harms_none_after_it(void **state) {
    const bench *b = *state;
    if (!b->group)
        return;
    attempt wrong = make_attempt(b, "wrong"), right = make_attempt(b, "right");
    wrong.sets[wrong.n_sets++] = "optimizer.learning_rate=-1";
    assert_int_equal(run(b, &wrong), TY_ERR_CONFIG);
    assert_non_null(strstr(wrong.message, "optimizer.learning_rate"));
    assert_true(isnan(wrong.out.val_loss));
    wrong.n_sets = 0;
    wrong.text = "{\"name\": \"x\", \"data\": {\"source\": \"no such file.csv\"},"
                 "\"model\": {\"layers\": [\"linear\"]}}";
    assert_int_equal(run(b, &wrong), TY_ERR_NOT_FOUND);
    run_well(b, &right);
    assert_true(right.out.is_complete);
}

static void the_test_data_are_left_alone_and_tags_recorded(void **state) {
    bench *b = *state;
    if (!b->group)
        return;
    const train_tag tags[] = {{"mlflow.parentRunId", "0123456789abcdef0123456789abcdef"}};
    attempt t = make_attempt(b, "recorded");
    t.tags = tags;
    t.n_tags = 1;
    run_well(b, &t);
    if (b->group_rank != 0)
        return;
    ty_arena arena = {0};
    ty_run_record record;
    bool has_tag = false, has_val = false;
    check(b, ty_runs_read(&b->ctx, t.out.run_folder, &arena, &record));
    assert_int_equal(strlen(t.out.run_id), 32);
    for (int64_t i = 0; i < record.n_metrics; i++) {
        assert_int_not_equal(strncmp(record.metrics[i].key, "test/", 5), 0);
        has_val |= strcmp(record.metrics[i].key, "val/loss") == 0 &&
                   record.metrics[i].value == t.out.val_loss;
    }
    for (int64_t i = 0; i < record.n_tags; i++)
        has_tag |= strcmp(record.tags[i].key, tags[0].key) == 0 &&
                   strcmp(record.tags[i].text, tags[0].value) == 0;
    ty_arena_clear(&arena);
    assert_true(has_tag && has_val);
}

static const char *name_a_run(const char *name) {
    return strcmp(name, "MLFLOW_RUN_ID") == 0 ? "00000000000000000000000000000abc" : getenv(name);
}

static void a_run_that_the_environment_names_is_not_each_of_many(void **state) {
    const bench *b = *state;
    if (!b->group)
        return;
    attempt t = make_attempt(b, "named");
    t.getenv = name_a_run;
    run_well(b, &t);
    assert_true(t.out.is_complete);
    assert_string_not_equal(t.out.run_id, "00000000000000000000000000000abc");
}

static int entries_of(const char *path) {
    int n = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder))
        n++;
    (void)closedir(folder);
    return n;
}

static void runs_leave_neither_files_nor_threads_open(void **state) {
    const bench *b = *state;
    int files[3] = {0}, threads[3] = {0};
    if (!b->group)
        return;
    for (int i = 0; i < 3; i++) {
        attempt t = make_attempt(b, "open");
        number_it(&t, i);
        run_well(b, &t);
        files[i] = entries_of("/proc/self/fd");
        threads[i] = entries_of("/proc/self/task");
    }
    assert_int_equal(files[2], files[1]);
    assert_int_equal(threads[2], threads[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_runs_in_one_process_are_each_what_it_is_alone),
        cmocka_unit_test(a_run_that_is_complete_is_not_trained_again),
        cmocka_unit_test(a_paused_run_goes_on_and_evaluates_nothing_twice),
        cmocka_unit_test(an_observer_stops_a_run_for_good),
        cmocka_unit_test(a_signal_that_the_caller_heard_leaves_a_checkpoint),
        cmocka_unit_test(a_run_that_fails_harms_none_after_it),
        cmocka_unit_test(the_test_data_are_left_alone_and_tags_recorded),
        cmocka_unit_test(a_run_that_the_environment_names_is_not_each_of_many),
        cmocka_unit_test(runs_leave_neither_files_nor_threads_open),
    };
    return cmocka_run_group_tests_name("train_run", tests, open_bench, close_bench);
}
