/* What ty_comm_open makes of the environment it finds itself in; all without MPI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "trainer/comm.h"

static const char *no_launcher(const char *name) {
    (void)name;
    return NULL;
}

/* srun -n 4 without a PMI that the MPI library understands */
static const char *lonely_task(const char *name) {
    if (strcmp(name, "SLURM_STEP_NUM_TASKS") == 0 || strcmp(name, "SLURM_NTASKS") == 0)
        return "4";
    return strcmp(name, "SLURM_PROCID") == 0 ? "2" : NULL;
}

/* the same on a Slurm that does not say how many tasks the step has */
static const char *old_lonely_task(const char *name) {
    if (strcmp(name, "SLURM_NTASKS") == 0)
        return "4";
    return strcmp(name, "SLURM_PROCID") == 0 || strcmp(name, "SLURM_STEP_ID") == 0 ? "0" : NULL;
}

/* sbatch -n 4: the script itself runs once */
static const char *batch_script(const char *name) {
    if (strcmp(name, "SLURM_NTASKS") == 0)
        return "4";
    return strcmp(name, "SLURM_PROCID") == 0 ? "0" : NULL;
}

static const char *only_task(const char *name) {
    if (strcmp(name, "SLURM_STEP_NUM_TASKS") == 0)
        return "1";
    return strcmp(name, "SLURM_PROCID") == 0 ? "0" : NULL;
}

static ty_status open_in(ty_ctx *ctx, ty_getenv_fn environment) {
    ty_ctx_init(ctx);
    ctx->getenv = environment;
    ty_comm *comm = NULL;
    ty_status st = ty_comm_open(ctx, NULL, &comm);
    if (st == TY_OK)
        assert_string_equal(ty_comm_kind(comm), "self");
    ty_comm_close(comm);
    return st;
}

static void check_refused(ty_getenv_fn environment) {
    ty_ctx ctx;
    assert_int_equal(open_in(&ctx, environment), TY_ERR_COMM);
    assert_non_null(strstr(ctx.message, "Slurm started 4 of this step"));
    assert_non_null(strstr(ctx.message, "srun --mpi=pmix"));
    ty_ctx_clear(&ctx);
}

static void check_opened(ty_getenv_fn environment) {
    ty_ctx ctx;
    assert_int_equal(open_in(&ctx, environment), TY_OK);
    ty_ctx_clear(&ctx);
}

static void without_a_launcher_the_world_is_one_rank(void **state) {
    (void)state;
    check_opened(no_launcher);
}

static void a_task_among_others_without_pmi_is_refused(void **state) {
    (void)state;
    check_refused(lonely_task);
    check_refused(old_lonely_task);
}

static void a_batch_script_is_not_taken_for_a_task(void **state) {
    (void)state;
    check_opened(batch_script);
}

static void the_only_task_of_a_step_is_fine(void **state) {
    (void)state;
    check_opened(only_task);
}

static void a_negative_deadline_is_refused(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    const ty_comm_options options = {.deadline_s = -1};
    ty_comm *comm = NULL;
    assert_int_equal(ty_comm_open(&ctx, &options, &comm), TY_ERR_ARG);
    ty_ctx_clear(&ctx);
}

static void closing_nothing_is_fine(void **state) {
    (void)state;
    ty_comm_close(NULL);
    ty_comm_abort(NULL, 1);
    ty_reduction_close(NULL);
}

static void abort_returns_where_there_is_one_rank(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ctx.getenv = no_launcher;
    ty_comm *comm = NULL;
    assert_int_equal(ty_comm_open(&ctx, NULL, &comm), TY_OK);
    ty_comm_abort(comm, 8);
    ty_comm_close(comm);
    ty_ctx_clear(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_launcher_the_world_is_one_rank),
        cmocka_unit_test(a_task_among_others_without_pmi_is_refused),
        cmocka_unit_test(a_batch_script_is_not_taken_for_a_task),
        cmocka_unit_test(the_only_task_of_a_step_is_fine),
        cmocka_unit_test(a_negative_deadline_is_refused),
        cmocka_unit_test(closing_nothing_is_fine),
        cmocka_unit_test(abort_returns_where_there_is_one_rank),
    };
    return cmocka_run_group_tests_name("comm_open", tests, NULL, NULL);
}
