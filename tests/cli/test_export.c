/* A package made while others wait. Under mpirun the ranks meet with a deadline that the export, on
 * a disk that takes its time, outlasts. */
#include "cli/train/export.h"

#include <time.h>

#include "tests/trainer/onnx_fixture.h"

static const double deadline_s = 6;

static int slow_fsync(void *self, int fd) {
    const struct timespec pause = {.tv_nsec = 600000000};
    (void)self;
    (void)nanosleep(&pause, NULL);
    return ty_io_posix()->fsync(ty_io_posix()->self, fd);
}

typedef struct bench {
    onnx_fixture *f;
    ty_comm *comm;
    ty_io io;
    export_wish wish;
    export_made made;
} bench;

static void open_bench(bench *b, void **state) {
    const ty_comm_options options = {.deadline_s = deadline_s};
    *b = (bench){.f = *state, .io = *ty_io_posix()};
    ty_ctx *ctx = &b->f->ctx;
    const char *path = ty_path_join(&b->f->arena, b->f->folder.path, "model.h5");
    assert_int_equal(ty_comm_open(ctx, &options, &b->comm), TY_OK);
    assert_int_equal(ty_checkpoint_write(ctx, path, &b->f->content), TY_OK);
    b->wish = (export_wish){
        .checkpoint = path, .run_folder = b->f->folder.path, .run_id = "0123456789abcdef"};
}

static ty_status export_here(bench *b, const export_wish *wish, ty_status *exported) {
    return export_model_apart(&b->f->ctx, b->comm, ty_comm_rank(b->comm) == 0 ? wish : NULL,
                              &b->f->arena, &b->made, exported);
}

static void ranks_wait_for_an_export_beyond_their_deadline(void **state) {
    bench b;
    ty_status exported = TY_ERR_INTERNAL;
    uint64_t any = 0;
    open_bench(&b, state);
    b.io.fsync = slow_fsync;
    if (ty_comm_size(b.comm) > 1) /* alone nobody waits */
        b.f->ctx.io = &b.io;
    if (export_here(&b, &b.wish, &exported) != TY_OK)
        fail_msg("%s", b.f->ctx.message);
    assert_int_equal(exported, TY_OK);
    assert_int_equal(ty_comm_vote(&b.f->ctx, b.comm, 0, &any), TY_OK);
    if (ty_comm_rank(b.comm) == 0) {
        const char *graph = ty_path_join(&b.f->arena, b.made.folder, TY_ONNX_FILE);
        assert_int_equal(b.made.step, 12);
        assert_true(ty_file_exists(&b.f->ctx, graph));
    }
    b.f->ctx.io = ty_io_posix();
    ty_comm_close(b.comm);
}

static void a_failure_is_told_to_rank_0_and_ends_nothing(void **state) {
    bench b;
    ty_status exported = TY_OK;
    open_bench(&b, state);
    export_wish wish = b.wish;
    wish.checkpoint = "/nowhere/model.h5";
    assert_int_equal(export_here(&b, &wish, &exported), TY_OK);
    if (ty_comm_rank(b.comm) == 0) {
        assert_int_equal(exported, TY_ERR_NOT_FOUND);
        assert_non_null(strstr(b.f->ctx.message, "/nowhere/model.h5"));
    } else {
        assert_int_equal(exported, TY_OK);
    }
    assert_int_equal(export_here(&b, NULL, &exported), TY_OK);
    ty_comm_close(b.comm);
}

static void the_same_run_and_step_make_the_same_package(void **state) {
    bench b;
    export_made again = {0}, other = {0};
    open_bench(&b, state);
    ty_ctx *ctx = &b.f->ctx;
    assert_int_equal(export_model(ctx, &b.wish, &b.f->arena, &b.made), TY_OK);
    assert_int_equal(export_model(ctx, &b.wish, &b.f->arena, &again), TY_OK);
    assert_string_equal(again.model_id, b.made.model_id);
    assert_string_equal(again.folder, b.made.folder);
    b.wish.run_id = "another";
    assert_int_equal(export_model(ctx, &b.wish, &b.f->arena, &other), TY_OK);
    assert_string_not_equal(other.model_id, b.made.model_id);
    ty_comm_close(b.comm);
}

/* MPI is started once in a process. */
int main(int argc, char **argv) {
#define WITH_FIXTURE(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, onnx_fixture_open, onnx_fixture_close)
    const struct CMUnitTest all[] = {
        WITH_FIXTURE(ranks_wait_for_an_export_beyond_their_deadline),
        WITH_FIXTURE(a_failure_is_told_to_rank_0_and_ends_nothing),
        WITH_FIXTURE(the_same_run_and_step_make_the_same_package),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(all, NULL, NULL);
}
