/* The background writer and its folder: snapshots, results, retention, the newest valid one,
 * kills. */
#include "tests/trainer/checkpoint_fixture.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static ty_ckpt_writer *open_writer(fixture *f, int keep_last, bool keep_best) {
    ty_ckpt_writer *writer = NULL;
    const ty_ckpt_writer_options options = {
        .folder = f->folder.path,
        .keep_last = keep_last,
        .keep_best = keep_best,
        .expected_bytes = keep_last % 2 == 0 ? 100000 : 0}; /* too little: it has to grow */
    if (ty_ckpt_writer_open(&f->ctx, &options, &writer) != TY_OK)
        fail_msg("%s", f->ctx.message);
    return writer;
}

static void save(fixture *f, ty_ckpt_writer *writer, int64_t step, bool is_best) {
    ty_ckpt_result result;
    sample_fill(&f->sample, step);
    assert_int_equal(ty_ckpt_writer_submit(&f->ctx, writer, &f->sample.content, is_best), TY_OK);
    assert_true(ty_ckpt_writer_poll(writer, true, &result));
    if (result.status != TY_OK)
        fail_msg("step %jd: %s", (intmax_t)step, result.message);
    assert_int_equal(result.step, step);
    assert_int_equal(result.is_best, is_best);
}

static void expect_names(fixture *f, const char *want) {
    char **names, all[2048] = "";
    size_t count;
    assert_int_equal(ty_dir_list(&f->ctx, f->folder.path, &f->ctx.scratch, &names, &count), TY_OK);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(all);
        bool is_step = strncmp(names[i], "step_", 5) == 0;
        (void)snprintf(all + length, sizeof all - length, "%s%s", i > 0 ? " " : "",
                       is_step ? names[i] + 5 + 9 : names[i]);
    }
    assert_string_equal(all, want);
}

/* The step that is found, -1 for none; its content has to be the sample's of that step. */
static int64_t find_step(fixture *f) {
    const char *path = NULL;
    ty_checkpoint_header header;
    ty_checkpoint_file *file = NULL;
    bool found = true;
    assert_int_equal(
        ty_checkpoint_find(&f->ctx, f->folder.path, &f->ctx.scratch, &path, &header, &found),
        TY_OK);
    if (!found)
        return -1;
    if (ty_checkpoint_read(&f->ctx, path, &file) != TY_OK)
        fail_msg("%s", f->ctx.message);
    sample_fill(&f->sample, header.step);
    assert_null(sample_difference(&f->sample, file));
    ty_checkpoint_file_close(file);
    return header.step;
}

static void damage(fixture *f, int64_t step) {
    const char *path = ty_checkpoint_path(&f->ctx.scratch, f->folder.path, step);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 3000, SEEK_SET), 0);
    assert_int_equal(fputs("damage", file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

typedef struct log_counter {
    int lines;
    char last[TY_MESSAGE_BYTES];
} log_counter;

static void count_line(void *self, ty_log_level level, const char *topic, const char *line) {
    log_counter *counter = self;
    (void)level, (void)topic;
    counter->lines++;
    (void)snprintf(counter->last, sizeof counter->last, "%s", line);
}

static void a_save_tells_its_path_and_can_be_read(void **state) {
    fixture *f = *state;
    ty_ckpt_result result;
    ty_checkpoint_file *file = NULL;
    ty_ckpt_writer *writer = open_writer(f, 2, false);
    assert_false(ty_ckpt_writer_poll(writer, true, &result));
    assert_int_equal(ty_ckpt_writer_submit(&f->ctx, writer, &f->sample.content, false), TY_OK);
    assert_true(ty_ckpt_writer_poll(writer, true, &result));
    assert_int_equal(result.status, TY_OK);
    assert_string_equal(result.path, f->path);
    assert_true(result.seconds > 0);
    assert_int_equal(ty_checkpoint_read(&f->ctx, result.path, &file), TY_OK);
    assert_null(sample_difference(&f->sample, file));
    ty_checkpoint_file_close(file);
    assert_false(ty_ckpt_writer_poll(writer, true, &result));
    ty_ckpt_writer_close(writer);
    ty_ckpt_writer_close(NULL);
}

static void every_save_is_told_once_and_in_order(void **state) {
    fixture *f = *state;
    ty_ckpt_result result;
    ty_ckpt_writer *writer = open_writer(f, 10, false);
    for (int64_t step = 1; step <= 5; step++) {
        sample_fill(&f->sample, step);
        assert_int_equal(ty_ckpt_writer_submit(&f->ctx, writer, &f->sample.content, false), TY_OK);
    }
    for (int64_t step = 1; step <= 5; step++) {
        assert_true(ty_ckpt_writer_poll(writer, true, &result));
        assert_int_equal(result.step, step);
        assert_int_equal(result.status, TY_OK);
    }
    assert_false(ty_ckpt_writer_poll(writer, true, &result));
    ty_ckpt_writer_close(writer);
    expect_names(f, "001.h5 002.h5 003.h5 004.h5 005.h5");
}

static void what_is_saved_is_the_content_at_submit(void **state) {
    fixture *f = *state;
    ty_ckpt_writer *writer = open_writer(f, 3, false);
    for (int64_t step = 1; step <= 200; step++) {
        ty_ckpt_result result;
        ty_checkpoint_file *file = NULL;
        sample_fill(&f->sample, step);
        assert_int_equal(ty_ckpt_writer_submit(&f->ctx, writer, &f->sample.content, false), TY_OK);
        for (int64_t later = 1000; later < 1005; later++)
            sample_fill(&f->sample, later + step); /* training goes on while it is written */
        assert_true(ty_ckpt_writer_poll(writer, true, &result));
        assert_int_equal(result.status, TY_OK);
        assert_int_equal(ty_checkpoint_read(&f->ctx, result.path, &file), TY_OK);
        sample_fill(&f->sample, step);
        const char *difference = sample_difference(&f->sample, file);
        if (difference)
            fail_msg("step %jd: %s differs", (intmax_t)step, difference);
        ty_checkpoint_file_close(file);
    }
    ty_ckpt_writer_close(writer);
}

static void closing_finishes_the_save_in_flight(void **state) {
    fixture *f = *state;
    ty_ckpt_writer *writer = open_writer(f, 1, false);
    assert_int_equal(ty_ckpt_writer_submit(&f->ctx, writer, &f->sample.content, false), TY_OK);
    ty_ckpt_writer_close(writer);
    assert_int_equal(find_step(f), 7);
}

static void a_content_that_cannot_be_stored_is_refused_at_submit(void **state) {
    fixture *f = *state;
    ty_ckpt_result result;
    ty_ckpt_writer *writer = open_writer(f, 1, false);
    f->sample.tensors[2].name = "a//b";
    assert_int_equal(ty_ckpt_writer_submit(&f->ctx, writer, &f->sample.content, false), TY_ERR_ARG);
    assert_false(ty_ckpt_writer_poll(writer, true, &result));
    ty_ckpt_writer_close(writer);
}

static void a_failed_save_is_told_and_the_next_one_works(void **state) {
    fixture *f = *state;
    ty_ckpt_result result;
    char moved[3 * TEMP_FOLDER_BYTES];
    ty_ckpt_writer *writer = open_writer(f, 1, false);
    save(f, writer, 1, false);
    (void)snprintf(moved, sizeof moved, "%s-moved", f->folder.path);
    assert_int_equal(rename(f->folder.path, moved), 0);
    sample_fill(&f->sample, 2);
    assert_int_equal(ty_ckpt_writer_submit(&f->ctx, writer, &f->sample.content, false), TY_OK);
    assert_true(ty_ckpt_writer_poll(writer, true, &result));
    assert_int_equal(result.status, TY_ERR_NOT_FOUND);
    assert_non_null(strstr(result.message, "step 2"));
    assert_int_equal(rename(moved, f->folder.path), 0);
    assert_int_equal(find_step(f), 1);
    save(f, writer, 3, false);
    ty_ckpt_writer_close(writer);
    expect_names(f, "003.h5");
}

static void the_last_ones_and_the_best_one_are_kept(void **state) {
    fixture *f = *state;
    ty_ckpt_writer *writer = open_writer(f, 2, true);
    for (int64_t step = 1; step <= 6; step++)
        save(f, writer, step, step == 2);
    expect_names(f, "002.h5 005.h5 006.h5");
    save(f, writer, 7, true);
    expect_names(f, "006.h5 007.h5");
    ty_ckpt_writer_close(writer);
}

static void the_best_one_is_known_again_after_a_restart(void **state) {
    fixture *f = *state;
    ty_checkpoint_header header;
    ty_ckpt_writer *writer = open_writer(f, 1, true);
    save(f, writer, 1, true);
    save(f, writer, 2, false);
    ty_ckpt_writer_close(writer);
    writer = open_writer(f, 1, true);
    save(f, writer, 3, false);
    ty_ckpt_writer_close(writer);
    expect_names(f, "001.h5 003.h5");
    const char *path = ty_checkpoint_path(&f->ctx.scratch, f->folder.path, 1);
    assert_int_equal(ty_checkpoint_verify(&f->ctx, path, &header), TY_OK);
    assert_true(header.is_best);
}

static void the_one_just_saved_stays_behind_damaged_later_ones(void **state) {
    fixture *f = *state;
    ty_ckpt_writer *writer = open_writer(f, 1, false);
    save(f, writer, 500, false);
    damage(f, 500);
    save(f, writer, 400, false); /* resumed from an earlier one */
    ty_ckpt_writer_close(writer);
    expect_names(f, "400.h5");
}

static void what_a_killed_writer_left_is_swept(void **state) {
    fixture *f = *state;
    static const char *const names[] = {".tmp-step_000000000003.h5-17-0",
                                        ".trash-step_000000000001.h5", "notes.txt", ".tmp-other"};
    for (size_t i = 0; i < 4; i++) {
        temp_folder_path(&f->folder, names[i], f->path);
        assert_int_equal(ty_file_write_atomic(&f->ctx, f->path, "x", 1), TY_OK);
    }
    ty_ckpt_writer_close(open_writer(f, 1, false));
    expect_names(f, ".tmp-other notes.txt");
}

static void the_folder_is_made_and_keeping_none_is_refused(void **state) {
    fixture *f = *state;
    ty_ckpt_writer *writer = NULL;
    temp_folder_path(&f->folder, "run/checkpoints", f->path);
    ty_ckpt_writer_options options = {.folder = f->path, .keep_last = 0};
    assert_int_equal(ty_ckpt_writer_open(&f->ctx, &options, &writer), TY_ERR_ARG);
    options.keep_last = 1;
    assert_int_equal(ty_ckpt_writer_open(&f->ctx, &options, &writer), TY_OK);
    ty_ckpt_writer_close(writer);
    assert_true(ty_file_exists(&f->ctx, f->path));
}

/* What an observer finds while it keeps what it was told. */
typedef struct keeper {
    const char *folder;
    size_t files, calls;
    ty_status st;
} keeper;

static void look_while_keeping(ty_ctx *ctx, void *self) {
    keeper *k = self;
    char **names;
    k->st = ty_dir_list(ctx, k->folder, &ctx->scratch, &names, &k->files);
    k->calls++;
}

static void observers_keep_what_they_were_told_before_a_checkpoint_is_there(void **state) {
    fixture *f = *state;
    ty_ckpt_writer *writer = NULL;
    keeper k = {.folder = f->folder.path};
    const ty_observer observer = {.keep = look_while_keeping, .self = &k};
    const ty_observers observers = {.v = &observer, .n = 1};
    const ty_ckpt_writer_options options = {
        .folder = f->folder.path, .keep_last = 5, .observers = &observers};
    assert_int_equal(ty_ckpt_writer_open(&f->ctx, &options, &writer), TY_OK);
    for (size_t step = 0; step < 3; step++) {
        save(f, writer, (int64_t)step, false);
        assert_int_equal(k.st, TY_OK);
        assert_int_equal(k.calls, step + 1);
        assert_int_equal(k.files, step);
    }
    ty_ckpt_writer_close(writer);
}

static void the_newest_valid_one_is_found_and_the_others_told(void **state) {
    fixture *f = *state;
    log_counter counter = {0};
    assert_int_equal(find_step(f), -1);
    ty_ckpt_writer *writer = open_writer(f, 5, false);
    for (int64_t step = 9; step <= 12; step++)
        save(f, writer, step, false);
    ty_ckpt_writer_close(writer);
    temp_folder_path(&f->folder, "step_13.h5", f->path); /* not a name of ours */
    assert_int_equal(ty_file_write_atomic(&f->ctx, f->path, "x", 1), TY_OK);
    damage(f, 12);
    const char *from = ty_checkpoint_path(&f->ctx.scratch, f->folder.path, 10);
    const char *to = ty_checkpoint_path(&f->ctx.scratch, f->folder.path, 11);
    assert_int_equal(rename(from, to), 0); /* a good file under a wrong name */
    f->ctx.log = (ty_log_sink){.write = count_line, .self = &counter, .max_level = TY_LOG_WARN};
    assert_int_equal(find_step(f), 9);
    assert_int_equal(counter.lines, 2);
    assert_non_null(strstr(counter.last, "holds step 10"));
    f->ctx.log = (ty_log_sink){0};
    temp_folder_path(&f->folder, "none", f->path);
    const char *path = NULL;
    ty_checkpoint_header header;
    bool found = true;
    assert_int_equal(ty_checkpoint_find(&f->ctx, f->path, &f->ctx.scratch, &path, &header, &found),
                     TY_OK);
    assert_false(found);
}

/* The step of what is found as best, -1 for none. */
static int64_t best_step(fixture *f) {
    const char *path = NULL;
    ty_checkpoint_header header = {0};
    bool found = true;
    assert_int_equal(
        ty_checkpoint_find_best(&f->ctx, f->folder.path, &f->ctx.scratch, &path, &header, &found),
        TY_OK);
    if (found)
        assert_string_equal(path, ty_checkpoint_path(&f->ctx.scratch, f->folder.path, header.step));
    return found ? header.step : -1;
}

static void the_best_one_is_found_and_the_newest_where_it_is_damaged(void **state) {
    fixture *f = *state;
    assert_int_equal(best_step(f), -1);
    ty_ckpt_writer *writer = open_writer(f, 5, true);
    save(f, writer, 1, false);
    assert_int_equal(best_step(f), 1);
    save(f, writer, 2, true);
    save(f, writer, 3, false);
    ty_ckpt_writer_close(writer);
    assert_int_equal(best_step(f), 2);
    damage(f, 2);
    assert_int_equal(best_step(f), 3);
}

/* --- kills ------------------------------------------------------------------------------------ */

static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(2685821657736338717);
}

static uint64_t number_from_environment(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* Saves step after step for ever; *acknowledged is the last that poll called saved. */
static void save_for_ever(fixture *f, int64_t step, volatile int64_t *acknowledged) {
    ty_ckpt_writer *writer = NULL;
    const ty_ckpt_writer_options options = {
        .folder = f->folder.path, .keep_last = 2, .keep_best = true};
    if (ty_ckpt_writer_open(&f->ctx, &options, &writer) != TY_OK)
        _exit(2);
    for (;; step++) {
        ty_ckpt_result result;
        sample_fill(&f->sample, step);
        if (ty_ckpt_writer_submit(&f->ctx, writer, &f->sample.content, step % 5 == 0) != TY_OK ||
            !ty_ckpt_writer_poll(writer, true, &result) || result.status != TY_OK)
            _exit(3);
        *acknowledged = step;
    }
}

static void no_kill_loses_an_acknowledged_checkpoint(void **state) {
    fixture *f = *state;
    uint64_t kills = number_from_environment("TY_TEST_KILLS", 200);
    uint64_t seed = number_from_environment("TY_TEST_SEED", (uint64_t)time(NULL) * 2 + 1);
    print_message("%" PRIu64 " kills, seed %" PRIu64 "\n", kills, seed);
    volatile int64_t *acknowledged =
        mmap(NULL, sizeof *acknowledged, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(acknowledged != MAP_FAILED);
    *acknowledged = -1;
    int64_t found = -1;
    for (uint64_t n = 0; n < kills; n++) {
        struct timespec time = {.tv_nsec = (long)(next_random(&seed) % 30000000)};
        int exit_status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            save_for_ever(f, found + 1, acknowledged);
        (void)nanosleep(&time, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &exit_status, 0), child);
        assert_true(WIFSIGNALED(exit_status));
        found = find_step(f);
        if (found < *acknowledged)
            fail_msg("kill %" PRIu64 ": step %jd was acknowledged, %jd is there", n,
                     (intmax_t)*acknowledged, (intmax_t)found);
    }
    print_message("%jd steps saved\n", (intmax_t)found);
    (void)munmap((void *)(uintptr_t)acknowledged, sizeof *acknowledged);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_save_tells_its_path_and_can_be_read),
        WITH_FOLDER(every_save_is_told_once_and_in_order),
        WITH_FOLDER(what_is_saved_is_the_content_at_submit),
        WITH_FOLDER(closing_finishes_the_save_in_flight),
        WITH_FOLDER(a_content_that_cannot_be_stored_is_refused_at_submit),
        WITH_FOLDER(a_failed_save_is_told_and_the_next_one_works),
        WITH_FOLDER(the_last_ones_and_the_best_one_are_kept),
        WITH_FOLDER(the_best_one_is_known_again_after_a_restart),
        WITH_FOLDER(the_one_just_saved_stays_behind_damaged_later_ones),
        WITH_FOLDER(what_a_killed_writer_left_is_swept),
        WITH_FOLDER(the_folder_is_made_and_keeping_none_is_refused),
        WITH_FOLDER(observers_keep_what_they_were_told_before_a_checkpoint_is_there),
        WITH_FOLDER(the_newest_valid_one_is_found_and_the_others_told),
        WITH_FOLDER(the_best_one_is_found_and_the_newest_where_it_is_damaged),
        WITH_FOLDER(no_kill_loses_an_acknowledged_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
