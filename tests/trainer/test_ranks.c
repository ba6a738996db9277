/* What a job computes on 1, 2, 3 and 4 ranks, and when it moves between them: on CPUs, or with
 * TY_TEST_DEVICE=cuda on GPUs. TY_TEST_SETS is given to every job; an argument is a pattern for the
 * tests to run. TY_MPIEXEC and TY_RUNNER come from CMake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/support/temp_folder.h"

enum { LINE_BYTES = 1024 };

static const char *const config =
    "{\"data\": {\"source\": \"synthetic:150x1x8x8x4\", \"val_fraction\": 0.3, \"flip\": 0.5,"
    "\"crop_padding\": 1},"
    "\"model\": {\"layers\": [{\"type\": \"conv2d\", \"out\": 4}, \"batch_norm\", \"relu\", "
    "\"max_pool\","
    "\"flatten\", {\"type\": \"dropout\", \"rate\": 0.2}, {\"type\": \"linear\", \"out\": 24}, "
    "\"tanh\","
    "\"linear\"]},"
    "\"train\": {\"duration\": \"9 steps\", \"global_batch_size\": 48, \"threads\": 1},"
    "\"eval\": {\"every\": \"4 steps\", \"batch_size\": 16}, \"tracking\": {\"log_every\": \"1 "
    "steps\"}}";

typedef struct place {
    temp_folder folder;
    char config[2 * TEMP_FOLDER_BYTES];
} place;

static place make_place(void) {
    place p = {.folder = temp_folder_make()};
    FILE *file = fopen(temp_folder_path(&p.folder, "config.json", p.config), "w");
    assert_non_null(file);
    (void)fputs(config, file);
    assert_int_equal(fclose(file), 0);
    return p;
}

/* Runs the job on n ranks and answers the line it prints. run: a folder's name, NULL for none. */
static void start(const place *p, int n, const char *run, int stop, const char *mode,
                  const char *sets, char line[LINE_BYTES]) {
    char command[8192], path[2 * TEMP_FOLDER_BYTES] = "-";
    if (run)
        (void)temp_folder_path(&p->folder, run, path);
    const char *device = getenv("TY_TEST_DEVICE"), *more = getenv("TY_TEST_SETS");
    (void)snprintf(command, sizeof command, "%s -n %d %s %s %s %d %s device=%s %s %s", TY_MPIEXEC,
                   n, TY_RUNNER, p->config, path, stop, mode, device ? device : "cpu",
                   more ? more : "", sets);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    line[0] = '\0';
    char rest[LINE_BYTES];
    char *first = fgets(line, LINE_BYTES, pipe);
    while (fgets(rest, sizeof rest, pipe))
        (void)fprintf(stderr, "%s", rest);
    const int status = pclose(pipe);
    if (!first || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s: status %d, \"%s\"", command, status, line);
}

static void exact_gives_the_same_bits_on_1_2_and_4_ranks(void **state) {
    (void)state;
    const place p = make_place();
    char one[LINE_BYTES], other[LINE_BYTES];
    start(&p, 1, NULL, 0, "train", "", one);
    start(&p, 2, NULL, 0, "train", "", other);
    assert_string_equal(other, one);
    start(&p, 4, NULL, 0, "train", "", other);
    assert_string_equal(other, one);
    start(&p, 2, NULL, 0, "train", "train.threads=2", other);
    assert_string_equal(other, one);
    start(&p, 1, NULL, 0, "train", "seed=2", other);
    assert_string_not_equal(other, one);
    temp_folder_remove(&p.folder);
}

static void a_job_moves_from_2_to_1_to_4_ranks(void **state) {
    (void)state;
    const place p = make_place();
    char whole[LINE_BYTES], part[LINE_BYTES];
    start(&p, 1, NULL, 0, "train", "", whole);
    start(&p, 2, "run", 3, "train", "", part);
    assert_non_null(strstr(part, "step 3 "));
    start(&p, 1, "run", 4, "train", "", part);
    assert_non_null(strstr(part, "step 4 "));
    start(&p, 4, "run", 0, "train", "", part);
    assert_string_equal(part, whole);
    temp_folder_remove(&p.folder);
}

/* 38 samples of the test part in blocks of 16: no number of ranks divides them. */
static void evaluation_is_exact_for_uneven_data_on_any_number_of_ranks(void **state) {
    (void)state;
    const place p = make_place();
    char one[LINE_BYTES], other[LINE_BYTES];
    start(&p, 1, "run", 0, "train", "", other);
    start(&p, 1, "run", 0, "eval", "", one);
    assert_non_null(strstr(one, "samples 38 "));
    for (int ranks = 2; ranks <= 4; ranks++) {
        start(&p, ranks, "run", 0, "eval", "", other);
        assert_string_equal(other, one);
    }
    start(&p, 2, "run", 0, "eval", "train.threads=3", other);
    assert_string_equal(other, one);
    temp_folder_remove(&p.folder);
}

static void fast_runs_on_any_number_of_ranks_that_divides_the_batch(void **state) {
    (void)state;
    const place p = make_place();
    char one[LINE_BYTES], again[LINE_BYTES];
    start(&p, 3, NULL, 0, "train", "train.reduction=fast", one);
    start(&p, 3, NULL, 0, "train", "train.reduction=fast", again);
    assert_string_equal(again, one);
    temp_folder_remove(&p.folder);
}

static void ranks_that_disagree_are_told_which_fact_differs(void **state) {
    (void)state;
    const place p = make_place();
    char command[8192], text[8192];
    (void)snprintf(command, sizeof command,
                   "%s -n 1 %s %s - 0 train : -n 1 %s %s - 0 train seed=2 2>&1", TY_MPIEXEC,
                   TY_RUNNER, p.config, TY_RUNNER, p.config);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    text[fread(text, 1, sizeof text - 1, pipe)] = '\0';
    assert_int_not_equal(pclose(pipe), 0);
    if (!strstr(text, "rank 1") || !strstr(text, "config"))
        fail_msg("neither rank nor fact is named: %s", text);
    temp_folder_remove(&p.folder);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_gives_the_same_bits_on_1_2_and_4_ranks),
        cmocka_unit_test(a_job_moves_from_2_to_1_to_4_ranks),
        cmocka_unit_test(evaluation_is_exact_for_uneven_data_on_any_number_of_ranks),
        cmocka_unit_test(fast_runs_on_any_number_of_ranks_that_divides_the_batch),
        cmocka_unit_test(ranks_that_disagree_are_told_which_fact_differs),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
