/* Every file operation of opening a writer, saving, pruning and closing, failed once and for ever
 * in each way. Another checkpoint was acknowledged before; it or its successor is always there
 * afterwards, and the next save works. */
#include "tests/trainer/checkpoint_fixture.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fault_io.h"

enum { OLD_STEP = 4, NEW_STEP = 5 };

typedef struct bench {
    fixture *f;
    ty_ctx faulty;
    fault_io fault;
    volatile bool *is_acknowledged; /* outlives a killed child */
} bench;

static void open_bench(bench *b, fixture *f) {
    b->f = f;
    ty_ctx_init(&b->faulty);
    fault_io_init(&b->fault);
    b->faulty.io = &b->fault.io;
    b->is_acknowledged = mmap(NULL, sizeof *b->is_acknowledged, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(b->is_acknowledged != MAP_FAILED);
}

static void close_bench(bench *b) {
    (void)munmap((void *)(uintptr_t)b->is_acknowledged, sizeof *b->is_acknowledged);
    ty_ctx_clear(&b->faulty);
}

static void fail_at_point(const bench *b, const char *why) {
    fail_msg("%s at operation %lld%s: %s", fault_kind_name(b->fault.kind), b->fault.fail_at,
             b->fault.is_sticky ? " and on" : "", why);
}

/* One whole life of a writer; true where the save was called good. */
static bool save_one(bench *b, ty_ctx *ctx, int64_t step) {
    ty_ckpt_writer *writer = NULL;
    ty_ckpt_result result = {.status = TY_ERR_FAILED};
    const ty_ckpt_writer_options options = {
        .folder = b->f->folder.path, .keep_last = 1, .keep_best = true};
    sample_fill(&b->f->sample, step);
    if (ty_ckpt_writer_open(ctx, &options, &writer) != TY_OK)
        return false;
    if (ty_ckpt_writer_submit(ctx, writer, &b->f->sample.content, false) == TY_OK)
        (void)ty_ckpt_writer_poll(writer, true, &result);
    if (result.status != TY_OK && !(result.message && result.message[0]))
        fail_at_point(b, "a failed save without a message");
    ty_ckpt_writer_close(writer);
    return result.status == TY_OK;
}

static void save_under_fault(bench *b) {
    *b->is_acknowledged = save_one(b, &b->faulty, NEW_STEP);
}

static void run(bench *b, fault_kind kind, long long at, bool is_sticky) {
    int exit_status = 0;
    *b->is_acknowledged = false;
    fault_io_arm(&b->fault, kind, at, is_sticky);
    if (kind != FAULT_KILL) {
        save_under_fault(b);
        return;
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        save_under_fault(b);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &exit_status, 0), child);
    if (exit_status != 0 && !(WIFSIGNALED(exit_status) && WTERMSIG(exit_status) == SIGKILL))
        fail_at_point(b, "the child crashed");
}

/* A folder with the acknowledged old step, and things that a writer has to sweep. */
static void prepare(bench *b) {
    char **names;
    size_t count;
    fixture *f = b->f;
    ty_arena_mark mark = ty_arena_mark_here(&f->ctx.scratch);
    assert_int_equal(ty_dir_list(&f->ctx, f->folder.path, &f->ctx.scratch, &names, &count), TY_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(unlink(temp_folder_path(&f->folder, names[i], f->path)), 0);
    ty_arena_reset(&f->ctx.scratch, mark);
    if (!save_one(b, &f->ctx, OLD_STEP))
        fail_msg("%s", f->ctx.message);
    temp_folder_path(&f->folder, ".tmp-step_000000000003.h5-1-0", f->path);
    assert_int_equal(ty_file_write_atomic(&f->ctx, f->path, "x", 1), TY_OK);
}

static int64_t find_good(bench *b) {
    const char *path = NULL;
    ty_checkpoint_header header = {0};
    ty_checkpoint_file *file = NULL;
    ty_ctx *ctx = &b->f->ctx;
    bool found = false;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    if (ty_checkpoint_find(ctx, b->f->folder.path, &ctx->scratch, &path, &header, &found) !=
            TY_OK ||
        !found || ty_checkpoint_read(ctx, path, &file) != TY_OK)
        fail_at_point(b, "no checkpoint is left");
    sample_fill(&b->f->sample, header.step);
    if (sample_difference(&b->f->sample, file))
        fail_at_point(b, "what is found is not what was saved");
    ty_checkpoint_file_close(file);
    ty_arena_reset(&ctx->scratch, mark);
    return header.step;
}

static void check(bench *b) {
    int64_t step = find_good(b);
    if (step != NEW_STEP && (*b->is_acknowledged || step != OLD_STEP))
        fail_at_point(b, "the acknowledged checkpoint is lost");
    if (!save_one(b, &b->f->ctx, NEW_STEP + 1) || find_good(b) != NEW_STEP + 1)
        fail_at_point(b, "the next save does not work");
}

static void no_fault_loses_a_checkpoint_or_the_process(void **state) {
    bench b;
    int points = 0;
    open_bench(&b, *state);
    prepare(&b);
    run(&b, FAULT_NONE, 0, false);
    assert_true(*b.is_acknowledged);
    long long operations = fault_io_count(&b.fault);
    assert_true(operations > 20);
    for (fault_kind kind = FAULT_EIO; kind < FAULT_KINDS; kind++)
        for (int sticky = 0; sticky < (kind == FAULT_KILL ? 1 : 2); sticky++)
            for (long long at = 1; at <= operations; at++, points++) {
                prepare(&b);
                run(&b, kind, at, sticky != 0);
                check(&b);
            }
    print_message("%d fault points in %lld operations\n", points, operations);
    close_bench(&b);
}

static void a_short_transfer_or_one_interrupt_fails_no_save(void **state) {
    bench b;
    open_bench(&b, *state);
    prepare(&b);
    run(&b, FAULT_NONE, 0, false);
    long long operations = fault_io_count(&b.fault);
    prepare(&b);
    run(&b, FAULT_SHORT, 1, true);
    assert_true(*b.is_acknowledged);
    for (long long at = 1; at <= operations; at++) {
        prepare(&b);
        run(&b, FAULT_EINTR, at, false);
        if (!*b.is_acknowledged)
            fail_at_point(&b, "one interrupt failed a save");
    }
    close_bench(&b);
}

/* Reading never crashes and never hands out anything but the content. */
static void no_fault_makes_a_reader_see_something_else(void **state) {
    bench b;
    int points = 0;
    fixture *f = *state;
    open_bench(&b, f);
    prepare(&b);
    const char *path = ty_checkpoint_path(&f->ctx.scratch, f->folder.path, OLD_STEP);
    for (fault_kind kind = FAULT_NONE; kind < FAULT_KILL; kind++)
        for (long long at = 1; at <= 12; at++, points++) {
            ty_checkpoint_file *file = NULL;
            fault_io_arm(&b.fault, kind, at, at % 2 == 0);
            ty_status st = ty_checkpoint_read(&b.faulty, path, &file);
            if (st == TY_OK && sample_difference(&f->sample, file))
                fail_at_point(&b, "other content");
            if (st != TY_OK && (kind == FAULT_NONE || kind == FAULT_SHORT))
                fail_at_point(&b, b.faulty.message);
            ty_checkpoint_file_close(file);
        }
    print_message("%d fault points\n", points);
    close_bench(&b);
}

static int no_room(void *self, const char *path, struct statvfs *out) {
    (void)self;
    int result = ty_io_posix()->statvfs(NULL, path, out);
    out->f_bavail = 1;
    return result;
}

static void a_disk_without_room_is_said_before_anything_is_written(void **state) {
    bench b;
    open_bench(&b, *state);
    b.fault.io.statvfs = no_room;
    assert_int_equal(ty_checkpoint_write(&b.faulty, b.f->path, &b.f->sample.content), TY_ERR_IO);
    assert_non_null(strstr(b.faulty.message, "its disk has"));
    assert_int_equal(fault_io_count(&b.fault), 0);
    close_bench(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(no_fault_loses_a_checkpoint_or_the_process),
        WITH_FOLDER(a_short_transfer_or_one_interrupt_fails_no_save),
        WITH_FOLDER(no_fault_makes_a_reader_see_something_else),
        WITH_FOLDER(a_disk_without_room_is_said_before_anything_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
