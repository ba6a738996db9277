/* Points that are left for a study which another process runs: each is tried once, whoever is killed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hpo/study_case.h"
#include "tests/support/fault_io.h"

static ty_status try_leave(study_case *f, const char *text) {
    ty_study *s = NULL;
    json_t *point = json_loads(text, 0, NULL);
    assert_non_null(point);
    ty_status st = ty_study_read(&f->ctx, f->path, &f->hpo.options, &s);
    if (st == TY_OK)
        st = ty_study_leave_point(&f->ctx, s, f->path, point);
    ty_study_close(s);
    json_decref(point);
    return st;
}

static void leave(study_case *f, const char *text) {
    study_case_ok(f, try_leave(f, text));
}

static const ty_trial *ask(study_case *f, ty_study *s) {
    ty_ask out;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &out));
    assert_int_equal(out.kind, TY_ASK_TRIAL);
    return out.trial;
}

/* Of the files in queue/ beside the journal. */
static size_t count_left(study_case *f) {
    char path[2 * TEMP_FOLDER_BYTES];
    char **names = NULL;
    size_t n = 0;
    const ty_arena_mark mark = ty_arena_mark_here(&f->ctx.scratch);
    temp_folder_path(&f->folder, "queue", path);
    study_case_ok(f, ty_dir_list(&f->ctx, path, &f->ctx.scratch, &names, &n));
    ty_arena_reset(&f->ctx.scratch, mark);
    return n;
}

static void write_left(study_case *f, const char *name, const char *text) {
    char path[2 * TEMP_FOLDER_BYTES];
    temp_folder_path(&f->folder, name, path);
    study_case_ok(f, ty_file_write_atomic(&f->ctx, path, text, strlen(text)));
}

/* --- taking ------------------------------------------------------------------------------------- */

static void what_is_left_while_it_runs_is_tried_next_in_order(void **state) {
    study_case *f = *state;
    size_t decisions = 0;
    ty_study *s = study_case_open(f);
    (void)ask(f, s);
    leave(f, "{\"layers\": 3}");
    leave(f, "{\"layers\": 5}");
    assert_int_equal(count_left(f), 2);
    assert_true(ask(f, s)->asked[1] == 3);
    assert_int_equal(count_left(f), 0);
    assert_int_equal(ty_study_queued(s), 1);
    assert_true(ask(f, s)->asked[1] == 5);
    leave(f, "{\"layers\": 7}");
    ty_study_close(s);
    s = study_case_open(f); /* whoever opens it next takes it */
    assert_int_equal(ty_study_queued(s), 1);
    assert_int_equal(count_left(f), 0);
    ty_study_close(s);
    study_case_ok(f, ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
    assert_int_equal(decisions, 3);
}

static void assert_waiting(study_case *f, const ty_study *s, const char *wanted) {
    json_t *points = json_array();
    ty_text text = {0};
    study_case_ok(f, ty_study_waiting(&f->ctx, s, f->path, points));
    ty_json_add_canonical(points, &text);
    assert_string_equal(ty_text_string(&text), wanted);
    ty_text_clear(&text);
    json_decref(points);
}

/* Also in the moment when the journal has a point whose file is there still. */
static void what_waits_is_seen_by_who_looks(void **state) {
    study_case *f = *state;
    ty_study *looks = NULL;
    ty_study *s = study_case_open(f);
    json_t *point = json_pack("{s:i}", "layers", 2);
    (void)ask(f, s);
    study_case_ok(f, ty_study_enqueue(&f->ctx, s, point));
    leave(f, "{\"layers\": 3}");
    leave(f, "{\"kind\": \"a\"}");
    write_left(f, "queue/notes.txt", "{\"layers\": 6}");
    write_left(f, "queue/9.json", "{\"layers\": ");
    study_case_ok(f, ty_study_read(&f->ctx, f->path, &f->hpo.options, &looks));
    assert_waiting(f, looks, "[{\"layers\":2},{\"layers\":3},{\"kind\":\"a\"}]");
    assert_int_equal(ty_study_queued(looks), 1);
    assert_true(ask(f, s)->asked[1] == 2);
    assert_true(ask(f, s)->asked[1] == 3);
    assert_waiting(f, s, "[{\"kind\":\"a\"}]");
    ty_study_close(looks);
    write_left(f, "queue/1.json", "{\"layers\": 6}");
    (void)ask(f, s);
    write_left(f, "queue/1.json", "{\"layers\": 6}");
    study_case_ok(f, ty_study_read(&f->ctx, f->path, &f->hpo.options, &looks));
    assert_waiting(f, looks, "[{\"layers\":6}]");
    ty_study_close(looks);
    ty_study_close(s);
    json_decref(point);
}

static void what_is_no_point_is_not_left(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f);
    assert_int_equal(try_leave(f, "{\"layers\": 9}"), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "layers is never 9"));
    (void)ask(f, s);
    assert_int_equal(ty_study_queued(s), 0);
    ty_study_close(s);
}

/* Somebody else's hands were in the folder. */
static void what_is_no_point_by_now_keeps_nobody_waiting(void **state) {
    static const char *const names[] = {"queue/1.json", "queue/2.json", "queue/3.json",
                                        "queue/.tmp-4.json-1-0", "queue/notes.txt"};
    static const char *const texts[] = {"{\"layers\": 90}", "{\"layers\": ", "", "{\"layers\": 2}",
                                        "{\"layers\": 2}"};
    study_case *f = *state;
    char path[2 * TEMP_FOLDER_BYTES];
    ty_study *s = study_case_open(f);
    leave(f, "{\"layers\": 4}");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        write_left(f, names[i], texts[i]);
    temp_folder_path(&f->folder, "queue/0.json", path);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_true(ask(f, s)->asked[1] == 4);
    assert_int_equal(ty_study_queued(s), 0);
    (void)ask(f, s);
    assert_int_equal(count_left(f), 3); /* the folder, and what has no name of ours */
    ty_study_close(s);
}

/* The names in the journal are what makes it once, not the files. */
static void a_file_that_comes_back_is_not_taken_again(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f);
    leave(f, "{\"layers\": 4}");
    write_left(f, "queue/1.json", "{\"layers\": 6}");
    (void)ask(f, s);
    (void)ask(f, s);
    write_left(f, "queue/1.json", "{\"layers\": 6}");
    ty_study_close(s);
    s = study_case_open(f);
    assert_int_equal(ty_study_queued(s), 0);
    assert_int_equal(count_left(f), 0);
    ty_study_close(s);
}

/* The journal has names as JSON can, and would not know it again. */
static void a_file_whose_name_is_no_text_is_none_of_ours(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f);
    leave(f, "{\"layers\": 4}");
    write_left(f, "queue/\xff.json", "{\"layers\": 6}");
    for (int i = 0; i < 3; i++)
        (void)ask(f, s);
    assert_int_equal(ty_study_queued(s), 0);
    assert_int_equal(count_left(f), 1);
    ty_study_close(s);
}

static int refuse_unlink(void *self, const char *path) {
    (void)self;
    (void)path;
    errno = EACCES;
    return -1;
}

/* Of another user, in whose folder we may not write. */
static void what_is_no_point_and_cannot_be_removed_keeps_nobody_waiting_either(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f);
    const ty_io *real = f->ctx.io;
    ty_io io = *real;
    io.unlink = refuse_unlink;
    leave(f, "{\"layers\": 4}");
    write_left(f, "queue/1.json", "{\"layers\": 90}");
    f->ctx.io = &io;
    assert_true(ask(f, s)->asked[1] == 4);
    (void)ask(f, s);
    assert_int_equal(ty_study_queued(s), 0);
    assert_int_equal(count_left(f), 2);
    f->ctx.io = real;
    ty_study_close(s);
}

/* --- kills -------------------------------------------------------------------------------------- */

enum { POINTS = 3 };
static const char *const points[POINTS] = {
    "{\"layers\": 2, \"rate\": 0.125}", "{\"layers\": 4, \"rate\": 0.125}",
    "{\"layers\": 6, \"rate\": 0.125}"}; /* a rate that no sampler draws */

static size_t times_tried(const ty_study *s, double layers) {
    size_t times = 0;
    for (size_t i = 0; i < ty_study_count(s); i++)
        times +=
            ty_study_trial(s, i)->asked[0] == 0.125 && ty_study_trial(s, i)->asked[1] == layers;
    return times;
}

static void leave_all(study_case *f, atomic_int *left) {
    for (int i = 0; i < POINTS; i++) {
        if (try_leave(f, points[i]) != TY_OK)
            _exit(3);
        atomic_store(left, i + 1);
    }
}

static void take_some(study_case *f) {
    ty_study *s = NULL;
    if (ty_study_open(&f->ctx, f->path, &f->hpo.options, &s) != TY_OK)
        _exit(3);
    _exit(study_case_run(f, s, 1, 1, 3 * EPOCHS) ? 3 : 0);
}

/* Runs one of both in a process of its own, killed at its call `at`; whether it was. */
static bool run_killed(study_case *f, long long at, atomic_int *left) {
    int status = 0;
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fault_io fault;
        fault_io_init(&fault);
        fault_io_arm(&fault, FAULT_KILL, at, false);
        f->ctx.io = &fault.io;
        if (left)
            leave_all(f, left);
        else
            take_some(f);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) && status != 0)
        fail_msg("a process ended with status %d", status);
    return WIFSIGNALED(status);
}

/* What was promised is tried once; what was not, at most. */
static void expect_once(study_case *f, int left) {
    ty_study *s = study_case_open(f);
    assert_true(study_case_run(f, s, 2, 1, 100000));
    for (int i = 0; i < POINTS; i++) {
        const size_t times = times_tried(s, 2 + 2 * i);
        if (times > 1 || (times == 0 && i < left))
            fail_msg("point %d of %d was tried %zu times", i, left, times);
    }
    assert_int_equal(ty_study_queued(s), 0);
    ty_study_close(s);
}

static void begin_anew(study_case *f, atomic_int *left) {
    (void)unlink(f->path);
    ty_study_close(study_case_open(f));
    atomic_store(left, 0);
}

static void each_is_tried_once_whoever_is_killed_at_any_call(void **state) {
    study_case *f = *state;
    size_t kills = 0;
    atomic_int *left =
        mmap(NULL, sizeof *left, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(left != MAP_FAILED);
    f->hpo.options.max_trials = 8;
    for (long long at = 1, lives = 0; lives < 2; at += 3) {
        begin_anew(f, left);
        const bool leaver = run_killed(f, at, left);
        const bool taker = run_killed(f, at, NULL);
        kills += (size_t)leaver + taker;
        lives += !leaver && !taker;
        expect_once(f, atomic_load(left));
    }
    assert_true(kills > 40);
    print_message("%zu kills\n", kills);
    (void)munmap(left, sizeof *left);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, study_case_set_up, study_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_left_while_it_runs_is_tried_next_in_order),
        TEST(what_waits_is_seen_by_who_looks),
        TEST(what_is_no_point_is_not_left),
        TEST(what_is_no_point_by_now_keeps_nobody_waiting),
        TEST(a_file_that_comes_back_is_not_taken_again),
        TEST(a_file_whose_name_is_no_text_is_none_of_ours),
        TEST(what_is_no_point_and_cannot_be_removed_keeps_nobody_waiting_either),
        TEST(each_is_tried_once_whoever_is_killed_at_any_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
