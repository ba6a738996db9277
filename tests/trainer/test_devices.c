/* What ranks make of the devices they found (trainer/devices.c). ctest runs this program alone and
 * under mpirun; the judgement itself is of made-up reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trainer/devices.h"

enum { RANKS = 4 };

static ty_devices_report cpu(int node, const char *reason) {
    ty_devices_report report = {.found = {.kind = TY_DEVICE_IS_CPU, .name = "cpu"}, .node = node};
    (void)snprintf(report.host, sizeof report.host, "host%d", node);
    (void)snprintf(report.found.reason, sizeof report.found.reason, "%s", reason);
    return report;
}

static ty_devices_report gpu(int node, int index) {
    ty_devices_report report = {.found = {.kind = TY_DEVICE_IS_CUDA, .n_devices = 2}, .node = node};
    (void)snprintf(report.host, sizeof report.host, "host%d", node);
    (void)snprintf(report.found.name, sizeof report.found.name, "cuda:%d", index);
    (void)snprintf(report.found.model, sizeof report.found.model, "NVIDIA H100");
    report.found.uuid[0] = (uint8_t)(16 * node + index + 1);
    return report;
}

typedef struct verdict {
    ty_status st;
    ty_devices devices;
    char message[TY_MESSAGE_BYTES];
} verdict;

static verdict judge(const ty_devices_report reports[RANKS], ty_devices_wish wish) {
    verdict v = {0};
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    v.st = ty_devices_judge(&ctx, reports, RANKS, &wish, &v.devices);
    memcpy(v.message, ctx.message, sizeof v.message);
    ty_ctx_clear(&ctx);
    return v;
}

static void assert_says(const verdict *v, ty_status st, const char *words) {
    if (v->st != st || !strstr(v->message, words))
        fail_msg("%s: %s; want %s with \"%s\"", ty_status_name(v->st), v->message,
                 ty_status_name(st), words);
}

static void a_gpu_for_every_rank_is_summed_by_nccl(void **state) {
    (void)state;
    const ty_devices_report reports[RANKS] = {gpu(0, 0), gpu(0, 1), gpu(1, 0), gpu(1, 1)};
    const verdict v = judge(reports, (ty_devices_wish){0});
    assert_int_equal(v.st, TY_OK);
    assert_false(v.devices.is_staged);
    assert_int_equal(v.devices.ranks_per_gpu, 1);
    assert_string_equal(v.devices.sums, "nccl");
}

static void no_gpu_anywhere_is_summed_by_mpi(void **state) {
    (void)state;
    const ty_devices_report reports[RANKS] = {cpu(0, ""), cpu(0, ""), cpu(0, ""), cpu(0, "")};
    const verdict v = judge(reports, (ty_devices_wish){0});
    assert_int_equal(v.st, TY_OK);
    assert_false(v.devices.is_staged);
    assert_string_equal(v.devices.sums, "mpi");
}

static void a_rank_without_gpu_among_others_is_named_with_its_reason(void **state) {
    (void)state;
    const ty_devices_report reports[RANKS] = {gpu(0, 0), gpu(0, 1), gpu(1, 0),
                                              cpu(1, "no GPU: there is no NVIDIA driver")};
    const verdict v = judge(reports, (ty_devices_wish){0});
    assert_says(&v, TY_ERR_DEVICE, "rank 3 (host1) has no GPU where rank 0 (host0) has cuda:0");
    assert_says(&v, TY_ERR_DEVICE, "there is no NVIDIA driver");
}

static void two_ranks_on_one_gpu_are_refused_naming_both(void **state) {
    (void)state;
    const ty_devices_report reports[RANKS] = {gpu(0, 0), gpu(0, 1), gpu(1, 0), gpu(1, 0)};
    const verdict v = judge(reports, (ty_devices_wish){0});
    assert_says(&v, TY_ERR_DEVICE, "ranks 2 and 3 are both on cuda:0 of host1 (NVIDIA H100)");
    assert_says(&v, TY_ERR_DEVICE, "train.share_gpu=true");
}

static void the_same_gpu_under_two_names_is_still_one(void **state) {
    (void)state;
    ty_devices_report reports[RANKS] = {gpu(0, 0), gpu(0, 1), gpu(0, 2), gpu(0, 3)};
    memcpy(reports[3].found.uuid, reports[1].found.uuid, sizeof reports[3].found.uuid);
    const verdict v = judge(reports, (ty_devices_wish){0});
    assert_says(&v, TY_ERR_DEVICE, "ranks 1 and 3 are both on cuda:1 of host0");
}

static void a_gpu_that_may_be_shared_is_summed_through_host_memory(void **state) {
    (void)state;
    const ty_devices_report reports[RANKS] = {gpu(0, 0), gpu(0, 0), gpu(1, 0), gpu(1, 1)};
    const verdict v = judge(reports, (ty_devices_wish){.shares_gpu = true});
    assert_int_equal(v.st, TY_OK);
    assert_true(v.devices.is_staged);
    assert_string_equal(v.devices.sums, "mpi through host memory: ranks 0 and 1 share a GPU, which "
                                        "NCCL can't");
}

static void the_gpu_that_most_ranks_share_is_counted(void **state) {
    (void)state;
    const ty_devices_report reports[RANKS] = {gpu(0, 0), gpu(0, 1), gpu(0, 1), gpu(0, 1)};
    const ty_devices_report cpus[RANKS] = {cpu(0, ""), cpu(0, ""), cpu(0, ""), cpu(0, "")};
    const ty_devices_wish wish = {.shares_gpu = true};
    assert_int_equal(judge(reports, wish).devices.ranks_per_gpu, 3);
    assert_int_equal(judge(cpus, wish).devices.ranks_per_gpu, 1);
}

static void nccl_and_a_shared_gpu_contradict_each_other(void **state) {
    (void)state;
    const ty_devices_report reports[RANKS] = {gpu(0, 0), gpu(0, 0), gpu(1, 0), gpu(1, 1)};
    const ty_devices_wish wish = {.shares_gpu = true, .collectives = TY_COLLECTIVES_NCCL};
    const verdict v = judge(reports, wish);
    assert_says(&v, TY_ERR_CONFIG, "train.collectives is \"nccl\"");
}

static void mpi_is_used_where_it_is_asked_for(void **state) {
    (void)state;
    const ty_devices_report reports[RANKS] = {gpu(0, 0), gpu(0, 1), gpu(1, 0), gpu(1, 1)};
    const verdict v = judge(reports, (ty_devices_wish){.collectives = TY_COLLECTIVES_MPI});
    assert_int_equal(v.st, TY_OK);
    assert_true(v.devices.is_staged);
    assert_non_null(strstr(v.devices.sums, "train.collectives is \"mpi\""));
}

static void one_rank_sums_with_nobody(void **state) {
    (void)state;
    const ty_devices_report report = gpu(0, 0);
    ty_devices devices;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    const ty_devices_wish wish = {.collectives = TY_COLLECTIVES_MPI};
    assert_int_equal(ty_devices_judge(&ctx, &report, 1, &wish, &devices), TY_OK);
    assert_false(devices.is_staged);
    assert_string_equal(devices.sums, "");
    ty_ctx_clear(&ctx);
}

/* --- with ranks ------------------------------------------------------------------------------- */

typedef struct world {
    ty_ctx ctx;
    ty_comm *comm;
} world;

static int open_world(void **state) {
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    ty_ctx_init(&w->ctx);
    if (ty_comm_open(&w->ctx, NULL, &w->comm) != TY_OK) {
        (void)fprintf(stderr, "%s\n", w->ctx.message);
        return -1;
    }
    *state = w;
    return 0;
}

static int close_world(void **state) {
    world *w = *state;
    ty_comm_close(w->comm);
    ty_ctx_clear(&w->ctx);
    free(w);
    return 0;
}

static void every_rank_finds_the_cpu(void **state) {
    world *w = *state;
    const ty_devices_wish wish = {.device = {.name = "cpu", .max_isa_level = -1}};
    ty_devices devices;
    assert_int_equal(ty_devices_choose(&w->ctx, w->comm, &wish, &devices), TY_OK);
    assert_int_equal(devices.found.kind, TY_DEVICE_IS_CPU);
    assert_string_equal(devices.found.name, "cpu");
    assert_string_equal(devices.sums, ty_comm_size(w->comm) > 1 ? "mpi" : "");
}

static void nccl_on_cpus_contradicts_itself(void **state) {
    world *w = *state;
    const ty_devices_wish wish = {.device = {.name = "cpu", .max_isa_level = -1},
                                  .collectives = TY_COLLECTIVES_NCCL};
    ty_devices devices;
    const ty_status st = ty_devices_choose(&w->ctx, w->comm, &wish, &devices);
    assert_int_equal(st, ty_comm_size(w->comm) > 1 ? TY_ERR_CONFIG : TY_OK);
}

static void a_device_that_one_rank_can_not_have_fails_on_all(void **state) {
    world *w = *state;
    const int odd = ty_comm_size(w->comm) - 1;
    const bool is_odd = ty_comm_rank(w->comm) == odd;
    const ty_devices_wish wish = {
        .device = {.name = is_odd ? "cuda:99" : "cpu", .max_isa_level = -1}};
    ty_devices devices;
    assert_int_equal(ty_devices_choose(&w->ctx, w->comm, &wish, &devices), TY_ERR_DEVICE);
    char words[32];
    (void)snprintf(words, sizeof words, "rank %d (", odd);
    if (odd > 0 && !strstr(w->ctx.message, words))
        fail_msg("want \"%s\" in: %s", words, w->ctx.message);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gpu_for_every_rank_is_summed_by_nccl),
        cmocka_unit_test(no_gpu_anywhere_is_summed_by_mpi),
        cmocka_unit_test(a_rank_without_gpu_among_others_is_named_with_its_reason),
        cmocka_unit_test(two_ranks_on_one_gpu_are_refused_naming_both),
        cmocka_unit_test(the_same_gpu_under_two_names_is_still_one),
        cmocka_unit_test(a_gpu_that_may_be_shared_is_summed_through_host_memory),
        cmocka_unit_test(the_gpu_that_most_ranks_share_is_counted),
        cmocka_unit_test(nccl_and_a_shared_gpu_contradict_each_other),
        cmocka_unit_test(mpi_is_used_where_it_is_asked_for),
        cmocka_unit_test(one_rank_sums_with_nobody),
        cmocka_unit_test(every_rank_finds_the_cpu),
        cmocka_unit_test(nccl_on_cpus_contradicts_itself),
        cmocka_unit_test(a_device_that_one_rank_can_not_have_fails_on_all),
    };
    return cmocka_run_group_tests_name("devices", tests, open_world, close_world);
}
